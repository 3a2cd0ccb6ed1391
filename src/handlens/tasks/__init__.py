"""The tasks: a few lines of data each, and one file where a task composes; they must not know files or screens."""

from dataclasses import dataclass

from handlens.errors import InputError, NotYet, unknown


@dataclass(frozen=True)
class Task:
    """What is asked of a picture, and what about its answers is not told by their type.

    Attributes:
        kinds: The kinds of model that answer it.
        built: Whether it exists yet.
        touches: Its events are touches of a face, which name regions and call for a warning.
        hands: It judges hands one by one.
        angle: It tells how they are turned.
        fingers: It judges what the fingers show, which reach beyond the box of a hand.
    """

    name: str
    question: str
    kinds: tuple[str, ...]
    built: bool = False
    touches: bool = False
    hands: bool = False
    angle: bool = False
    fingers: bool = False


TASKS = {
    task.name: task
    for task in (
        Task("touch", "where does a hand touch a face?", ("contact", "detect"), built=True, touches=True),
        Task("hold", "does the hand hold an object or nothing?", ("classify",), built=True, hands=True),
        Task("hands", "where are the 21 points of each hand?", ("landmarks",), built=True, hands=True, angle=True),
        Task("segment", "which pixels are hand, which are face?", ("segment",), built=True),
        Task(
            "gesture",
            "which sign or number, turned by which angle?",
            ("classify",),
            built=True,
            hands=True,
            angle=True,
            fingers=True,
        ),
        Task(
            "combined",
            "where is the hand, and which sign does it make?",
            ("combined",),
            built=True,
            hands=True,
            angle=True,
        ),
    )
}


def task_of(name: str) -> Task:
    """Return the task that a card or a result names; one that handlens does not know has nothing special about it."""
    return TASKS.get(name) or Task(name, "", ())


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
