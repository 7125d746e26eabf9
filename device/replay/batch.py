"""Many recordings, in the order given, by one process or several: a composition root."""

from __future__ import annotations

import hashlib
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING

from device.errors import RecordingError
from device.replay.one_recording import replay_one
from device.replay.result_writers import Results, Rows, say
from device.runtime.model_loader import OpenModels, open_models
from device.sources.recording_paths import find_recordings

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from device.replay.recording_result import RecordingResult, RecordingTask
    from device.replay.replay_options import ReplayOptions


def replay(options: ReplayOptions, paths: Sequence[str]) -> int:
    """Replay recordings and folders of them; the exit code: 0, or 2 where an input was bad.

    Every bad input is one line on stderr; the others are heard.

    Raises:
        AuricleError: a model or an option makes any replay impossible.
        OSError: a result cannot be written.
    """
    sources, failures = _find(paths)
    if not sources:
        return 2
    several = len(sources) > 1 or any(Path(path).is_dir() for path in paths)
    with Results(options, sources, several=several) as results:
        for done in _replay_all(options, sources, results):
            results.take(done)
            failures += done.error is not None
        results.finish()
    return 2 if failures else 0


def stream_ids(sources: Sequence[str]) -> list[str]:
    """What event ids begin with: a hash of the path as given, and its ordinal where it is given again."""
    seen: Counter[str] = Counter()
    ids = []
    for source in sources:
        name = hashlib.sha256(source.encode("utf-8", "surrogateescape")).hexdigest()[:12]
        seen[name] += 1
        ids.append(name if seen[name] == 1 else f"{name}.{seen[name]}")
    return ids


def _find(paths: Sequence[str]) -> tuple[list[str], int]:
    """The recordings meant, and how many paths were bad, each said on stderr."""
    sources: list[str] = []
    failures = 0
    for path in paths:
        try:
            sources += find_recordings([path])
        except RecordingError as error:
            failures += 1
            say(str(error))
    return sources, failures


def _replay_all(options: ReplayOptions, sources: Sequence[str], results: Results) -> Iterator[RecordingResult]:
    pairs = zip(sources, stream_ids(sources), strict=True)
    tasks = [results.task(index, *pair) for index, pair in enumerate(pairs)]
    workers = min(_wanted_workers(options), len(tasks))
    with open_models(options.settings, options.models) as models:
        if workers <= 1:
            for task in tasks:
                rows = results.rows(task.source, models.priorities)
                yield replay_one(options, models, task, rows.tell)
            return
    with ProcessPoolExecutor(workers, get_context("spawn"), _Worker.start, (options, results.wanted)) as pool:
        yield from pool.map(_Worker.work, tasks)


def _wanted_workers(options: ReplayOptions) -> int:
    return 1 if options.realtime else options.workers or options.settings.replay.workers


class _Worker:
    """A process that replays: the options, and its models, opened once."""

    options: ReplayOptions
    wanted: frozenset[str]
    models: OpenModels

    @classmethod
    def start(cls, options: ReplayOptions, wanted: frozenset[str]) -> None:
        cls.options, cls.wanted = options, wanted
        cls.models = open_models(options.settings, options.models)

    @classmethod
    def work(cls, task: RecordingTask) -> RecordingResult:
        """Replay one recording; its rows are kept until its turn has come."""
        kept: dict[str, list[str]] = {table: [] for table in cls.wanted}
        tables = {table: rows.append for table, rows in kept.items()}
        rows = Rows(task.source, cls.models.priorities, tables)
        done = replay_one(cls.options, cls.models, task, rows.tell)
        return replace(done, rows={table: "".join(texts) for table, texts in kept.items()})
