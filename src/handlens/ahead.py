"""Several things asked about at once, answered in their order; it knows neither frames nor models."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

AHEAD = 2  # items of each thread that wait or are worked on: enough that none idles, few enough to lie in memory
Item = TypeVar("Item")
Answer = TypeVar("Answer")


def in_order(ask: Callable[[Item], Answer], items: Iterable[Item], jobs: int = 1) -> Iterator[Answer]:
    """Yield `ask(item)` of each item, in their order, while `jobs` threads ask about the next ones.

    Threads serve here, as models and the decoding of pictures leave Python's lock. With one job nothing is read ahead.

    Raises:
        Exception: what `ask` or `items` raised, after the answers of the items before.
    """
    if jobs == 1:
        yield from map(ask, items)
        return
    waiting: deque[Future[Answer]] = deque()
    pool = ThreadPoolExecutor(jobs, thread_name_prefix="ask")
    try:
        failed = None
        coming = iter(items)
        while failed is None:
            try:
                waiting.append(pool.submit(ask, next(coming)))
            except StopIteration:
                break
            except Exception as error:  # raised when the answers of what came before are given
                failed = error
            if len(waiting) >= AHEAD * jobs:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
        if failed is not None:
            raise failed
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
