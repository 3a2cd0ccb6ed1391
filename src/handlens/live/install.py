"""Starts `watch` with the computer: a systemd user unit, a launchd agent or a Windows task; it must not know flags.

The files are those of the person alone; nothing needs an administrator.
"""

import os
import plistlib
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape

from handlens.errors import InputError, OutputError
from handlens.io.atomic import AtomicFile, output_error

UNIT = "handlens-watch.service"
AGENT = "org.handlens.watch"
TASK = "handlens watch"

Run = Callable[[Sequence[str]], int]
"""Runs a command and returns its exit code."""


@dataclass(frozen=True)
class Plan:
    """What is to be done on one system.

    Attributes:
        file: The file that says what is started.
        text: What stands in it.
        start, stop: Commands that make it count, and that end it before the file goes.
        after: Commands for after the file has gone.
        told: What the person is told.
    """

    file: Path
    text: bytes
    start: tuple[tuple[str, ...], ...]
    stop: tuple[tuple[str, ...], ...]
    after: tuple[tuple[str, ...], ...]
    told: str


def plan(arguments: Sequence[str], platform: str = sys.platform, home: Path | None = None) -> Plan:
    """Return the plan for a system.

    Args:
        arguments: Of `handlens`, as in ["watch", "0", "--no-open"].
        platform: As `sys.platform` names it.
        home: The person's folder; None: of whoever runs this.

    Raises:
        InputError: there is no way on this system, or an argument that cannot be written down.
    """
    home = Path.home() if home is None else home
    if any("\n" in each or "\0" in each for each in arguments):
        raise InputError("an argument with a line break cannot start with the computer.")
    command = [*_program(), *arguments]
    if platform == "darwin":
        return _launchd(command, home)
    if platform == "win32":
        return _windows(command, home)
    if platform.startswith("linux"):
        return _systemd(command, home)
    raise InputError(f"--install knows Linux with systemd, macOS and Windows, not '{platform}'.")


def _program() -> list[str]:
    """Return how handlens is started: the Python that runs now, for a PATH may be another one at login."""
    return [sys.executable, "-m", "handlens"]


def _systemd(command: list[str], home: Path) -> Plan:
    folder = Path(os.environ.get("XDG_CONFIG_HOME") or home / ".config") / "systemd" / "user"
    text = (
        "[Unit]\n"
        "Description=handlens watch: warns when a hand touches the face\n"
        "StartLimitIntervalSec=300\n"
        "StartLimitBurst=5\n"
        "\n"
        "[Service]\n"
        f"ExecStart={' '.join(map(_quoted, command))}\n"
        "KillSignal=SIGINT\n"  # as Ctrl-C: it ends cleanly
        "Restart=on-failure\n"
        "RestartSec=10\n"
        "Nice=5\n"
        "\n"
        "[Install]\n"
        "WantedBy=default.target\n"  # not every desktop reaches graphical-session.target
    )
    user = ("systemctl", "--user")
    return Plan(
        folder / UNIT,
        text.encode(),
        ((*user, "daemon-reload"), (*user, "enable", "--now", UNIT)),
        ((*user, "disable", "--now", UNIT),),
        ((*user, "daemon-reload"),),
        f"'systemctl --user status {UNIT}' shows how it is",
    )


def _quoted(argument: str) -> str:
    """Return an argument as systemd reads it: in quotes, with % and $ meaning themselves."""
    marked = argument.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return f'"{marked}"'


def _launchd(command: list[str], home: Path) -> Plan:
    file = home / "Library" / "LaunchAgents" / f"{AGENT}.plist"
    log = str(home / "Library" / "Logs" / "handlens-watch.log")
    told = {
        "Label": AGENT,
        "ProgramArguments": command,
        "RunAtLoad": True,
        "KeepAlive": {"SuccessfulExit": False},
        "ThrottleInterval": 30,
        "ProcessType": "Interactive",
        "StandardErrorPath": log,
    }
    return Plan(
        file,
        plistlib.dumps(told),
        (("launchctl", "load", "-w", str(file)),),
        (("launchctl", "unload", "-w", str(file)),),
        (),
        f"what it says lies in '{log}'",
    )


def _windows(command: list[str], home: Path) -> Plan:
    local = Path(os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local")
    file = local / "handlens" / "watch-task.xml"
    program, arguments = command[0], subprocess.list2cmdline(command[1:])
    windowless = Path(program).with_name("pythonw.exe")
    if Path(program).name.lower() == "python.exe" and windowless.exists():
        program = str(windowless)  # no black window
    text = (
        '<?xml version="1.0" encoding="UTF-16"?>\n'
        '<Task version="1.2" xmlns="http://schemas.microsoft.com/windows/2004/02/mit/task">\n'
        "  <RegistrationInfo><Description>handlens watch: warns when a hand touches the face</Description>"
        "</RegistrationInfo>\n"
        "  <Triggers><LogonTrigger><Enabled>true</Enabled></LogonTrigger></Triggers>\n"
        '  <Principals><Principal id="Author"><LogonType>InteractiveToken</LogonType>'
        "<RunLevel>LeastPrivilege</RunLevel></Principal></Principals>\n"
        "  <Settings>\n"
        "    <MultipleInstancesPolicy>IgnoreNew</MultipleInstancesPolicy>\n"
        "    <DisallowStartIfOnBatteries>false</DisallowStartIfOnBatteries>\n"
        "    <StopIfGoingOnBatteries>false</StopIfGoingOnBatteries>\n"
        "    <ExecutionTimeLimit>PT0S</ExecutionTimeLimit>\n"
        "    <RestartOnFailure><Interval>PT1M</Interval><Count>3</Count></RestartOnFailure>\n"
        "  </Settings>\n"
        f'  <Actions Context="Author"><Exec><Command>{escape(program)}</Command>'
        f"<Arguments>{escape(arguments)}</Arguments></Exec></Actions>\n"
        "</Task>\n"
    )
    return Plan(
        file,
        text.encode("utf-16"),
        (
            ("schtasks", "/Create", "/TN", TASK, "/XML", str(file), "/F"),
            ("schtasks", "/Run", "/TN", TASK),
        ),
        (("schtasks", "/End", "/TN", TASK), ("schtasks", "/Delete", "/TN", TASK, "/F")),
        (),
        f"the task is called '{TASK}'",
    )


def install(todo: Plan, run: Run | None = None) -> str:
    """Write the file, make it count, and return the sentence for the person.

    Raises:
        OutputError: the file cannot be written, or the system refuses it; the file is then removed.
    """
    try:
        todo.file.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise output_error(error, todo.file.parent) from error
    before = todo.file.read_bytes() if todo.file.exists() else None
    with AtomicFile(todo.file) as draft:
        draft.write(todo.text)
    for command in todo.start:
        code = (run or _run)(command)
        if code:
            if before is None:
                todo.file.unlink(missing_ok=True)
            else:
                todo.file.write_bytes(before)
            raise OutputError(
                f"'{' '.join(command)}' failed (exit code {code}), so nothing was installed; start 'handlens watch' by"
                " hand, or ask whoever looks after this computer."
            )
    return f"watch starts when you log in: '{todo.file}'; {todo.told}, and 'handlens watch --uninstall' ends it."


def uninstall(todo: Plan, run: Run | None = None) -> str:
    """End it, remove the file, and return the sentence for the person.

    Raises:
        InputError: it is not installed.
        OutputError: the file cannot be removed.
    """
    if not todo.file.exists():
        raise InputError(f"it is not installed: there is no '{todo.file}'.")
    for command in todo.stop:
        (run or _run)(command)  # it may have ended already
    try:
        todo.file.unlink()
    except OSError as error:
        raise output_error(error, todo.file) from error
    for command in todo.after:
        (run or _run)(command)
    return f"watch no longer starts with the computer; '{todo.file}' was removed."


def shown(todo: Plan, removing: bool = False) -> str:
    """Return what would be done, as text: the file with its contents, and the commands."""
    commands = [*todo.stop, *todo.after] if removing else list(todo.start)
    lines = [f"remove {todo.file}"] if removing else [f"write {todo.file}", *_indented(todo.text)]
    return "\n".join([*lines, *(f"run {' '.join(command)}" for command in commands)]) + "\n"


def _indented(text: bytes) -> list[str]:
    encoding = "utf-16" if text[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8"
    return [f"    {line}" for line in text.decode(encoding).splitlines()]


def _run(command: Sequence[str]) -> int:
    """Run a command quietly; 127 where there is no such program."""
    if shutil.which(command[0]) is None:
        return 127
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=60, check=False).returncode
