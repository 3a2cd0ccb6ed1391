"""The alarm: speaks or beeps in its own thread and never holds anyone up; it must not know events, models or frames."""

import math
import os
import queue
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import threading
import time
import wave
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

_RATE = 22050  # samples a second
_TONES = ((880.0, 0.16), (0.0, 0.05), (660.0, 0.22))  # (Hz, seconds): two falling notes, short and not shrill


def find_players(text: str, wav: Path, volume: float = 1.0) -> list[list[str]]:
    """Return the command lines that can say `text` or play the file `wav` here, voices first; empty if there are none.

    Only what is installed is returned: `say`, `espeak-ng`, `espeak` or `spd-say` to speak; `aplay`, `paplay`,
    `pw-play`, `afplay` or `ffplay` to beep; on Windows PowerShell for both.

    Args:
        text: An empty one leaves the voices out.
        wav: The file to play.
        volume: Of the voices, 0 to 1; that of the beep is in its file.
    """
    amplitude = ["-a", str(round(volume * 100))] if volume < 1.0 else []  # 100 is the normal one
    voices = [
        ["say", f"[[volm {volume:.2f}]] {text}" if volume < 1.0 else text],
        ["espeak-ng", *amplitude, text],
        ["espeak", *amplitude, text],
        ["spd-say", "--wait", *(["-i", str(round(volume * 100 - 100))] if volume < 1.0 else []), text],
    ]
    beeps = [
        ["aplay", "-q", str(wav)],
        ["paplay", str(wav)],
        ["pw-play", str(wav)],
        ["afplay", str(wav)],
        ["ffplay", "-nodisp", "-autoexit", "-loglevel", "quiet", str(wav)],
    ]
    if sys.platform == "win32":
        voices = [_powershell(_speech(text, volume))]
        beeps = [_powershell(f"(New-Object Media.SoundPlayer {_quoted(wav)}).PlaySync()")]
    known = voices + beeps if text else beeps
    return [[where, *rest] for name, *rest in known if (where := shutil.which(name))]


def has_device() -> bool:
    """Return whether this machine seems to have a sound device or a sound server; without one players fail or lie."""
    if not sys.platform.startswith("linux"):
        return True
    if os.environ.get("PULSE_SERVER") or os.environ.get("PIPEWIRE_REMOTE"):
        return True
    runtime = Path(os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.getuid()}")
    if any((runtime / name).exists() for name in ("pulse/native", "pipewire-0")):
        return True
    try:
        return "no soundcards" not in Path("/proc/asound/cards").read_text()
    except OSError:
        return False


def write_beep(file: BinaryIO, volume: float = 1.0) -> None:
    """Write the beep as a WAV: mono, 16 bit, under half a second. volume: 0 to 1."""
    samples: list[int] = []
    for pitch, seconds in _TONES:
        count = round(seconds * _RATE)
        for i in range(count):
            swell = min(1.0, i / 200, (count - i) / 200)  # no clicks at the ends
            samples.append(round(14000 * volume * swell * math.sin(2 * math.pi * pitch * i / _RATE)))
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(_RATE)
        sound.writeframes(struct.pack(f"<{len(samples)}h", *samples))


def _powershell(script: str) -> list[str]:
    return ["powershell", "-NoProfile", "-NonInteractive", "-Command", script]


def _speech(text: str, volume: float) -> str:
    voice = f"$v = New-Object System.Speech.Synthesis.SpeechSynthesizer; $v.Volume = {round(volume * 100)}"
    return f"Add-Type -AssemblyName System.Speech; {voice}; $v.Speak({_quoted(text)})"


def _quoted(text: str | Path) -> str:
    return "'" + str(text).replace("'", "''") + "'"


PATIENCE_S = 4.0  # longer than the sentence takes; a player that is still there hangs
_POLL_S = 0.02

Players = Callable[[str, Path, float], list[list[str]]]


class Alarm:
    """Says a sentence, or beeps, or rings the terminal bell: whatever works here.

    `start` asks for it and returns at once; within `cooldown` seconds of the last time it does nothing, so it may be
    called for every frame of a touch. A player that fails, hangs or is killed is followed by the next one; where none
    works the terminal bell rings, and one line says so, once.

    Attributes:
        text: What is said.
        cooldown: Seconds from one alarm to the next. sound=False: never makes a sound.
        voice: Whether it may speak; else it beeps. volume: 0 to 1. Both may be changed at any time.
        last_started: Time.monotonic() when the last alarm began to sound, or None.
        say: Takes the one line; stderr if left out.
        bell: Rings the terminal.
        players, device: What there is to play with, and whether there is a sound device; tests bring their own.
    """

    def __init__(
        self,
        text: str = "Don't touch your face",
        cooldown: float = 5.0,
        sound: bool = True,
        say: Callable[[str], None] | None = None,
        bell: Callable[[], None] | None = None,
        players: Players = find_players,
        device: Callable[[], bool] = has_device,
    ) -> None:
        self.text, self.cooldown, self.sound = text, cooldown, sound
        self.voice, self.volume = True, 1.0
        self.last_started: float | None = None
        self._say, self._bell = say or _say, bell or _ring
        self._find, self._device = players, device
        self._players: list[list[str]] | None = None
        self._made_for: tuple[str, bool, float] | None = None
        self._requested: float | None = None
        self._warned = False
        self._closing = False
        self._wav: Path | None = None
        self._calls: queue.SimpleQueue[bool] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="alarm", daemon=True)

    def start(self) -> bool:
        """Ask for the alarm and return at once; True if it will sound, False in the cool-down or without sound."""
        now = time.monotonic()
        if not self.sound or self._closing or (self._requested is not None and now - self._requested < self.cooldown):
            return False
        self._requested = now
        if self._thread.ident is None:
            self._thread.start()
        self._calls.put(True)
        return True

    def test(self) -> None:
        """Let it sound now, whatever the cool-down says."""
        self._requested = None
        sound, self.sound = self.sound, True
        self.start()
        self.sound = sound

    def close(self) -> None:
        """End the thread and whatever is playing."""
        self._closing = True
        if self._thread.ident is not None:
            self._calls.put(False)
            self._thread.join(1.0)
        self._forget()

    def _forget(self) -> None:
        if self._wav is not None:
            self._wav.unlink(missing_ok=True)
            self._wav = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _work(self) -> None:
        while self._calls.get() and not self._closing:
            try:
                self._sound()
            except Exception as error:  # whatever breaks here, the watch goes on
                self._ring(f"the sound failed ({type(error).__name__})")

    def _sound(self) -> None:
        wanted = (self.text, self.voice, self.volume)
        if self._players is None or self._made_for != wanted:
            self._forget()
            self._players = self._find(self.text if self.voice else "", self._beep(), self.volume)
            self._made_for = wanted
        for player in list(self._players):
            worked = self._play(player)
            if worked is None:  # closing, or the next alarm is due: neither is the time to ring for this one
                return
            if worked:
                if not self._device():
                    self._ring("there is no sound device")
                return
            self._players.remove(player)  # to the end: next time begin with one that may work
            self._players.append(player)
        names = ", ".join(Path(player[0]).name for player in self._players)
        self._ring(f"{names} could not play" if names else "no sound player is installed (espeak-ng or aplay would do)")

    def _play(self, command: list[str]) -> bool | None:
        """Run one player to its end: True it played, False it failed, hung or was killed, None it was called off."""
        quiet = subprocess.DEVNULL
        try:
            process = subprocess.Popen(command, stdin=quiet, stdout=quiet, stderr=quiet, start_new_session=True)
        except OSError:
            return False
        self.last_started = time.monotonic()
        end = self.last_started + PATIENCE_S
        while (code := process.poll()) is None:
            called_off = self._closing or not self._calls.empty()
            if called_off or time.monotonic() > end:
                _kill(process)
                return None if called_off else False
            time.sleep(_POLL_S)
        return code == 0

    def _ring(self, why: str) -> None:
        self._bell()
        self.last_started = time.monotonic()
        if not self._warned:
            self._warned = True
            self._say(f"handlens: {why}; the alarm is the terminal bell.")

    def _beep(self) -> Path:
        with tempfile.NamedTemporaryFile(prefix="handlens-", suffix=".wav", delete=False) as file:
            self._wav = Path(file.name)
            write_beep(file, self.volume)  # type: ignore[arg-type]
        return self._wav


def _kill(process: "subprocess.Popen[bytes]") -> None:
    """End the player and its children: it has a session of its own, so nobody else is hit."""
    try:
        if sys.platform == "win32":
            process.kill()
        else:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(1.0)
    except (OSError, subprocess.TimeoutExpired):
        pass  # it is gone, or stuck in the kernel: not worth the watch


def _ring() -> None:
    _put("\a")


def _say(sentence: str) -> None:
    _put(sentence + "\n")


def _put(text: str) -> None:
    try:
        sys.stderr.write(text)
        sys.stderr.flush()
    except (OSError, ValueError):
        pass  # no terminal at all: nobody to tell
