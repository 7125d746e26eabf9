"""Does this microphone still hear? A deaf microphone is a fault, not a quiet night.

Looks at the raw block, before any filter, on a grid of 50 ms that starts with the stream and again
after each gap, so that what it finds never depends on how the sound was cut into blocks.

    silence    every sample is exactly zero: muted, gated, or the server gives nothing
    stuck      every sample is the same other value: the converter hangs
    dc         an offset with next to no sound on it: the input is not driven
    repeated   the same buffer again and again, sample for sample: the driver hangs
    floor      the noise floor collapsed: only the amplifier's own noise is left
    clipping   heavily overdriven; a warning: it is loud, not deaf

Knows no clock, no device and no reason; decides nothing about sound.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from device.messages import Fault

if TYPE_CHECKING:
    import numpy.typing as npt

    from device.messages import AudioBlock, FaultKind

    Float32 = npt.NDArray[np.float32]
    Float64 = npt.NDArray[np.float64]
    Bools = npt.NDArray[np.bool_]

_ROWS_AT_ONCE = 20
"""Rows of a long block that are measured together: bounds the memory, changes no result."""


@dataclass(frozen=True, slots=True)
class DeafnessSettings:
    """When a microphone counts as deaf.

    Attributes:
        row_s: length of the grid's rows; each is judged as a whole.
        rows_per_step: rows after which the slow kinds (floor, clipping) are judged; 1 s.
        found_after_s: silence, stuck and dc are told once they are this long; with a row at either end
            that stays under the 3 s within which deafness must be noticed.
        repeated_after_s: repeated is told once it is this long; with the first of the longest buffers, which
            nobody can tell from sound, that stays under 3 s too.
        over_after_s: such a fault is over after this long without its sign.
        dc_over_sound_db: a constant offset this far over the rest counts as dc. A cheap sound card's
            offset of 0.03 over a quiet room at -80 dBFS stays under it.
        shortest_buffer_s: what repeats faster is a tone.
        longest_buffer_s: a repeated buffer is at most this long.
        floor_drop_db: a floor this far under the learned one has collapsed, ...
        floor_spread: ... where its levels spread at most this many times as much as white noise's, ...
        floor_after_s: ... for this long.
        floor_suspect_s: it is suspected after this long.
        floor_minutes: minutes of sound of which the quietest is the learned floor.
        full_scale: a sample this large is clipped: the largest of 16 bits, less what dither or a lossy codec
            take off. Of a sine that just reaches full scale 1 % lie there, far under the 5 %.
        clipped_fraction: clipping is heavy where more than this part of each second's samples is
            clipped, ...
        clipping_s: ... for this long; it is over after this long without.
    """

    row_s: float = 0.05
    rows_per_step: int = 20
    found_after_s: float = 2.5
    repeated_after_s: float = 1.5
    over_after_s: float = 1.0
    dc_over_sound_db: float = 50.0
    shortest_buffer_s: float = 0.005
    longest_buffer_s: float = 1.0
    floor_drop_db: float = 20.0
    floor_spread: float = 2.0
    floor_after_s: float = 60.0
    floor_suspect_s: float = 5.0
    floor_minutes: int = 60
    full_scale: float = 32767 / 32768 - 1e-4
    clipped_fraction: float = 0.05
    clipping_s: float = 10.0


DEFAULTS = DeafnessSettings()


class DeafnessDetector:
    """Watches one stream for the signs of deafness.

    Args:
        sample_rate_hz: rate of the stream.
        gates_to_zero: this microphone gives digital zeros where it hears nothing loud: they are no fault.
        settings: thresholds; no user needs to change them.
    """

    def __init__(
        self, sample_rate_hz: int, *, gates_to_zero: bool = False, settings: DeafnessSettings = DEFAULTS
    ) -> None:
        self._sample_rate_hz = sample_rate_hz
        self._settings = settings
        self._row = max(2, self._samples(settings.row_s))
        found, over = self._samples(settings.found_after_s), self._samples(settings.over_after_s)
        self._watches: dict[FaultKind, _Watch] = {
            "silence": _Watch(found, over),
            "stuck": _Watch(found, over),
            "dc": _Watch(found, over),
            "repeated": _Watch(self._samples(settings.repeated_after_s), over),
        }
        if gates_to_zero:
            del self._watches["silence"]
        clipping = self._samples(settings.clipping_s)
        self._clipping = _Watch(clipping, clipping)
        self._floor = _NoiseFloor(self._row, settings)
        shortest, longest = self._samples(settings.shortest_buffer_s), self._samples(settings.longest_buffer_s)
        self._repetition = _Repetition(self._row, shortest, longest)
        self._begun = False
        self._pending: Float32 = np.zeros(0, np.float32)
        self._begin_segment(0)

    @property
    def suspect_since_s(self) -> float | None:
        """Stream second since which the newest samples are, or may be, those of a deaf microphone.

        None where nothing is suspected. Set before a fault is told and until it is over: no window
        that holds later samples may decide that a sound has stopped.
        """
        since = [self._floor.since, *(watch.since for watch in self._watches.values())]
        samples = [sample for sample in since if sample is not None]
        return min(samples) / self._sample_rate_hz if samples else None

    @property
    def learned_floor_db(self) -> float | None:
        """Noise floor of the quietest minute of the last hour, in dBFS; None before there is one."""
        return self._floor.learned_db

    def push(self, block: AudioBlock) -> list[Fault]:
        """Take a block of any length; give the faults that begin or end with it, in order.

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
        pending = np.concatenate((self._pending, block.samples))
        whole = len(pending) // self._row
        self._pending = pending[whole * self._row :].copy()
        rows = pending[: whole * self._row].reshape(whole, self._row)
        faults: list[Fault] = []
        for first in range(0, whole, _ROWS_AT_ONCE):
            faults += self._judge(rows[first : first + _ROWS_AT_ONCE])
        return faults

    def finish(self) -> list[Fault]:
        """End what is still a fault where the audio ends."""
        watches: dict[FaultKind, _Watch | _NoiseFloor] = {**self._watches}
        watches |= {"floor": self._floor, "clipping": self._clipping}
        at = self._end_sample + len(self._pending)
        return [
            self._fault(kind, _Change(begins=False, since=watch.open_since), at, "it lasted until the audio ended")
            for kind, watch in watches.items()
            if watch.open_since is not None
        ]

    def _samples(self, seconds: float) -> int:
        return round(seconds * self._sample_rate_hz)

    def _begin_segment(self, start_sample: int) -> None:
        """Forget what holds only without a gap; a fault stays one until sound contradicts it."""
        self._end_sample = start_sample  # of the last whole row
        self._pending = np.zeros(0, np.float32)
        self._levels_db: list[float] = []  # of this step's rows; NaN for a row that shows no noise
        self._clipped: list[float] = []  # parts of this step's rows
        self._repetition.reset()
        self._floor.break_run()
        for watch in (*self._watches.values(), self._clipping):
            watch.break_run()

    def _judge(self, rows: Float32) -> list[Fault]:
        """Rows (n, row), oldest first -> the faults that begin or end in them."""
        signs = _Signs.of(rows, self._settings)
        repeats = self._repetition.push(rows, signs.constant)
        faults: list[Fault] = []
        for index, repeat in enumerate(repeats):
            faults += self._judge_row(signs, index, repeat)
            if len(self._levels_db) == self._settings.rows_per_step:
                faults += self._judge_step()
        return faults

    def _judge_row(self, signs: _Signs, index: int, repeat: _Repeat) -> list[Fault]:
        sign = signs.kind(index)
        kind: FaultKind | None = "repeated" if repeat.period and sign != "dc" else sign
        self._end_sample += self._row
        since = self._end_sample - (repeat.lasted if kind == "repeated" else self._row)
        self._levels_db.append(math.nan if kind else float(signs.level_db[index]))
        self._clipped.append(float(signs.clipped[index]))
        faults = []
        for name, watch in self._watches.items():
            change = watch.step(since if name == kind else None, self._end_sample)
            if change is not None:
                figure = self._figure(name, float(signs.mean[index]), repeat) if change.begins else _OVER
                faults.append(self._fault(name, change, self._end_sample, figure))
        return faults

    def _judge_step(self) -> list[Fault]:
        """Judge the last second's rows for what takes longer than a few of them."""
        step = len(self._clipped) * self._row
        clipped, levels_db = sum(self._clipped) / len(self._clipped), np.array(self._levels_db)
        self._levels_db, self._clipped = [], []
        heavy = clipped > self._settings.clipped_fraction
        figure = f"{100 * clipped:.0f} % of the last second's samples are at full scale"
        changes: list[tuple[FaultKind, _Change | None, str]] = [
            ("clipping", self._clipping.step(self._end_sample - step if heavy else None, self._end_sample), figure),
            ("floor", self._floor.step(levels_db, self._end_sample), self._floor.figure),
        ]
        return [
            self._fault(kind, change, self._end_sample, figure if change.begins else _OVER)
            for kind, change, figure in changes
            if change is not None
        ]

    def _figure(self, kind: FaultKind, mean: float, repeat: _Repeat) -> str:
        """What was measured, in words."""
        if kind == "silence":
            return "every sample is exactly zero"
        if kind == "stuck":
            return f"every sample is {mean:.6f}"
        if kind == "dc":
            return f"there is next to no sound on a constant offset of {mean:.4f}"
        period_ms = 1000 * repeat.period / self._sample_rate_hz
        return f"the same {period_ms:.1f} ms come again and again"

    def _fault(self, kind: FaultKind, change: _Change, at_sample: int, figure: str) -> Fault:
        since_s, at_s = change.since / self._sample_rate_hz, at_sample / self._sample_rate_hz
        return Fault(kind, change.begins, since_s, at_s, f"{figure} ({at_s - since_s:.1f} s)")


_OVER = "it is over"
_IQR_OF_SIGMA = 1.349
"""Distance of the quartiles of a normal distribution, in standard deviations."""


class _Change(NamedTuple):
    """A fault begins or is over; either way, the sample since which it was one."""

    begins: bool
    since: int


class _Watch:
    """Turns a sign, present or absent, into a fault that begins and ends.

    Args:
        found_samples: how long the sign must last.
        over_samples: how long it must be absent.
    """

    def __init__(self, found_samples: int, over_samples: int) -> None:
        self._found_samples = found_samples
        self._over_samples = over_samples
        self._run_since: int | None = None
        self._absent_since: int | None = None
        self.open_since: int | None = None

    @property
    def since(self) -> int | None:
        """First sample of the fault, or of the sign that may become one."""
        return self._run_since if self.open_since is None else self.open_since

    def break_run(self) -> None:
        """Samples are missing: a sign before them says nothing about those behind."""
        self._run_since = self._absent_since = None

    def step(self, since: int | None, end: int) -> _Change | None:
        """Take whether the sign is there, up to the sample `end`: `since` which sample, or None."""
        if since is None:
            return self._absent(end)
        self._absent_since = None
        if self._run_since is None:
            self._run_since = since
        if self.open_since is not None or end - self._run_since < self._found_samples:
            return None
        self.open_since = self._run_since
        return _Change(begins=True, since=self.open_since)

    def _absent(self, end: int) -> _Change | None:
        self._run_since = None
        if self._absent_since is None:
            self._absent_since = end
        if self.open_since is None or end - self._absent_since < self._over_samples:
            return None
        change = _Change(begins=False, since=self.open_since)
        self.open_since = None
        return change


@dataclass(frozen=True, slots=True, eq=False)
class _Signs:
    """What rows show by themselves, each array (n,).

    Attributes:
        silent: every sample is zero.
        constant: every sample is the same.
        offset: a constant offset far over the rest; without any rest it is stuck.
        mean: mean of the samples.
        level_db: power without the mean, in dB of full scale squared; -200 for none.
        clipped: part of the samples that is at full scale.
    """

    silent: Bools
    constant: Bools
    offset: Bools
    mean: Float64
    level_db: Float64
    clipped: Float64

    @classmethod
    def of(cls, rows: Float32, settings: DeafnessSettings) -> _Signs:
        """Measure rows (n, row)."""
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
        )

    def kind(self, index: int) -> FaultKind | None:
        """What one row shows."""
        if self.constant[index]:
            return "silence" if self.silent[index] else "stuck"
        return "dc" if self.offset[index] else None


def _clipped(rows: Float32, low: Float32, high: Float32, full_scale: float) -> Float64:
    """Part of each row that is at full scale; the samples are looked at only where an extreme is."""
    if max(high.max(), -low.min()) < full_scale:
        return np.zeros(len(rows))
    return np.asarray((np.abs(rows) >= full_scale).mean(axis=1))


class _Repeat(NamedTuple):
    """The newest samples equal those one period earlier (0: they do not), and have for so many samples."""

    period: int
    lasted: int


_NO_REPEAT = _Repeat(0, 0)


class _Repetition:
    """Finds that the newest sound equals, sample for sample, what came one buffer earlier.

    No microphone gives the same 5 ms twice; a hanging driver does. The length of the buffer is found
    by looking for a whole row in the second before it, every 250 ms; what is found is dated back. A pause of
    digital silence within the buffer interrupts nothing, but a buffer of little else proves nothing either:
    behind a gate that is a clock's ticking.

    Args:
        row: samples of a row.
        shortest: samples of the shortest buffer; what repeats faster is a tone.
        longest: samples of the longest buffer.
    """

    _SEARCH_ROWS = 5
    _PROBES = 32
    _MOST_FLAT = 0.75

    def __init__(self, row: int, shortest: int, longest: int) -> None:
        self._row = row
        self._shortest = shortest
        self._longest = longest
        self._kept = longest + (self._SEARCH_ROWS + 1) * row
        self._probes = np.linspace(0, row - 1, self._PROBES).astype(int)
        self.reset()

    def reset(self) -> None:
        """Forget the past: samples are missing."""
        self._past = np.zeros(0, np.float32)
        self._rows_since_search = 0
        self._repeat = _NO_REPEAT

    def push(self, rows: Float32, constant: Bools) -> list[_Repeat]:
        """Rows (n, row) -> for each, how the sound up to its end repeats itself.

        Constant rows (n,) of bool begin nothing: silence repeats itself without any driver's help.
        """
        samples = np.concatenate((self._past, rows.reshape(-1)))
        end = len(self._past)
        repeats = []
        for is_constant in constant:
            self._rows_since_search += 1
            end += self._row
            # As far back as if each row came alone: no row may see more because others came with it.
            seen = samples[max(0, end - self._row - self._kept) : end]
            self._repeat = self._follow(seen, is_constant=bool(is_constant))
            repeats.append(self._repeat)
        self._past = samples[-self._kept :].copy()
        return repeats

    def _follow(self, samples: Float32, *, is_constant: bool) -> _Repeat:
        """Does the newest row go on with the repetition, or does one show in it?"""
        start = len(samples) - self._row
        period, lasted = self._repeat
        if period and np.array_equal(samples[start:], samples[start - period : -period]):
            return _Repeat(period, lasted + self._row)
        if is_constant or self._rows_since_search < self._SEARCH_ROWS:
            return _NO_REPEAT
        self._rows_since_search = 0
        period = self._find(samples, start)
        if not period or self._is_mostly_flat(samples[-max(period, self._row) :]):
            return _NO_REPEAT
        differs = np.flatnonzero(samples[period:] != samples[:-period])
        since = period + (int(differs[-1]) + 1 if len(differs) else 0)
        return _Repeat(period, len(samples) - since)

    def _is_mostly_flat(self, samples: Float32) -> bool:
        """Whether hardly any half row of at least a row shows a change."""
        size = self._row // 2
        halves = samples[: len(samples) // size * size].reshape(-1, size)
        return float((halves.min(axis=1) == halves.max(axis=1)).mean()) > self._MOST_FLAT

    def _find(self, samples: Float32, start: int) -> int:
        """How long before `start` the newest row stood already, in samples; 0 for never."""
        row = samples[start:]
        earliest = max(0, start - self._longest)
        # The largest sample is rare elsewhere; a few more leave hardly any place to compare in full.
        first = int(np.abs(row).argmax())
        places = earliest + np.flatnonzero(samples[earliest + first : start + first] == row[first])
        for probe in self._probes:
            if not len(places):
                return 0
            places = places[samples[places + probe] == row[probe]]
        for place in places[::-1][: self._PROBES]:
            if np.array_equal(samples[place : place + self._row], row):
                period = start - int(place)
                return period if period >= self._shortest else 0
        return 0


class _NoiseFloor:
    """Learns how quiet a room gets, and notices where only the amplifier's own noise is left.

    A room that falls silent falls to another room's noise, which breathes: its levels spread more than
    those of the white noise that a dead microphone leaves. Learns from whole minutes of usable rows, each
    by its 10th percentile (the L90 of acoustics), and from the newest one only after the next, so that a
    collapse is not learned before it is found.

    What it cannot tell apart: a machine that hums as evenly as white noise, 20 dB under another that stopped,
    is taken for an amplifier; and noise of less than a third of a 16-bit step, whose rows hold too few changes to be
    even, for a room.

    Args:
        row: samples of a row.
        settings: thresholds.
    """

    _QUIET_PERCENT = 10.0
    _WIDER_AT_THE_END = 1.25

    def __init__(self, row: int, settings: DeafnessSettings) -> None:
        self._step_samples = row * settings.rows_per_step
        self._drop_db = settings.floor_drop_db
        self._spread_db = settings.floor_spread * white_spread_db(row)
        step_s = settings.row_s * settings.rows_per_step
        self._suspect_steps = round(settings.floor_suspect_s / step_s)
        self._found_steps = round(settings.floor_after_s / step_s)
        self._steps: deque[Float64] = deque(maxlen=self._found_steps)
        self._minute_rows = round(60 / settings.row_s)
        self._minute: list[float] = []
        self._newest: float | None = None
        self._minutes: deque[float] = deque(maxlen=settings.floor_minutes)
        self._suspect_since: int | None = None
        self.open_since: int | None = None
        self.figure = ""

    @property
    def learned_db(self) -> float | None:
        """The quietest minute's floor; None before one was learned."""
        return min(self._minutes, default=None)

    @property
    def since(self) -> int | None:
        """First sample of the collapse, or of what may become one."""
        return self._suspect_since if self.open_since is None else self.open_since

    def break_run(self) -> None:
        """Samples are missing: what was learned stays."""
        self._steps.clear()
        self._suspect_since = None

    def step(self, levels_db: Float64, end: int) -> _Change | None:
        """Take the levels (rows,) of the second up to the sample `end`; NaN where a row shows no noise."""
        usable_db = levels_db[~np.isnan(levels_db)]
        if len(usable_db) < len(levels_db):
            self.break_run()
        else:
            self._steps.append(levels_db)
        if self.open_since is not None:
            return self._end(self.open_since)
        change = self._begin(end)
        if change is None:
            self._learn(usable_db)
        return change

    def _begin(self, end: int) -> _Change | None:
        recent_db = self._recent(self._suspect_steps)
        if len(self._steps) < self._suspect_steps or not self._is_low(recent_db):
            self._suspect_since = None
            return None
        self._suspect(recent_db, end)
        levels_db = self._recent(self._found_steps)
        if len(self._steps) < self._found_steps or not (self._is_low(levels_db) and self._is_even(levels_db)):
            return None
        self.open_since = end - self._found_steps * self._step_samples
        self._minute, self._newest = [], None
        self.figure = self._describe(levels_db)
        return _Change(begins=True, since=self.open_since)

    def _suspect(self, recent_db: Float64, end: int) -> None:
        if not self._is_even(recent_db):
            self._suspect_since = None
        elif self._suspect_since is None:
            self._suspect_since = end - self._suspect_steps * self._step_samples

    def _end(self, since: int) -> _Change | None:
        """It is over within seconds where the level is back, within a minute where only the breathing is."""
        if len(self._steps) < self._suspect_steps or self._is_still_dead():
            return None
        change = _Change(begins=False, since=since)
        self.open_since = None
        self.break_run()
        return change

    def _is_still_dead(self) -> bool:
        return self._is_low(self._recent(self._suspect_steps)) and self._is_mostly_even(self._recent(self._found_steps))

    def _recent(self, steps: int) -> Float64:
        """Levels of the newest steps, joined."""
        return np.concatenate([np.zeros(0), *list(self._steps)[-steps:]])

    def _is_low(self, levels_db: Float64) -> bool:
        return self.learned_db is not None and float(np.median(levels_db)) <= self.learned_db - self._drop_db

    def _is_even(self, levels_db: Float64) -> bool:
        return float(levels_db.std()) <= self._spread_db

    def _is_mostly_even(self, levels_db: Float64) -> bool:
        """Whether the middle half of the levels spreads like noise: a dead microphone's clicks end nothing.

        The limit is wider than at the begin, so that chance alone does not end what lies near it.
        """
        lower, upper = np.percentile(levels_db, (25, 75))
        return float(upper - lower) / _IQR_OF_SIGMA <= self._WIDER_AT_THE_END * self._spread_db

    def _describe(self, levels_db: Float64) -> str:
        level_db = float(np.median(levels_db))
        return (
            f"the noise floor stands at {level_db:.1f} dBFS, {(self.learned_db or 0) - level_db:.1f} dB under the "
            "learned one, and is as even as an amplifier's own noise"
        )

    def _learn(self, levels_db: Float64) -> None:
        self._minute += levels_db.tolist()
        if len(self._minute) < self._minute_rows:
            return
        if self._newest is not None:
            self._minutes.append(self._newest)
        self._newest = float(np.percentile(self._minute, self._QUIET_PERCENT))
        self._minute = []


def white_spread_db(samples: int) -> float:
    """Standard deviation of the level of so many samples of white noise, in dB.

    The power of N samples of Gaussian noise is a chi-square of N degrees of freedom: its relative standard
    deviation is sqrt(2 / N), and d(10 log10 p) = 10 / ln 10 * dp / p. 0.22 dB for 800 samples.
    """
    return 10 / math.log(10) * math.sqrt(2 / samples)
