"""Many recordings, in the order given, by one process or several: a composition root."""

from __future__ import annotations

import hashlib
from collections import Counter
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from device.replay.one_recording import replay_recording
from device.replay.piped_recording import kept_input, named_sources
from device.replay.result_writers import ResultWriter, RowWriter
from device.runtime.command_line import named_recordings
from device.runtime.model_loader import OpenModels, open_models
from device.runtime.worker_processes import ending_by_signal, in_workers, prepare_worker

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping, Sequence

    from device.replay.recording_result import RecordingResult, RecordingTask
    from device.replay.replay_options import ReplayOptions


def replay(options: ReplayOptions, paths: Sequence[str]) -> int:
    """Replay recordings and folders of them; returns the exit code: 0, or 2 if an input was bad.

    Every bad input is one line on stderr; the others are replayed.

    Raises:
        AuricleError: a model or an option makes any replay impossible.
        OSError: a result cannot be written.
    """
    sources, failures = named_recordings(paths)
    if not sources:
        return 2
    sources = named_sources(options, given := sources)
    several = len(sources) > 1 or any(Path(path).is_dir() for path in paths)
    writer = ResultWriter(options, sources, several=several)
    with (
        ending_by_signal(),
        open_models(options.settings, options.models, attends=options.report is not None) as models,
        kept_input(options, sources, given) as heard,
        writer,  # only now, so that a start that fails leaves older results as they are
        closing(_replay_all(heard, models, sources, writer)) as results,
    ):
        for result in results:
            writer.write(result)
            failures += result.error is not None
        writer.finish()
    return 2 if failures else 0


def stream_ids(sources: Sequence[str]) -> list[str]:
    """Prefixes of event ids: a hash of the path as given, with an ordinal if the path is given again."""
    seen: Counter[str] = Counter()
    ids = []
    for source in sources:
        name = hashlib.sha256(source.encode("utf-8", "surrogateescape")).hexdigest()[:12]
        seen[name] += 1
        ids.append(name if seen[name] == 1 else f"{name}.{seen[name]}")
    return ids


def _replay_all(
    options: ReplayOptions, models: OpenModels, sources: Sequence[str], writer: ResultWriter
) -> Generator[RecordingResult, None, None]:
    pairs = zip(sources, stream_ids(sources), strict=True)
    tasks = [writer.task(index, *pair) for index, pair in enumerate(pairs)]
    workers = min(_worker_count(options), len(tasks))
    if workers <= 1:
        for task in tasks:
            rows = writer.rows(task.source, models.priorities)
            yield replay_recording(options, models, task, rows.write)
        return
    models.close()
    given = options, models.tried, writer.table_names
    yield from in_workers(workers, _Worker.start, given, _Worker.work, tasks)


def _worker_count(options: ReplayOptions) -> int:
    return 1 if options.realtime else options.workers or options.settings.replay.workers


class _Worker:
    """State of a worker process: the options, and the models, opened once."""

    options: ReplayOptions
    tables: frozenset[str]
    models: OpenModels

    @classmethod
    def start(cls, options: ReplayOptions, tried: Mapping[Path, str], tables: frozenset[str]) -> None:
        """Open the models whose bytes the parent has tried."""
        prepare_worker()
        cls.options, cls.tables = options, tables
        attends = options.report is not None
        cls.models = open_models(options.settings, options.models, tried=tried, attends=attends)

    @classmethod
    def work(cls, task: RecordingTask) -> RecordingResult:
        """Replay one recording; its rows are collected, to be written in the order of the sources."""
        collected: dict[str, list[str]] = {table: [] for table in cls.tables}
        tables = {table: rows.append for table, rows in collected.items()}
        rows = RowWriter(task.source, cls.models.priorities, tables)
        result = replay_recording(cls.options, cls.models, task, rows.write)
        return replace(result, rows={table: "".join(texts) for table, texts in collected.items()})
