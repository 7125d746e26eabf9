"""Items in chunks, and what became of them: order is kept, and which error is raised does not depend on chance."""

from __future__ import annotations

import pickle
import traceback
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from device.errors import one_sentence
from training.scaling.one_thread import one_thread

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    ReportDone = Callable[[int], object]

Item = TypeVar("Item")
Result = TypeVar("Result")

_LARGEST_CHUNK = 16
_CHUNKS_PER_WORKER = 8


@dataclass(frozen=True, slots=True)
class Chunk:
    """Items that one worker computes in one go: those from `start` to before `end`; `deaths` over them so far."""

    start: int
    end: int
    deaths: int = 0

    def singly(self) -> list[Chunk]:
        """Each item by itself, after a worker died over one of them; blamed only if it was alone."""
        deaths = self.deaths + 1 if self.end - self.start == 1 else 0
        return [Chunk(index, index + 1, deaths) for index in range(self.start, self.end)]


def split_into_chunks(count: int, workers: int) -> list[Chunk]:
    """All items in their order, in chunks small enough that workers end at about the same time."""
    size = max(1, min(_LARGEST_CHUNK, count // (workers * _CHUNKS_PER_WORKER)))
    return [Chunk(start, min(start + size, count)) for start in range(0, count, size)]


def run_chunk(function: Callable[[Item], Result], items: Sequence[Item]) -> tuple[list[Result], Exception | None]:
    """Results up to the first item that fails, and its error; what a worker calls."""
    results: list[Result] = []
    with one_thread():
        for item in items:
            try:
                results.append(function(item))
            except Exception as error:  # noqa: BLE001 - raised again where the work was asked for
                return results, portable(error)
    return results, None


def portable(error: Exception) -> Exception:
    """The error, or one that says the same if it cannot be pickled; a note holds the worker's traceback."""
    note = "in a worker:\n" + "".join(traceback.format_exception(error))
    try:
        carried: Exception = pickle.loads(pickle.dumps(error))  # noqa: S301 - of our own making
    except Exception:  # noqa: BLE001 - whatever pickling raises
        carried = RuntimeError(one_sentence(error))
    carried.add_note(note)
    return carried


class Outcomes(Generic[Item, Result]):
    """Results by their place, and the first error by place, not by time.

    Args:
        items: all of them.
        report: called with each number of items that became done.
    """

    def __init__(self, items: Sequence[Item], report: ReportDone) -> None:
        self._items = items
        self._report = report
        self._results: dict[int, Result] = {}
        self._failed_at = len(items)
        self._error: Exception | None = None

    def items_of(self, chunk: Chunk) -> Sequence[Item]:
        """What a worker is given."""
        return self._items[chunk.start : chunk.end]

    def wants(self, chunk: Chunk) -> bool:
        """Whether the chunk can still change what is returned or raised."""
        return chunk.start < self._failed_at

    def add(self, chunk: Chunk, results: Sequence[Result], error: Exception | None) -> None:
        """Keep what a worker gave for a chunk."""
        self._results.update(enumerate(results, start=chunk.start))
        failed_at = chunk.start + len(results)
        if error is not None and failed_at < self._failed_at:
            self._failed_at, self._error = failed_at, error
        self._report(len(results))

    def results(self) -> list[Result]:
        """All results in order; raises the error of the first item that failed."""
        if self._error is not None:
            raise self._error
        return [self._results[index] for index in range(len(self._items))]
