"""Answers come in the order of their questions, whatever each of them takes."""

import threading
from collections.abc import Iterator

import pytest

from handlens.ahead import AHEAD, in_order


@pytest.mark.parametrize("jobs", [1, 2, 5])
def test_the_order_is_kept(jobs: int) -> None:
    assert list(in_order(lambda n: n * n, range(40), jobs)) == [n * n for n in range(40)]


def test_two_are_asked_about_at_once() -> None:
    both = threading.Barrier(2, timeout=20)  # one alone would wait here until the barrier breaks
    assert list(in_order(lambda n: both.wait() >= 0, range(2), 2)) == [True, True]


def test_not_more_is_read_than_two_for_each_job() -> None:
    read = []

    def items() -> Iterator[int]:
        for n in range(100):
            read.append(n)
            yield n

    answers = in_order(lambda n: n, items(), 3)
    assert next(answers) == 0
    assert len(read) <= AHEAD * 3
    answers.close()  # type: ignore[attr-defined]
    assert len(read) <= AHEAD * 3, "what nobody waits for is not read"


@pytest.mark.parametrize("jobs", [1, 3])
def test_what_came_before_an_error_is_answered(jobs: int) -> None:
    def items() -> Iterator[int]:
        yield from range(4)
        raise ValueError("the file breaks off")

    got: list[int] = []
    with pytest.raises(ValueError, match="breaks off"):
        got.extend(in_order(lambda n: n, items(), jobs))
    assert got == [0, 1, 2, 3]


@pytest.mark.parametrize("jobs", [1, 3])
def test_an_error_of_an_answer_is_raised_in_its_place(jobs: int) -> None:
    got: list[int] = []
    with pytest.raises(ZeroDivisionError):
        got.extend(in_order(lambda n: 1 // (2 - n), range(9), jobs))
    assert got == [0, 1]
