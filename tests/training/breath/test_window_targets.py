"""What windows are called, for each way in which a collection is annotated."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from training.breath.window_targets import LABELS, window_targets
from training.data.datasets.annotated_recording import AnnotatedRecording, AnnotatedSpan


def recording(name: str, labels: tuple[str, ...], *events: tuple[float, float, str]) -> AnnotatedRecording:
    spans = tuple(AnnotatedSpan(*event) for event in events)
    return AnnotatedRecording(Path("a.wav"), name, labels, "p", "", "", 4000, 10.0, spans, "")


def called(one: AnnotatedRecording, start_s: float) -> tuple[set[str], set[str]] | None:
    """Which labels hold in the window of two seconds, and which are open."""
    targets = window_targets(one, start_s, start_s + 2.0)
    if targets is None:
        return None
    pairs = list(zip(LABELS, targets, strict=True))
    return {name for name, value in pairs if value == 1}, {name for name, value in pairs if np.isnan(value)}


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        ("Wheeze", {"wheeze", "sibilant_wheeze"}),
        ("Rhonchi", {"wheeze", "rhonchi"}),
        ("Stridor", {"wheeze", "stridor"}),
        ("Fine Crackle", {"crackle", "fine_crackle"}),
        ("Coarse Crackle", {"crackle", "coarse_crackle"}),
        ("Wheeze+Crackle", {"wheeze", "crackle", "wheeze_crackle"}),
        ("Normal", {"normal"}),
    ],
)
def test_an_event_is_called_by_its_type_and_by_what_the_device_calls_it(event: str, expected: set[str]) -> None:
    assert called(recording("sprsound", ("CAS",), (2.0, 3.0, event)), 1.5) == (expected, set())


def test_the_middle_second_decides() -> None:
    """The window from 1 to 3 s has its middle from 1.5 to 2.5 s; a quarter of a second of it is enough."""
    for start_s, expected in ((2.25, {"crackle", "fine_crackle"}), (2.3, set())):
        assert called(recording("sprsound", ("DAS",), (start_s, 4.0, "Fine Crackle")), 1.0) == (expected, set())


def test_half_of_a_short_event_is_enough_and_an_event_of_no_length_is_never_heard() -> None:
    assert called(recording("sprsound", ("DAS",), (2.45, 2.55, "Fine Crackle")), 1.0) == (
        {"crackle", "fine_crackle"},
        set(),
    )
    assert called(recording("sprsound", ("DAS",), (2.0, 2.0, "Fine Crackle")), 1.0) == (set(), set())


def test_what_holds_both_an_adventitious_and_a_normal_breath_is_not_normal() -> None:
    one = recording("sprsound", ("CAS",), (1.0, 2.0, "Normal"), (2.0, 3.0, "Rhonchi"))
    assert called(one, 1.0) == ({"wheeze", "rhonchi"}, set())
    assert called(one, 0.2) == ({"normal"}, set())


def test_a_recording_of_poor_quality_is_called_so_everywhere() -> None:
    assert called(recording("sprsound", ("Poor Quality",)), 5.0) == ({"poor_quality"}, set())


def test_a_cycle_says_what_is_heard_but_not_its_type() -> None:
    one = recording("icbhi_more", ("Crackle+Wheeze",), (0.0, 3.0, "Crackle"), (3.0, 6.0, "Normal"), (6, 9, "Wheeze"))
    crackles, wheezes = {"fine_crackle", "coarse_crackle", "wheeze_crackle"}, {"sibilant_wheeze", "rhonchi", "stridor"}
    assert called(one, 0.5) == ({"crackle"}, crackles)
    assert called(one, 3.5) == ({"normal"}, set())
    assert called(one, 6.5) == ({"wheeze"}, wheezes | {"wheeze_crackle"})
    assert called(one, 2.0) is None, "half of the middle lies in either cycle"
    assert called(one, 8.5) is None, "no cycle fills the middle"


def test_a_whole_recording_that_is_normal_holds_nothing_adventitious_and_one_that_is_not_says_nothing() -> None:
    holds, is_open = called(recording("kauh", ("Normal",)), 3.0) or ({"?"}, set())
    assert (holds, is_open) == (set(), {"normal", "poor_quality"})
    assert called(recording("kauh", ("Wheeze",)), 3.0) is None
    assert called(recording("kauh", ("Normal", "Crackle")), 3.0) is None
