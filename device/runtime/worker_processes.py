"""Work that is shared among processes ends as a whole: on SIGTERM or SIGHUP, with its parent, and with all its workers.

Python's own reaction to SIGTERM runs no `finally`. Here the signal is an exception, so that files are cleaned up; a
worker ends when the process that started it does, however that ended. An exception that is raised while libsndfile
calls back for bytes is dropped by its binding, and the recording then seems to end there: such a signal waits until
the call is over.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import active_children, get_context, parent_process
from multiprocessing.connection import wait
from typing import TYPE_CHECKING, Any, Generic, NoReturn, TypeVar

from device.errors import ServiceError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator
    from types import FrameType

_SIGNALS = (signal.SIGTERM, signal.SIGHUP)
_CLEANING_S = 2.0
_CALLBACKS = "vio_"  # what soundfile's functions begin with that libsndfile calls
_AGAIN_S = 0.005

Task = TypeVar("Task")
Result = TypeVar("Result")


@contextlib.contextmanager
def ending_by_signal() -> Iterator[None]:
    """Turn SIGTERM and SIGHUP into SystemExit, with the exit code that a shell shows, while the block runs.

    SIGINT stays a KeyboardInterrupt. SIGALRM is used.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    ending = {number: _deferring(_exit) for number in _SIGNALS} | {signal.SIGINT: _deferring(_interrupt)}
    before = {number: signal.signal(number, handler) for number, handler in ending.items()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def in_workers(
    workers: int,
    start: Callable[..., None],
    given: tuple[Any, ...],
    work: Callable[[Task], Result],
    tasks: Iterable[Task],
) -> Generator[Result, None, None]:
    """Yield the results of `work(task)` in the order of the tasks, from worker processes.

    Args:
        workers: how many processes.
        start: called once in each worker, before its first task; it begins with `prepare_worker`.
        given: arguments of `start`.
        work: called in a worker; it may end its process by SystemExit.
        tasks: one for each result.

    Raises:
        ServiceError: a worker ended by itself.
    """
    with ProcessPoolExecutor(workers, get_context("spawn"), start, given) as pool:
        try:
            yield from pool.map(_Worker(work), tasks)
        except BrokenProcessPool as error:
            raise ServiceError(
                "a worker process ended, perhaps for want of memory; try again with fewer --workers"
            ) from error
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            _end_workers()
            raise


class _Worker(Generic[Task, Result]):
    """Does one task in a worker process."""

    def __init__(self, work: Callable[[Task], Result]) -> None:
        self._work = work

    def __call__(self, task: Task) -> Result:
        try:
            return self._work(task)
        except SystemExit as ended:  # the executor would take it for a result, and go on
            os._exit(int(ended.code or 1))


def _end_workers() -> None:
    """End all processes that this one started, first with time to clean up."""
    children = active_children()
    for child in children:
        child.terminate()
    for child in children:
        child.join(_CLEANING_S)
        child.kill()
        child.join()


def prepare_worker() -> None:
    """In a worker: end on SIGTERM, ignore Ctrl-C, which its parent answers, and end with the parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for number in _SIGNALS:
        signal.signal(number, _deferring(_exit))
    threading.Thread(target=_end_with_parent, name="parent", daemon=True).start()


def _deferring(end: Callable[[int], NoReturn]) -> Callable[[int, FrameType | None], None]:
    """A signal's handler that calls `end`, but not before libsndfile's call for bytes is over."""

    def handle(number: int, frame: FrameType | None) -> None:
        if not _is_in_callback(frame):
            end(number)
        signal.signal(signal.SIGALRM, lambda _, later: handle(number, later))
        signal.setitimer(signal.ITIMER_REAL, _AGAIN_S)

    return handle


def _is_in_callback(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_code.co_name.startswith(_CALLBACKS):
            return True
        frame = frame.f_back
    return False


def _exit(number: int) -> NoReturn:
    raise SystemExit(128 + number)


def _interrupt(_number: int) -> NoReturn:
    raise KeyboardInterrupt


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os.kill(os.getpid(), signal.SIGTERM)
        threading.Event().wait(_CLEANING_S)
        os._exit(1)
