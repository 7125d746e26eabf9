"""Figures of one group of scenes or recordings by one system, each with its interval over subjects."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from training.evaluation.alarms.sed_measures import COLLARS_S, count_events, error_rate, f1
from training.evaluation.measured import Figure
from training.statistics import bootstrap_interval, poisson_rate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from training.evaluation.alarm_counting import DetectedEvent
    from training.evaluation.measured import IntervalKind
    from training.statistics import Interval

    Rows = Mapping[str, Sequence[float] | Sequence[tuple[float, float]] | Sequence[tuple[int, int, int]]]

BOOTSTRAP: IntervalKind = "bootstrap over subjects"


@dataclass(frozen=True, slots=True)
class Group:
    """What the figures are of.

    Attributes:
        system: that was measured.
        of: the group in words, such as "20 dB".
        hours: of sound.
        seed: of the bootstraps.
    """

    system: str
    of: str
    hours: float
    seed: int

    def bootstrapped(self, measure: str, rows: Rows, statistic: Callable[[np.ndarray], float], unit: str) -> Figure:
        """A statistic of rows by subject; without a value if there are no rows, or if it is not defined for them."""
        every = np.array([row for held in rows.values() for row in held])
        value = statistic(every) if len(every) else float("nan")
        interval = None if np.isnan(value) else bootstrap_interval(rows, statistic, np.random.default_rng(self.seed))
        kind: IntervalKind = "none" if interval is None else BOOTSTRAP
        return self.figure(measure, value, interval, unit, kind, counts=(len(rows), len(every)))

    def figure(
        self,
        measure: str,
        value: float,
        interval: Interval | None,
        unit: str,
        kind: IntervalKind,
        *,
        counts: tuple[int, int],
    ) -> Figure:
        """A figure that was computed elsewhere; `counts` are its subjects and items, no interval means no value."""
        return Figure(
            system=self.system,
            measure=measure,
            of=self.of,
            value=None if interval is None else round(value, 5),
            low=None if interval is None else round(interval.low, 5),
            high=None if interval is None else round(interval.high, 5),
            unit=unit,
            interval=kind,
            subjects=counts[0],
            items=counts[1],
            hours=round(self.hours, 5),
        )

    def alarm_rates(self, streams: Iterable[tuple[str, int, float]]) -> Iterator[Figure]:
        """False alarms an hour: the exact Poisson interval, whose upper end holds where none was raised, and by source.

        Args:
            streams: subject, false alarms and seconds of each; all hours are distinct, as each is played once.
        """
        rows: dict[str, list[tuple[float, float]]] = {}
        for subject, alarms, seconds in streams:
            rows.setdefault(subject, []).append((alarms, seconds / 3600))
        every = np.array([row for held in rows.values() for row in held])
        alarms, unit = int(every[:, 0].sum()), "an hour"
        exact, counts = poisson_rate(alarms, self.hours), (len(rows), len(every))
        yield self.figure("false alarms an hour", alarms / self.hours, exact, unit, "exact Poisson", counts=counts)
        yield self.bootstrapped(
            "false alarms an hour, by source", rows, lambda held: float(held[:, 0].sum() / held[:, 1].sum()), unit
        )

    def event_measures(
        self, heard: Sequence[tuple[str, Sequence[DetectedEvent], Sequence[DetectedEvent]]]
    ) -> Iterator[Figure]:
        """sed_eval's F1 and error rate at each collar, from subject, annotated and detected events of each scene."""
        for collar_s in COLLARS_S:
            rows: dict[str, list[tuple[int, int, int]]] = {}
            for subject, annotated, detected in heard:
                rows.setdefault(subject, []).append(count_events(annotated, detected, collar_s=collar_s).row)
            for measure, statistic, unit in (("F1", f1, "share"), ("error rate", error_rate, "errors for each event")):
                yield self.bootstrapped(f"event {measure}, collar {collar_s:g} s", rows, statistic, unit)
