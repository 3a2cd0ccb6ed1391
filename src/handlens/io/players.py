"""What can speak or beep on this machine, as command lines; it must not start any of them."""

import math
import os
import shutil
import struct
import sys
import wave
from pathlib import Path
from typing import BinaryIO

_RATE = 22050  # samples a second
_TONES = ((880.0, 0.16), (0.0, 0.05), (660.0, 0.22))  # (Hz, seconds): two falling notes, short and not shrill


def find_players(text: str, wav: Path) -> list[list[str]]:
    """Return the command lines that can say `text` or play the file `wav` here, voices first; empty if there are none.

    Only what is installed is returned: `say`, `espeak-ng`, `espeak` or `spd-say` to speak; `aplay`, `paplay`,
    `pw-play`, `afplay` or `ffplay` to beep; on Windows PowerShell for both.
    """
    known = [
        ["say", text],
        ["espeak-ng", text],
        ["espeak", text],
        ["spd-say", "--wait", text],
        ["aplay", "-q", str(wav)],
        ["paplay", str(wav)],
        ["pw-play", str(wav)],
        ["afplay", str(wav)],
        ["ffplay", "-nodisp", "-autoexit", "-loglevel", "quiet", str(wav)],
    ]
    if sys.platform == "win32":
        known = [_powershell(_speech(text)), _powershell(f"(New-Object Media.SoundPlayer {_quoted(wav)}).PlaySync()")]
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


def write_beep(file: BinaryIO) -> None:
    """Write the beep as a WAV: mono, 16 bit, under half a second."""
    samples: list[int] = []
    for pitch, seconds in _TONES:
        count = round(seconds * _RATE)
        for i in range(count):
            swell = min(1.0, i / 200, (count - i) / 200)  # no clicks at the ends
            samples.append(round(14000 * swell * math.sin(2 * math.pi * pitch * i / _RATE)))
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(_RATE)
        sound.writeframes(struct.pack(f"<{len(samples)}h", *samples))


def _powershell(script: str) -> list[str]:
    return ["powershell", "-NoProfile", "-NonInteractive", "-Command", script]


def _speech(text: str) -> str:
    voice = "(New-Object System.Speech.Synthesis.SpeechSynthesizer)"
    return f"Add-Type -AssemblyName System.Speech; {voice}.Speak({_quoted(text)})"


def _quoted(text: str | Path) -> str:
    return "'" + str(text).replace("'", "''") + "'"
