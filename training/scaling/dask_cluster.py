"""The same work on a Dask cluster, for corpora that outgrow one machine.

The workers need this version of Auricle with the extra `cluster`, and must see recordings, models and cache under
the same paths. A worker that dies loses nothing: the scheduler gives its chunks to others.
"""

from __future__ import annotations

import contextlib
import importlib
import queue
import threading
from typing import TYPE_CHECKING, Any

from device.errors import ConfigError, MissingExtraError, ServiceError
from training.scaling.chunk_outcomes import Chunk, Outcomes, run_chunk, split_into_chunks
from training.scaling.code_version import code_version

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from training.scaling.chunk_outcomes import ReportDone

ANSWER_WITHIN_S = 10.0
WORKER_WITHIN_S = 60.0
_LOOK_EVERY_S = 2.0

_one_chunk_at_a_time = threading.Lock()


def run_on_cluster(function: Callable[[Any], Any], items: Sequence[Any], address: str, report: ReportDone) -> list[Any]:
    """The function's result for each item, in their order, by the workers of the scheduler at `address`.

    Raises:
        ConfigError: no scheduler answers there.
        MissingExtraError: Dask is not installed.
        ServiceError: there is no worker, one has another version of the code, or an item killed several of them.
    """
    outcomes: Outcomes[Any, Any] = Outcomes(items, report)
    if not items:
        return outcomes.results()
    with _client(address) as client:
        _check_workers(client, address)
        chunks = split_into_chunks(len(items), max(1, _worker_count(client)))
        _compute(client, function, chunks, outcomes, address)
    return outcomes.results()


def compute_chunk(function: Callable[[Any], Any], items: Sequence[Any]) -> tuple[list[Any], Exception | None]:
    """What a worker of the cluster calls; one at a time in each process, whatever its number of threads."""
    with _one_chunk_at_a_time:
        return run_chunk(function, items)


@contextlib.contextmanager
def _client(address: str) -> Iterator[Any]:
    try:
        distributed: Any = importlib.import_module("distributed")
    except ImportError as error:
        raise MissingExtraError("--scheduler needs Dask: install auricle[cluster].") from error
    try:
        client = distributed.Client(address, timeout=ANSWER_WITHIN_S, set_as_default=False)
    except (OSError, ValueError, RuntimeError) as error:
        raise ConfigError(
            f"no Dask scheduler answers at {address} within {ANSWER_WITHIN_S:g} s; "
            "start one with dask scheduler and give the address that it prints"
        ) from error
    with client:
        yield client


def _worker_count(client: Any) -> int:
    return len(client.scheduler_info(n_workers=-1)["workers"])


def _check_workers(client: Any, address: str) -> None:
    """That there is a worker, and that all have this version of the code."""
    try:
        client.wait_for_workers(1, timeout=WORKER_WITHIN_S)
    except TimeoutError as error:
        raise ServiceError(
            f"the scheduler at {address} has no workers; start some with dask worker {address} --nthreads 1"
        ) from error
    try:
        versions = client.run(code_version)
    except Exception as error:
        raise ServiceError(
            f"a worker of {address} does not know this code ({error}); install this version of auricle[cluster] on each"
        ) from error
    others = sorted(worker for worker, found in versions.items() if found != code_version())
    if others:
        raise ServiceError(f"{others[0]} has another version of the code; install this version of auricle on each")


def _compute(
    client: Any, function: Callable[[Any], Any], chunks: Sequence[Chunk], outcomes: Outcomes[Any, Any], address: str
) -> None:
    """Hand all chunks to the scheduler and take them as they are done, until no more are wanted."""
    done: queue.SimpleQueue[Any] = queue.SimpleQueue()
    pending: dict[Any, Chunk] = {}
    for chunk in chunks:
        future = client.submit(compute_chunk, function, outcomes.items_of(chunk), pure=False)
        pending[future] = chunk
        future.add_done_callback(done.put)
    idle_s = 0.0
    while any(map(outcomes.wants, pending.values())):
        try:
            future = done.get(timeout=_LOOK_EVERY_S)
            results, error = _outcome(future, address)
        except queue.Empty:
            idle_s = _idle_s(client, idle_s, address)
        except TimeoutError:  # its worker died before the results were fetched: they are computed again
            done.put(future)
            idle_s = _idle_s(client, idle_s, address)
        else:
            outcomes.add(pending.pop(future), results, error)


def _outcome(future: Any, address: str) -> tuple[list[Any], Exception | None]:
    """What a worker gave for a chunk.

    Raises:
        ServiceError: no worker could give it.
        TimeoutError: no worker has it now.
    """
    try:
        results, error = future.result(timeout=_LOOK_EVERY_S)
    except TimeoutError:
        raise
    except BaseException as failure:  # whatever a worker raises, and Dask's own for lost workers and schedulers
        if isinstance(failure, KeyboardInterrupt | SystemExit):
            raise
        raise ServiceError(
            f"the cluster at {address} could not compute some items ({type(failure).__name__}); its logs say more"
        ) from failure
    return results, error


def _idle_s(client: Any, before_s: float, address: str) -> float:
    """For how long the cluster has had no worker.

    Raises:
        ServiceError: for too long, or the scheduler is gone.
    """
    try:
        workers = _worker_count(client)
    except (OSError, RuntimeError) as error:
        raise ServiceError(f"the scheduler at {address} is gone ({error})") from error
    if workers:
        return 0.0
    if before_s >= WORKER_WITHIN_S:
        raise ServiceError(f"the cluster at {address} has lost all its workers; start some and try again")
    return before_s + _LOOK_EVERY_S
