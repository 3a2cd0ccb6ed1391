"""The tasks: a few lines of data each, and one file where a task composes; they must not know files or screens."""

from dataclasses import dataclass

from handlens.errors import InputError, NotYet, unknown


@dataclass(frozen=True)
class Task:
    """What is asked of a picture. kinds: the kinds of model that answer it; built: whether it exists yet."""

    name: str
    question: str
    kinds: tuple[str, ...]
    built: bool = False


TASKS = {
    task.name: task
    for task in (
        Task("touch", "where does a hand touch a face?", ("contact", "detect"), built=True),
        Task("hold", "does the hand hold an object or nothing?", ("classify",), built=True),
        Task("segment", "which pixels are hand, which are face?", ("segment",), built=True),
        Task("gesture", "which sign or number, turned by which angle?", ("classify",), built=True),
        Task("combined", "where is the hand, and which sign does it make?", ("combined",), built=True),
    )
}


def find(name: str) -> Task:
    """Return the task of that name, in any case.

    Raises:
        InputError: no such task.
        NotYet: it is planned but does not exist yet.
    """
    task = TASKS.get(name.lower())
    if task is None:
        raise InputError(unknown("task", name, TASKS))
    if not task.built:
        raise NotYet(f"the task '{task.name}' ({task.question}) does not exist yet.")
    return task
