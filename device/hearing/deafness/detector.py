"""Detects a deaf microphone, one that delivers samples but no sound: that is a fault, not a quiet night.

Examines the raw samples, before any filter, on a grid of 50 ms that starts with the stream and again after each
gap, so that the result never depends on how the sound was cut into blocks.

    silence    every sample is exactly zero: muted, gated, or the sound server delivers nothing
    stuck      every sample is the same other value: the converter hangs
    dc         an offset with next to no sound on it: the input is not driven
    repeated   the same buffer again and again, sample for sample: the driver hangs
    floor      the noise floor collapsed: only the amplifier's own noise is left
    cancellation  the channels of a mix cancel each other: each is loud, their mean is not
    clipping   heavily overdriven; a warning: it is loud, not deaf

Knows no clock, no device and no cause; decides nothing about sounds.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from device.hearing.deafness.limits import DEFAULTS, DeafnessLimits
from device.hearing.deafness.noise_floor import NoiseFloor
from device.hearing.deafness.repetition import Repeat, Repetition
from device.hearing.deafness.sign_tracker import Change, SignTracker
from device.messages import Fault

if TYPE_CHECKING:
    import numpy.typing as npt

    from device.messages import AudioBlock, FaultKind

    Float32 = npt.NDArray[np.float32]
    Float64 = npt.NDArray[np.float64]
    Bools = npt.NDArray[np.bool_]

_ROWS_AT_ONCE = 20
"""Rows of a long block that are measured together: bounds the memory without changing any result."""


class DeafnessDetector:
    """Monitors one stream for the signs of deafness.

    Args:
        sample_rate_hz: rate of the stream.
        gates_to_zero: this microphone outputs digital zeros below some loudness: they are no fault.
        settings: thresholds; no user needs to change them.
    """

    def __init__(
        self, sample_rate_hz: int, *, gates_to_zero: bool = False, settings: DeafnessLimits = DEFAULTS
    ) -> None:
        self._sample_rate_hz = sample_rate_hz
        self._settings = settings
        self._row = max(2, self._samples(settings.row_s))
        found, over = self._samples(settings.found_after_s), self._samples(settings.over_after_s)
        self._trackers: dict[FaultKind, SignTracker] = {
            "silence": SignTracker(found, over),
            "stuck": SignTracker(found, over),
            "dc": SignTracker(found, over),
            "repeated": SignTracker(self._samples(settings.repeated_after_s), over),
            "cancellation": SignTracker(found, over),
        }
        if gates_to_zero:
            del self._trackers["silence"]
        clipping = self._samples(settings.clipping_s)
        self._clipping = SignTracker(clipping, clipping)
        self._floor = NoiseFloor(self._row, settings)
        shortest, longest = self._samples(settings.shortest_buffer_s), self._samples(settings.longest_buffer_s)
        self._repetition = Repetition(self._row, shortest, longest)
        self._begun = False
        self._pending: Float32 = np.zeros(0, np.float32)
        self._pending_power: Float32 | None = None
        self._begin_segment(0)

    @property
    def suspect_since_s(self) -> float | None:
        """Time in the stream since which the microphone is, or may be, deaf; None if nothing is suspected.

        Set before a fault is reported and until it is over. No window with later samples may decide that a sound
        has stopped.
        """
        since = [self._floor.since, *(tracker.since for tracker in self._trackers.values())]
        samples = [sample for sample in since if sample is not None]
        return min(samples) / self._sample_rate_hz if samples else None

    @property
    def learned_floor_db(self) -> float | None:
        """Noise floor of the quietest minute of the last hour, in dBFS; None before there is one."""
        return self._floor.learned_db

    def push(self, block: AudioBlock) -> list[Fault]:
        """Process a block of any length; returns the faults that begin or end in it, in order.

        Raises:
            ValueError: the block has another rate than the detector.
        """
        if block.sample_rate_hz != self._sample_rate_hz:
            raise ValueError(
                f"A block at {block.sample_rate_hz} Hz came to a detector for {self._sample_rate_hz} Hz; "
                "make a new one where the rate changes."
            )
        if block.after_gap or not self._begun:
            self._begin_segment(block.start_sample)
            self._begun = True
        power = self._rows_of_power(block)
        rows, self._pending = _whole_rows(np.concatenate((self._pending, block.samples)), self._row)
        faults: list[Fault] = []
        for first in range(0, len(rows), _ROWS_AT_ONCE):
            some = slice(first, first + _ROWS_AT_ONCE)
            faults += self._check(rows[some], None if power is None else power[some])
        return faults

    def _rows_of_power(self, block: AudioBlock) -> Float32 | None:
        """The power of independent channels beside each row; None if the block is no mix, as is all of its stream."""
        if block.independent_power is None:
            self._pending_power = None
            return None
        pending = self._pending_power
        if pending is None:
            pending = np.zeros(len(self._pending), np.float32)
        rows, self._pending_power = _whole_rows(np.concatenate((pending, block.independent_power)), self._row)
        return rows

    def finish(self) -> list[Fault]:
        """End the open faults at the end of the audio."""
        trackers: dict[FaultKind, SignTracker | NoiseFloor] = {**self._trackers}
        trackers |= {"floor": self._floor, "clipping": self._clipping}
        at = self._end_sample + len(self._pending)
        return [
            self._fault(kind, Change(begins=False, since=tracker.open_since), at, "it lasted until the audio ended")
            for kind, tracker in trackers.items()
            if tracker.open_since is not None
        ]

    def _samples(self, seconds: float) -> int:
        return round(seconds * self._sample_rate_hz)

    def _begin_segment(self, start_sample: int) -> None:
        """Reset what a gap invalidates; an open fault stays open until sound contradicts it."""
        self._end_sample = start_sample  # of the last whole row
        self._pending = np.zeros(0, np.float32)
        self._pending_power = None
        self._levels_db: list[float] = []  # of this step's rows; NaN for a row that shows no noise
        self._clipped: list[float] = []  # parts of this step's rows
        self._repetition.reset()
        self._floor.break_run()
        for tracker in (*self._trackers.values(), self._clipping):
            tracker.break_run()

    def _check(self, rows: Float32, power: Float32 | None) -> list[Fault]:
        """Rows (n, row), oldest first, and the power beside them -> the faults that begin or end in them."""
        signs = _Signs.of(rows, power, self._settings)
        repeats = self._repetition.push(rows, signs.constant)
        faults: list[Fault] = []
        for index, repeat in enumerate(repeats):
            faults += self._check_row(signs, index, repeat)
            if len(self._levels_db) == self._settings.rows_per_step:
                faults += self._check_step()
        return faults

    def _check_row(self, signs: _Signs, index: int, repeat: Repeat) -> list[Fault]:
        sign = signs.kind(index)
        kind: FaultKind | None = "repeated" if repeat.period and sign not in ("dc", "cancellation") else sign
        self._end_sample += self._row
        since = self._end_sample - (repeat.lasted if kind == "repeated" else self._row)
        self._levels_db.append(math.nan if kind else float(signs.level_db[index]))
        self._clipped.append(float(signs.clipped[index]))
        faults = []
        for name, tracker in self._trackers.items():
            change = tracker.step(since if name == kind else None, self._end_sample)
            if change is not None:
                figure = self._figure(name, float(signs.mean[index]), repeat) if change.begins else _OVER
                faults.append(self._fault(name, change, self._end_sample, figure))
        return faults

    def _check_step(self) -> list[Fault]:
        """Check the last second's rows for the slow signs, clipping and a collapsed floor."""
        step = len(self._clipped) * self._row
        clipped, levels_db = sum(self._clipped) / len(self._clipped), np.array(self._levels_db)
        self._levels_db, self._clipped = [], []
        heavy = clipped > self._settings.clipped_fraction
        figure = f"{100 * clipped:.0f} % of the last second's samples are at full scale"
        changes: list[tuple[FaultKind, Change | None, str]] = [
            ("clipping", self._clipping.step(self._end_sample - step if heavy else None, self._end_sample), figure),
            ("floor", self._floor.step(levels_db, self._end_sample), self._floor.figure),
        ]
        return [
            self._fault(kind, change, self._end_sample, figure if change.begins else _OVER)
            for kind, change, figure in changes
            if change is not None
        ]

    def _figure(self, kind: FaultKind, mean: float, repeat: Repeat) -> str:
        """The measured value, in words."""
        if kind == "silence":
            return "every sample is exactly zero"
        if kind == "stuck":
            return f"every sample is {mean:.6f}"
        if kind == "dc":
            return f"there is next to no sound on a constant offset of {mean:.4f}"
        if kind == "cancellation":
            return "the channels cancel each other in their mix"
        period_ms = 1000 * repeat.period / self._sample_rate_hz
        return f"the same {period_ms:.1f} ms come again and again"

    def _fault(self, kind: FaultKind, change: Change, at_sample: int, figure: str) -> Fault:
        since_s, at_s = change.since / self._sample_rate_hz, at_sample / self._sample_rate_hz
        cure = _HEAR_ONE if kind == "cancellation" and change.begins else ""
        return Fault(kind, change.begins, since_s, at_s, f"{figure} ({at_s - since_s:.1f} s){cure}")


_OVER = "it is over"
_HEAR_ONE = "; hear one: channel = 1, or --channel 1 for a replay"


@dataclass(frozen=True, slots=True, eq=False)
class _Signs:
    """Measurements of each row by itself; every array is (n,).

    Attributes:
        silent: every sample is zero.
        constant: every sample is the same.
        offset: a constant offset is far above the rest of the signal; without any rest the row is `constant`.
        mean: mean of the samples.
        level_db: power without the mean, in dB of full scale squared; -200 for none.
        clipped: share of the samples that is at full scale.
        cancelled: the row is a mix whose channels cancel each other.
    """

    silent: Bools
    constant: Bools
    offset: Bools
    mean: Float64
    level_db: Float64
    clipped: Float64
    cancelled: Bools

    @classmethod
    def of(cls, rows: Float32, independent_power: Float32 | None, settings: DeafnessLimits) -> _Signs:
        """Measure rows (n, row), and the power beside each sample that independent channels would give their mean."""
        low, high = rows.min(axis=1), rows.max(axis=1)
        constant = low == high
        wide = rows.astype(np.float64)
        mean = wide.mean(axis=1)
        wide -= mean[:, np.newaxis]
        power = np.einsum("rs,rs->r", wide, wide) / rows.shape[1]
        offset = mean**2 > 10 ** (settings.dc_over_sound_db / 10) * power
        return cls(
            silent=constant & (low == 0),
            constant=constant,
            offset=offset,
            mean=mean,
            level_db=10 * np.log10(power + 1e-20),
            clipped=_clipped(rows, low, high, settings.full_scale),
            cancelled=_cancelled(rows, independent_power, settings.cancellation_db),
        )

    def kind(self, index: int) -> FaultKind | None:
        """The sign that one row shows; None for none."""
        if self.cancelled[index]:
            return "cancellation"
        if self.constant[index]:
            return "silence" if self.silent[index] else "stuck"
        return "dc" if self.offset[index] else None


def _clipped(rows: Float32, low: Float32, high: Float32, full_scale: float) -> Float64:
    """Share of each row that is at full scale; samples are compared only if any extreme is at full scale."""
    if max(high.max(), -low.min()) < full_scale:
        return np.zeros(len(rows))
    return np.asarray((np.abs(rows) >= full_scale).mean(axis=1))


def _cancelled(rows: Float32, independent_power: Float32 | None, limit_db: float) -> Bools:
    """Whether each row (n, row) is a mix far below what independent channels would give."""
    if independent_power is None or not independent_power.any():
        return np.zeros(len(rows), np.bool_)
    steps = np.diff(rows.astype(np.float64), axis=1)
    mixed = np.einsum("rs,rs->r", steps, steps)
    independent = independent_power[:, 1:].sum(axis=1, dtype=np.float64)
    return np.asarray(mixed < 10 ** (-limit_db / 10) * independent)


def _whole_rows(samples: Float32, row: int) -> tuple[Float32, Float32]:
    """(n,) -> its whole rows (m, row), and a copy of the rest."""
    end = len(samples) // row * row
    return samples[:end].reshape(-1, row), samples[end:].copy()
