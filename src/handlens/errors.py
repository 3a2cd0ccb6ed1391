"""What can go wrong, said in one sentence; it must not know who raises or who prints.

HandlensError            1   our fault, or of no other kind
├── InputError           2   a file, folder or flag of the user: missing, unreadable, wrong
│   └── FrameError       2   one unreadable file in a batch; the rest is done
│       └── NotSilhouette 2  one photograph for a model of silhouettes; the rest is done
├── ModelError           2   not a model, not one of ours, or a card that contradicts itself
├── DeviceError          2   camera, stream or sound: absent, or it stopped
├── NotYet               2   a command, model or network that does not exist yet
└── OutputError          2   nowhere to write: disk full, no permission

The number is `exit_code`, the exit status of the command line.
"""

from collections.abc import Iterable


class HandlensError(Exception):
    """Any error of handlens; its text is one sentence: what was wrong, what is allowed, what to type."""

    exit_code: int = 1


class InputError(HandlensError):
    """A file, folder or flag of the user is missing, unreadable or wrong."""

    exit_code = 2


class FrameError(InputError):
    """One file of a batch cannot be read; the others are still done."""


class NotSilhouette(FrameError):
    """A photograph was given to a model that reads silhouettes only.

    Args:
        source: The picture.
        model: The name of the model.
    """

    def __init__(self, source: str, model: str) -> None:
        self.source, self.model = source, model
        super().__init__(
            no_silhouettes(f"'{source}' is not a silhouette" if source else "this is not a silhouette", model)
        )


def no_silhouettes(what: str, model: str) -> str:
    """Return the sentence that what was given is not a silhouette, and what to type."""
    return (
        f"{what}, and the model '{model}' reads only silhouettes (a hand in white on black, or black on white):"
        " for photographs of hands type --model signs, or --model combined, which finds the silhouettes by itself."
    )


class ModelError(HandlensError):
    """A file is not a model, has no card of ours, or its card and graph contradict each other."""

    exit_code = 2


class DeviceError(HandlensError):
    """A camera, a stream or the sound is absent or has stopped."""

    exit_code = 2


class NotYet(HandlensError):
    """A command, model or network that is planned but does not exist yet."""

    exit_code = 2


class OutputError(HandlensError):
    """An answer cannot be written: disk full, no permission, not a folder."""

    exit_code = 2


def unknown(what: str, name: str, known: Iterable[str]) -> str:
    """Return the sentence for a name that is not known, with the nearest known one and the whole list.

    `unknown("model", "tuch", ["touch"])` -> "unknown model 'tuch': did you mean 'touch'? Known: touch."
    """
    import difflib

    choices = sorted(set(known))
    if not choices:
        return f"unknown {what} '{name}': there is none."
    near = difflib.get_close_matches(name.lower(), choices, n=1, cutoff=0.5)
    guess = f" did you mean '{near[0]}'?" if near else ""
    return f"unknown {what} '{name}':{guess} {'Known' if guess else 'known'}: {', '.join(choices)}."
