"""The segments of a study on a Ray cluster that is there already; needs ray, which is in the extra `cluster`.

Ray moves the work of a node that was lost to another one. A segment comes back once or not at all, and only the driver
writes the database, so nothing is lost and nothing is stored twice.
"""

import os
import socket
from collections.abc import Iterator
from typing import Any

from handlens.errors import DeviceError, HandlensError, InputError
from handlens.study import segments
from handlens.study.run import Executor
from handlens.study.segments import Done, Task

_RETRIES = 20  # a segment whose node or process was lost is started over so often
_ANSWERS_S = 5.0
_AHEAD = 2  # segments in flight for each core, so that none waits


def on_ray(address: str) -> Executor:
    """Return what codes segments on the cluster at an address, or on the one that runs here ("auto").

    The videos and the model must lie at the same paths on all nodes, and the same handlens must be installed there.

    Raises:
        InputError: ray is not installed.
    """
    ray = _ray()

    def work(tasks: Iterator[Task]) -> Iterator[Done]:
        mine = _connect(ray, address)
        try:
            yield from _coded(ray, tasks)
        finally:
            if mine:
                ray.shutdown()

    return work


def _ray() -> Any:
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"  # nothing is sent anywhere
    try:
        import ray
    except ImportError as error:
        raise InputError("--ray needs ray, which is not installed: type pip install 'handlens[cluster]'.") from error
    return ray


def _connect(ray: Any, address: str) -> bool:
    """Join the cluster, and return whether we did it."""
    if ray.is_initialized():
        return False
    _check_answers(address)
    try:
        ray.init(address=address, log_to_driver=False, logging_level="ERROR")
    except (ConnectionError, ValueError, RuntimeError, TimeoutError, SystemExit) as error:  # ray may even exit
        raise DeviceError(_none(address)) from error
    return True


def _check_answers(address: str) -> None:
    """Return when something answers at host:port; ray itself would wait for minutes.

    Raises:
        DeviceError: nothing does.
    """
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if not colon or not port.isdigit():
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_ANSWERS_S).close()
    except (OSError, OverflowError) as error:
        raise DeviceError(_none(address)) from error


def _none(address: str) -> str:
    return f"no Ray cluster answers at '{address}': start one with ray start --head, or use --jobs in place of --ray."


def _coded(ray: Any, tasks: Iterator[Task]) -> Iterator[Done]:
    code = ray.remote(num_cpus=1, max_retries=_RETRIES)(segments.code)
    limit = max(1, int(ray.cluster_resources().get("CPU", 1))) * _AHEAD
    waiting: list[Any] = []
    done = False
    while not done or waiting:
        while not done and len(waiting) < limit:
            task = next(tasks, None)
            if task is None:
                done = True
            else:
                waiting.append(code.remote(task))
        if not waiting:
            return
        ready, waiting = ray.wait(waiting, num_returns=1)
        for one in ready:
            yield _got(ray, one)


def _got(ray: Any, one: Any) -> Done:
    """Return what a node sent back, or raise what went wrong there in our words."""
    try:
        got: Done = ray.get(one)
    except ray.exceptions.RayTaskError as error:
        cause = error.cause if isinstance(getattr(error, "cause", None), Exception) else error
        if isinstance(cause, HandlensError):
            raise cause from None
        raise HandlensError(f"a node of the cluster failed: {str(cause).strip().splitlines()[-1][:200]}.") from error
    except ray.exceptions.RayError as error:
        raise DeviceError(
            f"nodes of the cluster were lost {_RETRIES} times in one segment ({type(error).__name__}): what was coded"
            " is kept; type the same command again."
        ) from error
    return got
