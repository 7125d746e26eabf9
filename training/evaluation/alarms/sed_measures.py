"""Event-based counts as sed_eval defines them: the one module that calls that library.

A. Mesaros, T. Heittola, T. Virtanen, "Metrics for Polyphonic Sound Event Detection", Applied Sciences 6:6 (2016) 162.
An estimated event is right if its onset lies within a collar of the annotated one, and its offset within the collar
or within half the event's length, whichever is more. Our own count of alarms (`alarm_counting`) stands beside it: a
caregiver is woken by a begin, whatever the end.
"""

from __future__ import annotations

import warnings
from dataclasses import astuple, dataclass
from typing import TYPE_CHECKING, Any

from device.errors import MissingExtraError

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy as np
    import numpy.typing as npt

    from training.evaluation.alarm_counting import DetectedEvent

    Counts = npt.NDArray[np.int64]

COLLARS_S = (0.2, 2.0)
"""The field's usual collar, and one as wide as the device's window, for a model that is to wake and not to segment."""

_LENGTH_SHARE = 0.5


@dataclass(frozen=True, slots=True)
class EventCounts:
    """Counts of one recording, which add up over recordings.

    Attributes:
        annotated: reference events.
        estimated: events that were detected.
        right: detected events that match one.
    """

    annotated: int
    estimated: int
    right: int

    @property
    def row(self) -> tuple[int, int, int]:
        """As a row for `f1` and `error_rate`."""
        annotated, estimated, right = astuple(self)
        return annotated, estimated, right


def count_events(
    annotated: Iterable[DetectedEvent], estimated: Iterable[DetectedEvent], *, collar_s: float
) -> EventCounts:
    """sed_eval's counts of one recording, matched so that most events are right.

    Raises:
        MissingExtraError: sed_eval is not installed.
    """
    metrics = _sed_eval().sound_event.EventBasedMetrics(
        event_label_list=["event"],
        t_collar=collar_s,
        percentage_of_length=_LENGTH_SHARE,
        event_matching_type="optimal",
    )
    metrics.evaluate(_listed(annotated), _listed(estimated))
    overall = metrics.overall
    return EventCounts(int(overall["Nref"]), int(overall["Nsys"]), int(overall["Ntp"]))


def f1(rows: Counts) -> float:
    """F1 of summed counts (recordings, 3): 2 right / (annotated + estimated); NaN without either."""
    annotated, estimated, right = rows.sum(axis=0)
    return float(2 * right / (annotated + estimated)) if annotated + estimated else float("nan")


def error_rate(rows: Counts) -> float:
    """Error rate of summed counts: (missed + inserted) / annotated; with one label nothing is substituted.

    It may exceed 1. NaN without an annotated event.
    """
    annotated, estimated, right = rows.sum(axis=0)
    return float((annotated - right + estimated - right) / annotated) if annotated else float("nan")


def _listed(events: Iterable[DetectedEvent]) -> Any:
    import dcase_util

    return dcase_util.containers.MetaDataContainer(
        [{"event_onset": one.onset_s, "event_offset": one.offset_s, "event_label": "event"} for one in events]
    )


def _sed_eval() -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of pkg_resources, which dcase_util imports
            import sed_eval
    except ImportError as error:
        raise MissingExtraError(
            "sed_eval is not installed; install the extra: pip install 'auricle[training]'"
        ) from error
    return sed_eval
