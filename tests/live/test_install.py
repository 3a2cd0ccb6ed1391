"""Starting with the computer: the right file in the right place of a made home, and nothing half done."""

import configparser
import plistlib
import shlex
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from handlens.cli import run
from handlens.errors import InputError, OutputError
from handlens.live import install

ARGUMENTS = ["watch", "rtsp://x/1?a=1&b=%20", "--voice", 'Say "$HOME" \\ <now>', "--no-open"]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("XDG_CONFIG_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    return tmp_path


def test_linux_gets_a_user_unit_with_every_argument_as_it_was(home):
    todo = install.plan(ARGUMENTS, "linux", home)
    assert todo.file == home / ".config" / "systemd" / "user" / "handlens-watch.service"
    unit = configparser.ConfigParser(interpolation=None, delimiters="=", strict=True)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read_string(todo.text.decode())
    command = unit["Service"]["ExecStart"].replace("%%", "%").replace("$$", "$")
    assert shlex.split(command) == [sys.executable, "-m", "handlens", *ARGUMENTS]
    assert unit["Service"]["KillSignal"] == "SIGINT"
    assert todo.start[-1] == ("systemctl", "--user", "enable", "--now", "handlens-watch.service")


def test_macos_gets_an_agent(home):
    todo = install.plan(ARGUMENTS, "darwin", home)
    assert todo.file == home / "Library" / "LaunchAgents" / "org.handlens.watch.plist"
    told = plistlib.loads(todo.text)
    assert told["ProgramArguments"] == [sys.executable, "-m", "handlens", *ARGUMENTS]
    assert told["RunAtLoad"]


def test_windows_gets_a_task_at_logon_without_administrator(home):
    todo = install.plan(ARGUMENTS, "win32", home)
    assert todo.file == home / "AppData" / "Local" / "handlens" / "watch-task.xml"
    tree = ElementTree.fromstring(todo.text.decode("utf-16"))
    space = "{http://schemas.microsoft.com/windows/2004/02/mit/task}"
    arguments = tree.find(f"{space}Actions/{space}Exec/{space}Arguments")
    assert arguments is not None
    assert arguments.text is not None
    assert arguments.text.startswith("-m handlens watch rtsp://x/1?a=1&b=%20 --voice ")
    assert '"Say \\"$HOME\\" \\ <now>"' in arguments.text
    level = tree.find(f"{space}Principals/{space}Principal/{space}RunLevel")
    assert level is not None
    assert level.text == "LeastPrivilege"


def test_other_systems_and_line_breaks_are_refused(home):
    with pytest.raises(InputError, match="not 'freebsd14'"):
        install.plan(ARGUMENTS, "freebsd14", home)
    with pytest.raises(InputError, match="line break"):
        install.plan(["watch", "a\nb"], "linux", home)


@pytest.mark.parametrize("platform", ["linux", "darwin", "win32"])
def test_it_is_installed_and_removed_and_leaves_nothing(home, platform):
    todo, done = install.plan(ARGUMENTS, platform, home), []

    def command(words):
        done.append(tuple(words))
        return 0

    said = install.install(todo, command)
    assert str(todo.file) in said
    assert todo.file.read_bytes() == todo.text
    assert tuple(done) == todo.start
    assert str(todo.file) in install.uninstall(todo, command)
    assert not todo.file.exists()
    with pytest.raises(InputError, match="not installed"):
        install.uninstall(todo, command)


def test_a_system_that_refuses_leaves_no_file_and_keeps_an_older_one(home):
    todo = install.plan(ARGUMENTS, "linux", home)
    with pytest.raises(OutputError, match="so nothing was installed"):
        install.install(todo, lambda words: 1)
    assert not todo.file.exists()
    todo.file.write_bytes(b"mine")
    with pytest.raises(OutputError):
        install.install(todo, lambda words: 1)
    assert todo.file.read_bytes() == b"mine"


def test_the_command_prints_what_it_would_do_and_does_nothing(home, monkeypatch, capsys):
    monkeypatch.setattr("handlens.live.install._run", lambda words: pytest.fail("it ran"))
    monkeypatch.setattr(sys, "platform", "linux")
    assert run(["watch", "1", "--open", "0.6", "--install", "--dry-run"]) == 0
    out = capsys.readouterr().out
    assert '"watch" "1" "--open" "0.6" "--no-open"' in out
    assert "run systemctl --user enable --now handlens-watch.service" in out
    assert run(["watch", "--uninstall", "--dry-run"]) == 0
    assert "remove " in capsys.readouterr().out
    assert not (home / ".config").exists()


def test_the_command_installs_and_refuses_what_is_wrong(home, monkeypatch, capsys):
    monkeypatch.setattr("handlens.live.install._run", lambda words: 0)
    monkeypatch.setattr(sys, "platform", "linux")
    assert run(["watch", "--install", "--uninstall"]) == 2
    assert run(["watch", "--dry-run"]) == 2
    assert run(["watch", "--install", "--regions", "knee"]) == 2
    assert run(["watch", "--uninstall"]) == 2
    assert "not installed" in capsys.readouterr().err
    assert run(["watch", "--install", "--no-page"]) == 0
    assert "watch starts when you log in" in capsys.readouterr().err
    assert run(["watch", "--uninstall"]) == 0
    assert not list(home.rglob("*.service"))
