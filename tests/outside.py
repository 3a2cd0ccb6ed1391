"""Look at a process from outside: the names it asks, the addresses it calls, the files it writes, C++ code included.

Two ways, used together where both are permitted. A network namespace of its own (unshare) has nothing but loopback and
a resolver that writes down each question. strace lists calls to addresses and files that are opened for writing.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

INSIDE = r"""
import fcntl, json, socket, struct, subprocess, sys, threading
report, resolv, nsswitch, *command = sys.argv[1:]
up = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
fcntl.ioctl(up, 0x8914, struct.pack("16sh", b"lo", 0x49))  # SIOCSIFFLAGS: loopback, up, running
for ours, place in ((resolv, "/etc/resolv.conf"), (nsswitch, "/etc/nsswitch.conf")):
    subprocess.run(["mount", "--bind", ours, place], check=True)
server, names = socket.socket(socket.AF_INET, socket.SOCK_DGRAM), []
server.bind(("127.0.0.1", 53))

def listen():
    while True:
        asked, sender = server.recvfrom(4096)
        place, labels = 12, []
        while asked[place]:
            labels.append(asked[place + 1 : place + 1 + asked[place]].decode())
            place += asked[place] + 1
        names.append(".".join(labels))
        server.sendto(asked[:2] + b"\x81\x83" + asked[4:6] + bytes(6) + asked[12:], sender)  # there is no such name

threading.Thread(target=listen, daemon=True).start()
code = subprocess.run(command).returncode if command else 0
with open(report, "w") as file:
    json.dump(sorted(set(names)), file)
sys.exit(code)
"""
_CALLS = "socket,connect,sendto,sendmsg,sendmmsg,open,openat,creat,mkdir,mkdirat,rename,renameat,renameat2"
_ADDRESS = re.compile(r'sin6?_port=htons\((\d+)\).*?(?:inet_addr\(|inet_pton\(AF_INET6, )"([^"]+)"')
_WRITES = re.compile(r"\b(?:creat|mkdir|mkdirat|rename|renameat|renameat2)\(|O_WRONLY|O_RDWR|O_CREAT")


@dataclass(frozen=True)
class Seen:
    """What a process did. names: asked of DNS. calls: "address:port" beyond loopback, or of a resolver. left: files and
    folders in its home and its folder for temporary files. written: files opened for writing elsewhere, without what
    lies in the folder it ran in."""

    code: int
    output: str
    names: list[str]
    calls: list[str]
    left: list[str]
    written: list[str]

    @property
    def traces(self) -> list[str]:
        return [*self.names, *self.calls, *self.left, *self.written]


def look(code: str, *arguments: str, cwd: Path, room: Path, timeout: float = 1800) -> Seen:
    """Run `python -c code` in the folder `cwd`, with a fresh home and fresh temporary files under `room`."""
    home, temporary = room / "home", room / "tmp"
    for folder in (home, temporary):
        folder.mkdir(parents=True)
    environment = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    environment["PYTHONPATH"] = os.pathsep.join(str(Path(part).resolve()) for part in sys.path if part)
    # No variable of a build machine comes along: libraries stay silent where they see one.
    environment |= {"HOME": str(home), "TMPDIR": str(temporary), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-c", code, *arguments]
    trace, report = room / "trace.txt", room / "names.json"
    if can_trace():
        command = ["strace", "-f", "-qq", "--seccomp-bpf", "-o", str(trace), "-e", f"trace={_CALLS}", *command]
    if can_isolate():
        command = [*_isolated(room), *command]
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=timeout)
    lines = trace.read_text(errors="replace").splitlines() if trace.exists() else []
    return Seen(
        done.returncode,
        done.stdout + done.stderr,
        json.loads(report.read_text()) if report.exists() else [],
        _calls(lines),
        sorted(str(path.relative_to(room)) for folder in (home, temporary) for path in folder.rglob("*")),
        _written(lines, (str(cwd), str(home), str(temporary), "/dev/", "/proc/")),
    )


def missing() -> str:
    """Why nothing can be seen from outside here, or "" where something can."""
    if can_isolate() or can_trace():
        return ""
    return "neither network namespaces (unshare) nor strace are permitted here, so no process can be watched"


@cache
def can_isolate() -> bool:
    """Whether a process may be put into a network namespace of its own, as root or as anybody."""
    if not (shutil.which("unshare") and shutil.which("mount") and Path("/etc/nsswitch.conf").is_file()):
        return False
    import tempfile

    with tempfile.TemporaryDirectory() as room:
        return subprocess.run(_isolated(Path(room)), capture_output=True, timeout=60).returncode == 0


@cache
def can_trace() -> bool:
    """Whether strace is here and permitted."""
    if not shutil.which("strace"):
        return False
    return subprocess.run(["strace", "-f", "--seccomp-bpf", "true"], capture_output=True, timeout=60).returncode == 0


def _isolated(room: Path) -> list[str]:
    """The beginning of a command line that runs the rest in a namespace with loopback and a resolver that notes."""
    resolv, nsswitch = room / "resolv.conf", room / "nsswitch.conf"
    resolv.write_text("nameserver 127.0.0.1\noptions timeout:1 attempts:1\n")
    nsswitch.write_text("passwd: files\ngroup: files\nhosts: files dns\n")
    flags = ["-n", "-m"] if os.getuid() == 0 else ["-r", "-n", "-m"]
    names = [str(room / "names.json"), str(resolv), str(nsswitch)]
    return ["unshare", *flags, sys.executable, "-c", INSIDE, *names]


def _calls(lines: list[str]) -> list[str]:
    """The addresses of internet sockets beyond loopback, and of name servers wherever they are."""
    found = set()
    for line in lines:
        for port, address in _ADDRESS.findall(line):
            near = address.startswith("127.") or address in ("::1", "::ffff:127.0.0.1")
            if not near or port == "53":
                found.add(f"{address}:{port}")
    return sorted(found)


def _written(lines: list[str], allowed: tuple[str, ...]) -> list[str]:
    """The files that were opened for writing, folders that were made and names that were given, outside `allowed`."""
    paths = set()
    for line in lines:
        if _WRITES.search(line) and " = -1 " not in line:
            paths |= {path for path in re.findall(r'"([^"]*)"', line)[-1:] if path.startswith("/")}
    return sorted(path for path in paths if not path.startswith(allowed))
