"""The loudness alarm: the sound is over a level for a time, whatever it is. Beside the models, and without any.

The raw sound, before any filter, is cut into half seconds that begin with the segment. The level of each is the root
mean square in dBFS of what is left when its mean, a constant offset, is taken off. A level is decided about as a
model's score is, by a `Decider`: so its events begin, end and begin again by the same rules. Knows no file, thread or
clock.

A score is in [0, 1] everywhere, and a level is not: 1 stands for 0 dBFS and each hundredth for a decibel, so that -30
dBFS is 0.70. Sentences say decibels.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from device.hearing.decision import Decider, OperatingPoint
from device.hearing.windows import Slices
from device.messages import LOUD, LOUDNESS, Scores

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    from device.config.alerting.loudness_settings import LoudnessSettings
    from device.messages import Event, Heard

    Float32 = npt.NDArray[np.float32]

HOP_S = 0.5
"""A clap is over in a tenth of it; a word is not."""

SILENCE_DBFS = -100.0
"""The lowest level that is told apart from silence; the quietest step of 16 bits is louder."""


def operating_point(settings: LoudnessSettings) -> OperatingPoint | None:
    """The thresholds and times by which levels, as scores, become events; None if there is no such alarm."""
    if settings.level_dbfs is None:
        return None
    return OperatingPoint(
        on=level_score(settings.level_dbfs),
        off=level_score(settings.level_dbfs - settings.hysteresis_db),
        confirm_s=settings.for_s,
        confirm_of_s=settings.for_s + settings.pauses_s,
        min_length_s=0.0,
        hold_s=settings.hold_s,
        cooldown_s=settings.cooldown_s,
    )


def level_dbfs(samples: Float32) -> float:
    """Level of float32 (n,) without its mean: 20 log10 of the root mean square, at least `SILENCE_DBFS`."""
    wide = samples.astype(np.float64)
    wide -= wide.mean()
    power = float(np.square(wide, out=wide).mean())  # not a dot product: how BLAS adds depends on its threads
    return max(SILENCE_DBFS, 10 * math.log10(power)) if power > 0 else SILENCE_DBFS


def level_score(dbfs: float) -> float:
    """A level as a score in [0, 1]: 1 for 0 dBFS, a hundredth less for each decibel below."""
    return min(1.0, max(0.0, 1 - dbfs / SILENCE_DBFS))


def level_words(score: float) -> str:
    """The level that a score stands for."""
    return f"{(1 - score) * SILENCE_DBFS + 0.0:.1f} dBFS"  # + 0.0: no negative zero


class LoudnessDetector:
    """The loudness alarm of one stream.

    Args:
        point: from `operating_point`.
        stream_id: prefix of event ids.
    """

    def __init__(self, point: OperatingPoint, stream_id: str) -> None:
        self._decider = Decider(
            event_prefix=f"{stream_id}-{LOUDNESS}-{LOUD}",
            model=LOUDNESS,
            label=LOUD,
            point=point,
            hop_s=HOP_S,
            words=level_words,
        )
        self._slices = Slices(1)
        self._rate_hz = self._hop_samples = 1
        self._next_sample = 0

    def __repr__(self) -> str:
        return f"LoudnessDetector({self._decider!r})"

    @property
    def is_on(self) -> bool:
        """Whether an event is open."""
        return self._decider.is_on

    def begin(self, rate_hz: int, start_sample: int) -> None:
        """Begin a segment: its half seconds are counted from this sample; an unfinished one is dropped."""
        self._rate_hz = rate_hz
        self._hop_samples = max(1, round(HOP_S * rate_hz))
        self._slices = Slices(self._hop_samples)
        self._next_sample = start_sample

    def push(self, samples: Float32, is_trusted: Callable[[float, float], bool], heard: Heard) -> None:
        """Measure float32 (n,) that follows the last samples, and decide about each half second that is complete.

        Args:
            samples: at capture rate.
            is_trusted: whether nothing from one second of the stream to another may come from a deaf microphone.
            heard: receives the scores, decisions and events.
        """
        for hop in self._slices.push(samples):
            start_s = self._next_sample / self._rate_hz
            self._next_sample += self._hop_samples
            end_s = self._next_sample / self._rate_hz
            scores = Scores(LOUDNESS, {LOUD: level_score(level_dbfs(hop))}, start_s, end_s)
            self._decide(scores, heard, trusted=is_trusted(start_s, end_s))

    def _decide(self, scores: Scores, heard: Heard, *, trusted: bool) -> None:
        heard.scores.append(scores)
        if trusted or self._decider.is_on:
            decision, event = self._decider.push(scores, trusted=trusted)
        else:  # a deaf microphone may be loud: a buffer that is repeated, a converter that hangs
            decision, event = self._decider.push(replace(scores, probabilities={LOUD: 0.0}), trusted=False)
            score = scores.probabilities[LOUD]
            rule = f"not counted: {level_words(score)}, but this microphone may be deaf"
            decision = replace(decision, score=score, rule=rule)
        heard.decisions.append(decision)
        if event is not None:
            heard.events.append(event)

    def cross_gap(self, reason: str | None, at_s: float) -> list[Event]:
        """Confirm afresh after missing samples; if there is a reason, an open event ends with it."""
        if reason is None:
            self._decider.restart()
            return []
        return self.close(reason, at_s)

    def close(self, reason: str, at_s: float) -> list[Event]:
        """End an open event; see `Decider.close`."""
        ended = self._decider.close(reason, at_s)
        return [] if ended is None else [ended]
