"""What a window of breath sounds is to be called, label by label; NaN where the annotation leaves it open.

A label holds if its event lies in the middle second of the window: so a window of two seconds hears what is before and
after, and the windows of a recording still tell one breath from the next.

Collections annotate differently. SPRSound marks each event with its type, or calls a whole recording poor. ICBHI marks
breath cycles, somewhere in which a sound is heard, without its type: a window knows of the cycle that holds most of its
middle. KAUH labels whole recordings: of its normal ones it is known that nothing adventitious is heard, of the others
nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from training.data.tasks import BREATH_FINDINGS, BREATH_SOUNDS

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy.typing as npt

    from training.data.datasets.annotated_recording import AnnotatedRecording, AnnotatedSpan

    Float32 = npt.NDArray[np.float32]

LABELS = BREATH_FINDINGS.labels
MIDDLE_S = 1.0
"""Seconds of the middle of a window whose events it is called by."""

_LEAST_S = 0.25
_LEAST_SHARE = 0.5
_POOR = "Poor Quality"
_TYPES_OF = {
    "wheeze": ("sibilant_wheeze", "rhonchi", "stridor", "wheeze_crackle"),
    "crackle": ("fine_crackle", "coarse_crackle", "wheeze_crackle"),
}
_CYCLES = frozenset({"icbhi", "icbhi_more"})


def window_targets(recording: AnnotatedRecording, start_s: float, end_s: float) -> Float32 | None:
    """Targets of the window from `start_s` to `end_s`: (labels,), each 0, 1 or NaN; None if nothing is known."""
    if _POOR in recording.labels:
        return _encoded({"poor_quality"})
    middle = (start_s + end_s - MIDDLE_S) / 2, (start_s + end_s + MIDDLE_S) / 2
    if recording.set in _CYCLES:
        return _of_cycle(recording.events, middle)
    if recording.events:
        return _of_events(recording.events, middle)
    if set(recording.labels) == {"Normal"}:
        return _encoded(set(), unknown={"normal", "poor_quality"})
    return None


def _of_events(events: Iterable[AnnotatedSpan], middle: tuple[float, float]) -> Float32:
    """A label holds if enough of one of its events, or of the middle second, is shared."""
    found: set[str] = set()
    for event in events:
        shared_s = _shared_s(event, middle)
        if shared_s > 0 and shared_s >= min(_LEAST_S, _LEAST_SHARE * (event.end_s - event.start_s)):
            found.update(BREATH_FINDINGS.label_map[event.label.casefold()])
    return _encoded(found - {"normal"} or found)


def _of_cycle(cycles: Iterable[AnnotatedSpan], middle: tuple[float, float]) -> Float32 | None:
    """Wheeze and crackle of the cycle that fills more than half of the middle; the type of neither is known."""
    held = next((one for one in cycles if _shared_s(one, middle) > MIDDLE_S / 2), None)
    target = None if held is None else BREATH_SOUNDS.target_of((held.label,))
    if target is None:
        return None
    found = {label for label, value in zip(BREATH_SOUNDS.labels, target, strict=True) if value}
    unknown = {one for label in found for one in _TYPES_OF[label]}
    return _encoded(found or {"normal"}, unknown=unknown)


def _shared_s(span: AnnotatedSpan, middle: tuple[float, float]) -> float:
    return min(span.end_s, middle[1]) - max(span.start_s, middle[0])


def _encoded(found: set[str], *, unknown: Iterable[str] = ()) -> Float32:
    return np.array([np.nan if label in unknown else float(label in found) for label in LABELS], np.float32)
