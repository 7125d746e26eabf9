"""Worker processes that outlive no parent and whose death is noticed at once.

Each worker has a pipe of its own, so it is known which items a worker held when it died (out of memory, a crash in a
library). Its items are given out again one by one; an item that kills a second worker ends the run with one sentence.
"""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import threading
from collections import deque
from contextlib import contextmanager
from multiprocessing.connection import wait
from multiprocessing.reduction import ForkingPickler
from typing import TYPE_CHECKING, Any, Self

from device.errors import ServiceError
from training.scaling.chunk_outcomes import portable, run_chunk
from training.scaling.one_thread import one_thread_environment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from multiprocessing.connection import Connection

    from training.scaling.chunk_outcomes import Chunk, Outcomes

_END_WITHIN_S = 2.0


class WorkerPool:
    """Processes that wait for items; a context manager that leaves none behind.

    Args:
        function: what the workers apply.
        count: of workers.

    Raises:
        PicklingError: the function cannot be sent to a process.
    """

    def __init__(self, function: Callable[[Any], Any], count: int) -> None:
        self._function = bytes(ForkingPickler.dumps(function))
        self._count = count
        self._workers: list[_Worker] = []

    def __repr__(self) -> str:
        return f"WorkerPool({len(self._workers)} of {self._count} processes)"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def run(self, chunks: Iterable[Chunk], outcomes: Outcomes[Any, Any]) -> None:
        """Compute chunks until the outcomes want no more.

        Raises:
            ServiceError: an item killed two workers, or a worker could not start.
        """
        waiting = deque(chunks)
        while len(self._workers) < self._count:
            self._workers.append(_Worker(self._function))
        while busy := self._hand_out(waiting, outcomes):
            for ready in wait([worker.connection for worker in busy]):
                worker = next(one for one in busy if one.connection is ready)
                waiting.extendleft(reversed(self._collect(worker, outcomes)))

    def close(self) -> None:
        """End all workers, whatever they compute."""
        workers, self._workers = self._workers, []
        for worker in workers:
            worker.terminate()
        for worker in workers:
            worker.join()

    def _hand_out(self, waiting: deque[Chunk], outcomes: Outcomes[Any, Any]) -> list[_Worker]:
        """Give each idle worker a chunk; the workers that have one that is still wanted."""
        for worker in self._workers:
            if worker.chunk is None and waiting and outcomes.wants(waiting[0]):
                worker.begin(waiting[0], outcomes.items_of(waiting.popleft()))
        return [worker for worker in self._workers if worker.chunk is not None and outcomes.wants(worker.chunk)]

    def _collect(self, worker: _Worker, outcomes: Outcomes[Any, Any]) -> list[Chunk]:
        """Take what a worker sent; if it died, put another in its place, and return what is to be done again."""
        chunk = worker.chunk
        if chunk is None:
            raise AssertionError("a worker without a chunk is not waited for")
        try:
            results, error = worker.receive()
        except (EOFError, OSError):
            self._replace(worker, chunk)
            return chunk.singly()
        outcomes.add(chunk, results, error)
        return []

    def _replace(self, worker: _Worker, chunk: Chunk) -> None:
        ended = worker.how_it_ended()
        if not worker.has_started:
            raise ServiceError(f"a worker process could not start ({ended}); try --workers 1, which needs none")
        if chunk.deaths:
            raise ServiceError(
                f"item {chunk.start + 1} ended two worker processes ({ended}), perhaps for want of memory; "
                "try fewer --workers, or leave it out"
            )
        self._workers[self._workers.index(worker)] = _Worker(self._function)


class _Worker:
    """One process and the pipe to it; `chunk` is what it computes."""

    def __init__(self, function: bytes) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, remote = context.Pipe()
        self.chunk: Chunk | None = None
        self.has_started = False
        self._process = context.Process(target=_serve, args=(remote,), daemon=True)
        with one_thread_environment(), _interrupts_held_back():
            self._process.start()
        remote.close()
        self._send(function)

    def begin(self, chunk: Chunk, items: Any) -> None:
        self.chunk = chunk
        self._send(bytes(ForkingPickler.dumps(items)))

    def receive(self) -> tuple[list[Any], Exception | None]:
        """Results and error of the chunk, after which the worker is idle.

        Raises:
            EOFError, OSError: it is dead.
        """
        if not self.has_started:
            self.connection.recv_bytes()  # its first word: it has started
            self.has_started = True
        results, error = self.connection.recv()
        self.chunk = None
        return results, error

    def how_it_ended(self) -> str:
        self._process.join(_END_WITHIN_S)
        self.terminate()  # where it only closed its pipe
        self.join()
        code = self._process.exitcode
        return f"signal {-code}" if code is not None and code < 0 else f"exit code {code}"

    def terminate(self) -> None:
        if self._process.exitcode is None:
            self._process.terminate()

    def join(self) -> None:
        self._process.join(_END_WITHIN_S)
        if self._process.exitcode is None:
            self._process.kill()
            self._process.join()
        self.connection.close()

    def _send(self, content: bytes) -> None:
        try:
            self.connection.send_bytes(content)
        except OSError:
            return  # it is dead, which the next receive notices


@contextmanager
def _interrupts_held_back() -> Iterator[None]:
    """Processes started meanwhile never see SIGINT: Ctrl-C reaches the whole group, but the parent ends its workers."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _serve(connection: Connection) -> None:
    """What a worker process does: compute chunks until its parent closes the pipe or is gone."""
    threading.Thread(target=_end_with_parent, name="parent watch", daemon=True).start()
    connection.send_bytes(b"started")
    try:
        function = connection.recv_bytes()
        while True:
            items = connection.recv_bytes()
            connection.send_bytes(_answer(function, items))
    except (EOFError, OSError):
        return


def _answer(function: bytes, items: bytes) -> bytes:
    try:
        results, error = run_chunk(_loaded(function), pickle.loads(items))  # noqa: S301 - from the parent
        return bytes(ForkingPickler.dumps((results, error)))
    except Exception as error:  # noqa: BLE001 - whatever pickling raises, for its first item
        return bytes(ForkingPickler.dumps(([], portable(error))))


_FUNCTIONS: dict[bytes, Callable[[Any], Any]] = {}


def _loaded(function: bytes) -> Callable[[Any], Any]:
    if function not in _FUNCTIONS:
        _FUNCTIONS[function] = pickle.loads(function)  # noqa: S301 - from the parent
    return _FUNCTIONS[function]


def _end_with_parent() -> None:
    """Leave no orphan: if the parent is gone, however it ended, so is this process."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)
