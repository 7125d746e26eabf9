"""Writes the results of a replay: tables, label tracks, the index of pages, and lines for people."""

from __future__ import annotations

import sys
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Self

from device.errors import ConfigError
from device.fault_info import FAULTS
from device.printable import printable
from device.quantity import quantity
from device.replay.piped_recording import DESCRIPTOR_PATH
from device.replay.recording_result import RecordingTask
from device.report.output_trial import try_outputs
from device.report.page import write_index
from device.report.result_files import STDOUT, encode, is_stdout, made_folders, write_whole
from device.report.tables import EventLines, ScoreTable, event_line, label_track, page_names, score_rows
from device.runtime.model_loader import bundle_files
from device.runtime.stderr_lines import print_notice
from device.sources.conversion import STANDARD_INPUT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from device.messages import Event, Heard, Priority
    from device.replay.recording_result import RecordingResult
    from device.replay.replay_options import ReplayOptions
    from device.report.page import PageSummary

_FAULTS_IN_A_LINE = 4
_INDEX = "index.html"


class RowWriter:
    """Writes the rows of one recording to the requested tables.

    Args:
        source: path as given.
        priorities: (model, label) -> priority.
        tables: a function that writes the rows of each table (events, scores, people); a missing table is not written.
    """

    def __init__(
        self,
        source: str,
        priorities: Mapping[tuple[str, str], Priority],
        tables: Mapping[str, Callable[[str], object]],
    ) -> None:
        self._source = source
        self._priorities = priorities
        self._tables = tables

    def write(self, heard: Heard) -> None:
        """Write the rows of what one block gave."""
        if "scores" in self._tables:
            for scores in heard.scores:
                self._tables["scores"](score_rows(self._source, scores))
        for event in heard.events:
            priority = self._priorities[event.model, event.label]
            if "events" in self._tables:
                self._tables["events"](event_line(self._source, event, priority))
            if "people" in self._tables:
                self._tables["people"](_for_people(self._source, event, priority))


class ResultWriter:
    """Writes all results of a replay; a context manager.

    The outputs are tried at once, and opened, which empties older ones, when the context is entered.

    Raises:
        ConfigError: two results go to standard output, an output is an input, or a file has the path of a required
            folder.
        BundleError: no model has a name that is given.
        OSError: a result cannot be written.
    """

    def __init__(self, options: ReplayOptions, sources: Sequence[str], *, several: bool) -> None:
        self._options = options
        self._exit_stack = ExitStack()
        self._several = several
        self._progress = _Progress(len(sources))
        self._summaries: list[PageSummary] = []
        self._page_names = page_names(sources)
        self._track_names = page_names(sources, ".txt")
        self._written = 0
        self._heard = Counter[str]()
        self._folders = [out for out in (options.report, options.labels) if several and out is not None]
        _check_folders(self._folders)
        standard_input = [DESCRIPTOR_PATH] if STANDARD_INPUT in sources else []
        with made_folders(*self._folders):
            try_outputs(self._outputs(), (*sources, *standard_input, *_other_inputs(options)))
        self._tables: dict[str, Callable[[str], object]] = {}

    def __enter__(self) -> Self:
        self._exit_stack.enter_context(made_folders(*self._folders))
        try:
            self._tables = self._open_tables()
        except BaseException:
            self._exit_stack.close()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: object) -> None:
        self._progress.clear()
        self._exit_stack.__exit__(kind, error, None)

    @property
    def table_names(self) -> frozenset[str]:
        """The tables that are written."""
        return frozenset(self._tables)

    def task(self, index: int, source: str, stream_id: str) -> RecordingTask:
        """The task for the recording at `index` of the sources."""
        if self._options.report is None:
            return RecordingTask(source, stream_id)
        if not self._several:
            return RecordingTask(source, stream_id, page=self._options.report)
        return RecordingTask(source, stream_id, str(Path(self._options.report) / self._page_names[index]), _INDEX)

    def rows(self, source: str, priorities: Mapping[tuple[str, str], Priority]) -> RowWriter:
        """Writer of one recording's rows, directly to their tables."""
        return RowWriter(source, priorities, self._tables)

    def write(self, result: RecordingResult) -> None:
        """Write the results of one recording; call it in the order of the sources."""
        self._progress.clear()
        for table, text in result.rows.items():
            self._tables[table](text)
        for line in result.explanation:
            self._print(printable(line) + "\n")
        if result.faults:
            print_notice(fault_line(result))
        for note in result.notes:
            print_notice(note)
        if result.error is not None:
            print_notice(result.error)
        if self._options.labels is not None and result.duration_s:
            self._write_track(self._options.labels, result)
        if result.summary is not None:
            self._summaries.append(result.summary)
        self._written += 1
        self._count(result)
        self._progress.show(result)

    def finish(self) -> None:
        """Write the index of pages, which needs all recordings, and the last line for people."""
        self._progress.clear()
        if self._several and "people" in self._tables:
            self._print(_summary_line(self._heard))
        if self._several and self._options.report is not None:
            write_index(Path(self._options.report) / _INDEX, self._summaries)

    def _outputs(self) -> dict[str, list[str | Path]]:
        """Option -> the files that it will write."""
        options = self._options
        tables = {"--events": options.events, "--scores": options.scores}
        outputs: dict[str, list[str | Path]] = {option: [out] for option, out in tables.items() if out is not None}
        for option, out, names in (
            ("--labels", options.labels, self._track_names),
            ("--report", options.report, [*self._page_names, _INDEX]),
        ):
            if out is not None:
                outputs[option] = [Path(out) / name for name in names] if self._several else [out]
        return outputs

    def _open_tables(self) -> dict[str, Callable[[str], object]]:
        options = self._options
        outs = [
            out for out in (options.events, options.scores, options.labels, options.report) if out and is_stdout(out)
        ]
        tables: dict[str, Callable[[str], object]] = {}
        if options.events is not None:
            tables["events"] = self._exit_stack.enter_context(EventLines(options.events)).write_text
        if options.scores is not None:
            tables["scores"] = self._exit_stack.enter_context(ScoreTable(options.scores)).write_text
        if not outs and options.explain_s is None:
            tables["people"] = self._print
        return tables

    def _count(self, result: RecordingResult) -> None:
        """Count the recording for the last line; a single one without an alert has a line of its own."""
        alerts = sum(event.phase == "begin" for event in result.events)
        is_deaf = any(FAULTS[fault.kind].deafens for fault in result.faults)
        self._heard.update(
            recordings=1,
            alerts=alerts,
            with_alert=bool(alerts),
            not_whole=result.error is not None,
            not_well=is_deaf,
        )
        if not alerts and not self._several and result.duration_s and "people" in self._tables:
            what = f"no alert in {result.duration_s:.2f} s" + (", but it was not heard well" if is_deaf else "")
            self._print(f"{printable(result.source)}  {what}\n")

    def _write_track(self, out: str, result: RecordingResult) -> None:
        path = Path(out) / self._track_names[self._written] if self._several else out
        write_whole(path, encode(label_track(result.events, result.duration_s)))

    def _print(self, text: str) -> None:
        self._progress.clear()
        sys.stdout.buffer.write(encode(text))
        sys.stdout.buffer.flush()


class _Progress:
    """Shows the progress of a replay on a terminal; nothing in a pipe."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._shown = sys.stderr.isatty() and total > 1
        self._finished = self._events = 0

    def show(self, result: RecordingResult) -> None:
        self._finished += 1
        self._events += sum(event.phase == "begin" for event in result.events)
        if self._shown:
            text = f"{self._finished} of {quantity(self._total, 'recording')}, {quantity(self._events, 'event')}"
            print(text, end="", file=sys.stderr, flush=True)

    def clear(self) -> None:
        if self._shown:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)


def _summary_line(heard: Counter[str]) -> str:
    """The last line of a run of many: how many had an alert, and which were not heard as they should be."""
    parts = [f"{quantity(heard['recordings'], 'recording')}: {heard['with_alert'] or 'none'} with an alert"]
    parts[0] += f" ({quantity(heard['alerts'], 'alert')})" if heard["alerts"] else ""
    parts += [f"{heard['not_whole']} not heard to the end"] if heard["not_whole"] else []
    parts += [f"{heard['not_well']} not heard well"] if heard["not_well"] else []
    return ", ".join(parts) + "\n"


def _for_people(source: str, event: Event, priority: Priority) -> str:
    at_s = event.began_s if event.ended_s is None else event.ended_s
    what = f"{event.label} {'ends' if event.phase == 'end' else f'{event.phase}s'}"
    decision = f"decided at {event.decided_s:.2f} s: {event.reason}"
    return f"{printable(source)}  {at_s:9.2f} s  {what:<14} {priority:<6} {event.score:.2f}  {decision}\n"


def fault_line(result: RecordingResult) -> str:
    """The faults of a recording in one sentence."""
    faults = [f"{fault.kind} {fault.start_s:.2f} to {fault.end_s:.2f} s ({fault.detail})" for fault in result.faults]
    more = len(faults) - _FAULTS_IN_A_LINE
    tail = f"; and {more} more" if more > 0 else ""
    return f"{result.source}: not heard well: {'; '.join(faults[:_FAULTS_IN_A_LINE])}{tail}"


def _other_inputs(options: ReplayOptions) -> Iterator[str]:
    """What a replay reads beside the recordings."""
    yield from map(str, bundle_files(options.settings, options.models))
    yield from filter(None, (options.config, options.settings.bundles.public_key))


def _check_folders(outs: Iterable[str]) -> None:
    for out in outs:
        if out == STDOUT:
            several = "several recordings give several files, which standard output (-) cannot hold"
            raise ConfigError(f"{several}; name a folder")
        if Path(out).exists() and not Path(out).is_dir():
            raise ConfigError(f"{out} is a file; several recordings give several files, name a folder")
