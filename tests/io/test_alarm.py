"""The promises of the alarm: it sounds at once, and whatever happens to the sound, it holds nobody up."""

import os
import signal
import stat
import sys
import wave
from pathlib import Path

import pytest
from clocks import StillClock, wait

from handlens.io.alarm import PATIENCE_S, Alarm, find_players, has_device, write_beep

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the fake players are shell scripts")


class Machine:
    """A machine with the players we say, each a script; it writes down who played what. Its clock stands still.

    checks: how often a player has ended well, so that it was asked whether there is a device.
    """

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.log = folder / "played"
        self.bells = 0
        self.checks = 0
        self.clock = StillClock()
        self.lines: list[str] = []
        monkeypatch.setenv("PATH", str(folder))
        monkeypatch.setattr("handlens.io.alarm.time", self.clock)

    def install(self, name: str, script: str = "") -> None:
        path = self.folder / name
        path.write_text(f'#!/bin/sh\necho "{name} $1 $$" >> {self.log}\n{script}\n')
        path.chmod(path.stat().st_mode | stat.S_IXUSR)

    def alarm(self, cooldown: float = 5.0, device: bool = True) -> Alarm:
        def check() -> bool:
            self.checks += 1
            return device

        return Alarm(cooldown=cooldown, say=self.lines.append, bell=self.ring, device=check)

    def ring(self) -> None:
        self.bells += 1

    def played(self) -> list[str]:
        return [line.split()[0] for line in self.log.read_text().splitlines()] if self.log.exists() else []

    def pid(self) -> int:
        return int(self.log.read_text().splitlines()[-1].split()[-1])


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    return Machine(tmp_path, monkeypatch)


def gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


HANG = "/bin/sleep 60"


def test_it_speaks_where_there_is_a_voice(machine: Machine) -> None:
    machine.install("espeak-ng")
    machine.install("aplay")
    with machine.alarm() as alarm:
        assert alarm.start()
        wait(machine.played)
    assert machine.log.read_text().startswith("espeak-ng Don't touch your face")
    assert (machine.played(), machine.bells, machine.lines) == (["espeak-ng"], 0, [])


def test_it_beeps_where_there_is_no_voice(machine: Machine) -> None:
    machine.install("aplay", '[ -s "$2" ] || exit 1')
    with machine.alarm() as alarm:
        alarm.start()
        wait(lambda: machine.checks)
    assert machine.played() == ["aplay"]
    assert (machine.bells, machine.lines) == (0, [])


def test_it_starts_though_the_last_player_hangs_and_start_returns_at_once(machine: Machine) -> None:
    machine.install("espeak-ng", HANG)
    with machine.alarm(cooldown=0.4) as alarm:
        for count in (1, 2, 3):  # from the second on, the player of the time before still hangs
            assert alarm.start()
            wait(lambda: alarm.last_started == machine.clock.now)
            wait(lambda count=count: len(machine.played()) == count)
            pid = machine.pid()
            assert not gone(pid)  # it plays on, and nobody has waited for its end
            machine.clock.now += 0.41
    assert machine.played() == ["espeak-ng"] * 3


def test_it_keeps_a_cool_down_and_then_warns_again(machine: Machine) -> None:
    machine.install("espeak-ng")
    answers = []
    with machine.alarm(cooldown=0.5) as alarm:
        for _ in range(10):
            answers.append(alarm.start())
            wait(lambda: machine.checks == answers.count(True))
            machine.clock.now += 0.125
    assert [place for place, answer in enumerate(answers) if answer] == [0, 4, 8]
    assert machine.played() == ["espeak-ng"] * 3


def test_a_player_that_dies_is_followed_by_the_next(machine: Machine) -> None:
    machine.install("espeak-ng", "exit 1")
    machine.install("aplay")
    with machine.alarm(cooldown=0.2) as alarm:
        alarm.start()
        wait(lambda: machine.checks == 1)
        assert machine.played() == ["espeak-ng", "aplay"]
        machine.clock.now += 0.25
        alarm.start()
        wait(lambda: machine.checks == 2)
    assert machine.played() == ["espeak-ng", "aplay", "aplay"]  # the one that works comes first now
    assert (machine.bells, machine.lines) == (0, [])


def test_a_player_that_hangs_is_killed_and_followed_by_the_next(machine: Machine) -> None:
    machine.install("espeak-ng", HANG)
    machine.install("aplay")
    with machine.alarm() as alarm:
        alarm.start()
        wait(lambda: machine.played() and alarm.last_started)
        pid = machine.pid()
        machine.clock.now += PATIENCE_S - 0.1
        assert machine.played() == ["espeak-ng"]
        machine.clock.now += 0.2
        wait(lambda: machine.played() == ["espeak-ng", "aplay"])
    wait(lambda: gone(pid))


def test_killing_the_player_kills_nobody_else(machine: Machine) -> None:
    machine.install("espeak-ng", HANG)
    with machine.alarm(cooldown=0.1) as alarm:
        alarm.start()
        wait(machine.played)
        os.kill(machine.pid(), signal.SIGKILL)
        wait(lambda: machine.bells == 1)
        machine.clock.now += 0.12
        assert alarm.start()
        wait(lambda: len(machine.played()) == 2)
    assert machine.lines == ["handlens: espeak-ng could not play; the alarm is the terminal bell."]


@pytest.mark.parametrize("players", [[], ["aplay"]])
def test_without_sound_the_bell_rings_and_one_line_says_so(machine: Machine, players: list[str]) -> None:
    for name in players:
        machine.install(name, "exit 1")
    with machine.alarm(cooldown=0.1) as alarm:
        for count in (1, 2, 3):
            alarm.start()
            wait(lambda count=count: machine.bells == count)
            machine.clock.now += 0.12
    assert len(machine.lines) == 1
    assert machine.lines[0].endswith("the alarm is the terminal bell.")
    assert alarm.last_started is not None


def test_a_player_that_claims_success_without_a_device_is_not_believed(machine: Machine) -> None:
    machine.install("espeak-ng")
    with machine.alarm(device=False) as alarm:
        alarm.start()
        wait(lambda: machine.bells)
    assert machine.lines == ["handlens: there is no sound device; the alarm is the terminal bell."]


def test_closing_ends_the_player_and_removes_the_beep(machine: Machine) -> None:
    machine.install("aplay", HANG)
    alarm = machine.alarm()
    alarm.start()
    wait(machine.played)
    wav = alarm._wav
    assert wav is not None
    assert wav.exists()
    pid = machine.pid()
    alarm.close()  # it would play for a minute, and a test waits for half of one
    assert not wav.exists()
    wait(lambda: gone(pid))
    assert machine.bells == 0
    assert not alarm.start()


def test_without_sound_wanted_nothing_sounds(machine: Machine) -> None:
    machine.install("espeak-ng")
    with Alarm(sound=False, bell=machine.ring) as alarm:
        assert not alarm.start()
    assert (machine.played(), machine.bells, alarm.last_started) == ([], 0, None)


def test_a_broken_player_file_is_no_reason_to_stop(machine: Machine) -> None:
    (machine.folder / "espeak-ng").write_bytes(b"\x7fELF no program")
    (machine.folder / "espeak-ng").chmod(0o755)
    with machine.alarm() as alarm:
        alarm.start()
        wait(lambda: machine.bells == 1)


def test_the_bell_goes_to_stderr(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    with Alarm() as alarm:
        alarm.start()
        wait(lambda: alarm.last_started)
    alarm._thread.join()
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\a") == 1
    assert err.count("\n") == 1


def test_the_beep_is_a_short_sound(tmp_path: Path) -> None:
    with (tmp_path / "a.wav").open("wb") as file:
        write_beep(file)
    with wave.open(str(tmp_path / "a.wav")) as sound:
        assert 0.3 < sound.getnframes() / sound.getframerate() < 0.5
        assert (sound.getnchannels(), sound.getsampwidth()) == (1, 2)


def test_only_what_is_installed_is_offered(machine: Machine) -> None:
    machine.install("paplay")
    assert find_players("hi", Path("a.wav")) == [[str(machine.folder / "paplay"), "a.wav"]]
    assert has_device() in (True, False)
