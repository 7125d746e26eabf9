"""Applies a function to many items: here, in worker processes, or on a Dask cluster; the results are the same.

What an item needs must come from the item alone: the function may keep what it opened (a network, a decoder), but no
result may depend on which items were computed before it, or where.
"""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from device.errors import ConfigError
from training.scaling.chunk_outcomes import Outcomes, split_into_chunks
from training.scaling.one_thread import one_thread

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from training.scaling.chunk_outcomes import ReportDone

Item = TypeVar("Item")
Result = TypeVar("Result")


def run_all(
    function: Callable[[Item], Result],
    items: Iterable[Item],
    *,
    workers: int = 1,
    scheduler: str | None = None,
    progress: str = "",
) -> list[Result]:
    """The function's result for each item, in the order of the items.

    Numeric libraries compute with one thread in every process, so neither the number of workers nor the machine's
    cores change a result. If the function raises, the error of the first such item is raised, whichever was met first.

    Args:
        function: of a module's top level or a `functools.partial` of one; it and the items must be picklable if
            several workers or a cluster compute.
        items: each computed once; again where a worker died over it.
        workers: processes; with 1 the items are computed here.
        scheduler: address of a Dask scheduler, such as "tcp://10.0.0.2:8786", whose workers compute instead.
        progress: what a bar on a terminal calls the items; empty for no bar.

    Raises:
        ConfigError: `workers` is below 1, or no scheduler answers at the address.
        ServiceError: a worker died twice over one item, or the cluster lost all its workers.
    """
    if workers < 1:
        raise ConfigError(f"{workers} workers cannot compute anything; give 1 or more")
    given = list(items)
    with _progress_bar(progress, len(given)) as report:
        if scheduler is not None:
            from training.scaling.dask_cluster import run_on_cluster

            return run_on_cluster(function, given, scheduler, report)
        if workers == 1 or len(given) < 2:
            return _run_here(function, given, report)
        from training.scaling.worker_pool import WorkerPool

        outcomes: Outcomes[Item, Result] = Outcomes(given, report)
        with WorkerPool(function, min(workers, len(given))) as pool:
            pool.run(split_into_chunks(len(given), workers), outcomes)
        return outcomes.results()


def usable_cores() -> int:
    """How many cores this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on this system
        return os.cpu_count() or 1


def _run_here(function: Callable[[Item], Result], items: Sequence[Item], report: ReportDone) -> list[Result]:
    results = []
    with one_thread():
        for item in items:
            results.append(function(item))
            report(1)
    return results


@contextmanager
def _progress_bar(name: str, total: int) -> Iterator[ReportDone]:
    """What is called with each number of items that are done; draws only on a terminal."""
    if not name or not sys.stderr.isatty():
        yield lambda _count: None
        return
    from tqdm import tqdm

    with tqdm(total=total, desc=name, file=sys.stderr, dynamic_ncols=True) as bar:
        yield bar.update
