"""Replays one recording from start to end, with a listener of its own."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np

from device.errors import RecordingError
from device.replay.recording_result import RecordingResult
from device.report.explain import Explainer
from device.report.page import PageSummary, summarize, write_page
from device.report.page_content import PageRecorder
from device.report.spans import fold_faults
from device.sources.conversion import STANDARD_INPUT
from device.sources.recording import Recording

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy.typing as npt

    from device.hearing.listener import Listener
    from device.messages import AudioBlock, Event, Fault, Heard
    from device.replay.recording_result import RecordingTask
    from device.replay.replay_options import ReplayOptions
    from device.runtime.model_loader import OpenModels

_REALTIME_BLOCK_S = 0.05


def hear(
    recording: Recording, listener: Listener, *, realtime: bool = False
) -> Iterator[tuple[AudioBlock | None, Heard]]:
    """What the listener hears, block by block; the last item, without a block, is the end of the recording.

    Args:
        recording: read from its start.
        listener: a new one.
        realtime: yield each block at the time a microphone would.

    Raises:
        RecordingError: the recording broke off; raised after the last item, so that no result is lost.
    """
    broken: RecordingError | None = None
    began_s = time.monotonic()
    try:
        for block in recording.blocks():
            if realtime:
                time.sleep(max(0.0, began_s + block.end_sample / block.sample_rate_hz - time.monotonic()))
            yield block, listener.push(block)
    except RecordingError as error:
        broken = error
    yield None, listener.finish("end_of_file")
    if broken is not None:
        raise broken


def replay_recording(
    options: ReplayOptions, models: OpenModels, task: RecordingTask, on_heard: Callable[[Heard], None]
) -> RecordingResult:
    """Replay one recording.

    Args:
        options: of the replay.
        models: that listen.
        task: the recording.
        on_heard: called with what each block gave.

    Raises:
        OSError: its page cannot be written.
    """
    collector = _ResultCollector(options, models, task)
    error = None
    notes: tuple[str, ...] = ()
    try:
        with open_recording(options, task.source) as recording:
            listener = models.listener(options.settings, task.stream_id)
            for block, heard in hear(recording, listener, realtime=options.realtime):
                collector.add(block, heard)
                on_heard(heard)
                notes = recording.notes
    except RecordingError as broken:
        error = str(broken)
    return collector.finish(error, notes)


def open_recording(options: ReplayOptions, source: str) -> Recording:
    """Open a recording with the requested channel; for a replay in real time, with small blocks.

    Raises:
        RecordingError: it cannot be read at all.
    """
    channel = options.settings.recording.channel if options.channel is None else options.channel
    path = options.standard_input if source == STANDARD_INPUT and options.standard_input is not None else source
    recording = Recording(path, channel=channel, name=source)
    if not options.realtime:
        return recording
    with recording:
        block_samples = max(1, round(recording.sample_rate_hz * _REALTIME_BLOCK_S))
    return Recording(path, channel=channel, block_samples=block_samples, name=source)


class _ResultCollector:
    """Collects the result of one recording, with its page and explanation."""

    def __init__(self, options: ReplayOptions, models: OpenModels, task: RecordingTask) -> None:
        self._options = options
        self._task = task
        self._recorder = PageRecorder(task.source, models.listed, models.beside) if task.page else None
        self._explainer = None if options.explain_s is None else Explainer(options.explain_s)
        self._events: list[Event] = []
        self._faults: list[Fault] = []
        self._duration_s = 0.0

    def add(self, block: AudioBlock | None, heard: Heard) -> None:
        self._events += heard.events
        self._faults += heard.faults
        if block is not None:
            self._duration_s = block.end_sample / block.sample_rate_hz
        if self._explainer is not None:
            self._explainer.heard(heard)
        if self._recorder is not None:
            if block is not None:
                self._recorder.block(block)
            self._recorder.heard(heard)

    def finish(self, error: str | None, notes: tuple[str, ...]) -> RecordingResult:
        source = self._task.source
        return RecordingResult(
            source=source,
            duration_s=self._duration_s,
            events=tuple(self._events),
            faults=tuple(fold_faults(self._faults, self._duration_s)),
            error=error,
            notes=notes,
            explanation=tuple(self._explainer.lines(source, self._duration_s)) if self._explainer else (),
            summary=self._page(notes if error is None else (*notes, error)),
        )

    def _page(self, notes: tuple[str, ...]) -> PageSummary | None:
        if self._recorder is None or self._task.page is None:
            return None
        if not self._duration_s:
            return PageSummary(self._task.source, None, 0.0, (), 0, notes)
        notes = (*notes, *_schedule_note(self._options))
        with _SecondReading(self._options, self._task.source) as again:
            content = self._recorder.finish(again.read, notes=notes)
        write_page(self._task.page, content, index=self._task.index)
        return summarize(content, Path(self._task.page).name)


def _schedule_note(options: ReplayOptions) -> Iterator[str]:
    """That a schedule counts for nothing here, if there is one."""
    tables = ", ".join(f"[schedule.{each.name}]" for each in options.settings.schedule)
    if tables:
        yield f"A recording has no time of day: its alerts are shown whatever {tables} would let through."


class _SecondReading:
    """Reads sections of a recording again, in time order, in one pass."""

    def __init__(self, options: ReplayOptions, source: str) -> None:
        self._recording = open_recording(options, source)
        self._blocks = self._recording.blocks()
        self._buffer: list[AudioBlock] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._recording.close()

    def read(self, start_s: float, end_s: float) -> tuple[npt.NDArray[np.float32], int]:
        """Samples of a section, as far as the recording goes: float32 (n,), and their rate in Hz."""
        rate_hz = self._recording.sample_rate_hz
        first, last = round(start_s * rate_hz), round(end_s * rate_hz)
        while not self._buffer or self._buffer[-1].end_sample < last:
            block = self._next()
            if block is None:
                break
            self._buffer = [kept for kept in (*self._buffer, block) if kept.end_sample > first]
        parts = [kept.samples[max(0, first - kept.start_sample) : last - kept.start_sample] for kept in self._buffer]
        return np.concatenate([np.empty(0, np.float32), *parts]), rate_hz

    def _next(self) -> AudioBlock | None:
        try:
            return next(self._blocks, None)
        except RecordingError:  # the first reading has reported where it breaks off
            return None
