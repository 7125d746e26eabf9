"""What counts as found, as false and as late, and which sensitivity follows."""

from __future__ import annotations

import pytest

from device.report.spans import Span
from device.tools.evaluate.night_labels import LabelledSound
from device.tools.evaluate.sound_comparison import Counts, compare, counts, quantile, recommended


def sound(start_s: float, end_s: float) -> LabelledSound:
    return LabelledSound(start_s, end_s, "cry", "a.txt:1")


def span(start_s: float, end_s: float, event_id: str = "0", *, closed_by: str | None = "quiet") -> Span:
    decided_s = start_s + 3
    return Span(event_id, "cry", "cry", start_s, end_s, decided_s, 0.9, "", closed_by, start_s + 1.5, end_s - 1.5)


def test_a_sound_is_found_by_any_span_that_overlaps_it_and_late_by_its_alert() -> None:
    found = compare([sound(10, 20), sound(25, 30), sound(100, 110)], [span(9, 31.5)])
    assert [delay_s for _, delay_s in found.found] == [2.0, 0.0]  # the second one while the alert was on
    assert [each.start_s for each in found.missed] == [100]
    assert found.false_alarms == ()
    assert found.onset_errors_s == (0.5,)
    assert found.offset_errors_s == (0.0,)


def test_an_alert_is_false_once_however_often_it_begins_again() -> None:
    spans = [span(0, 5, "0"), span(8, 12, "0"), span(50, 60, "1"), span(90, 99, "2")]
    found = compare([sound(52, 53)], spans)
    assert [each.start_s for each in found.false_alarms] == [0, 90]
    assert counts([found, found], 4.0) == Counts(2, 2, 4, 4.0)
    assert compare([sound(9, 10)], spans[:2]).false_alarms == ()  # a part of it was right


def test_an_end_that_the_sound_did_not_make_is_no_error_of_the_end() -> None:
    assert compare([sound(10, 20)], [span(9, 21, closed_by="end_of_file")]).offset_errors_s == ()
    assert compare([sound(10, 20)], [span(9, 21, closed_by=None)]).offset_errors_s == ()


def test_the_sensitivity_that_finds_most_within_the_false_alarms_is_recommended() -> None:
    swept = {
        -1: Counts(12, 7, 0, 10.0),
        0: Counts(12, 9, 1, 10.0),
        1: Counts(12, 11, 3, 10.0),
        2: Counts(12, 11, 3, 10.0),
        3: Counts(12, 12, 9, 10.0),
    }
    assert recommended(swept, 0, 0.5) == 1
    assert recommended(swept, 2, 0.5) == 2  # of equals the one that is configured
    assert recommended(swept, 0, 1.0) == 3
    assert recommended(swept, 0, 0.0) == -1
    noisy = {step: Counts(2, 2, 50 + abs(step + 3), 1.0) for step in range(-5, 6)}
    assert recommended(noisy, 0, 0.5) == -3


@pytest.mark.parametrize(("values", "share", "expected"), [
    ([], 0.5, None), ([3.0], 0.9, 3.0), ([4.0, 1.0, 3.0, 2.0], 0.5, 2.0), (list(range(1, 11)), 0.9, 9),
    (list(range(1, 12)), 0.9, 10),
])  # fmt: skip
def test_a_quantile_is_a_value_that_was_seen(values: list[float], share: float, expected: float | None) -> None:
    assert quantile(values, share) == expected
