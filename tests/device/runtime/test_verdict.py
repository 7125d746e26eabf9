"""One line says whether a daemon hears, and if not, since when and why."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from device.runtime.daemon_state import FaultStatus
from device.runtime.verdict import lasted_text, since_text, span_text, verdict_of

if TYPE_CHECKING:
    from device.runtime.daemon_state import DaemonState

NOW_UTC_S = 1795230847.0


def test_a_daemon_that_hears_says_so_whatever_else_is_wrong(state: DaemonState) -> None:
    faults = (FaultStatus("broker", NOW_UTC_S - 60, "refused"),)
    assert verdict_of(replace(state, faults=faults), NOW_UTC_S) == "hears: yes"


def test_a_deaf_daemon_names_the_fault_that_began_first(state: DaemonState) -> None:
    faults = (
        FaultStatus("broker", NOW_UTC_S - 900, "refused"),
        FaultStatus("classifier", NOW_UTC_S - 30, "it fails"),
        FaultStatus("microphone", NOW_UTC_S - 90, "unplugged"),
    )
    verdict = verdict_of(replace(state, hearing=False, faults=faults), NOW_UTC_S)
    assert verdict.startswith("hears NOTHING: ")
    assert verdict.endswith("(1 min 30 s)")


def test_a_daemon_without_a_deafening_fault_is_starting(state: DaemonState) -> None:
    assert verdict_of(replace(state, hearing=False), NOW_UTC_S).startswith("hears NOTHING yet")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.9, "0 s"),
        (59.99, "59 s"),
        (60, "1 min 0 s"),
        (3599, "59 min 59 s"),
        (3600, "1 h 0 min"),
        (86399, "23 h 59 min"),
        (86400, "1 d 0 h"),
        (90 * 86400 + 7200, "90 d 2 h"),
    ],
)
def test_a_span_is_written_in_its_two_largest_units(seconds: float, text: str) -> None:
    assert span_text(seconds) == text


def test_a_time_that_a_stepped_clock_put_into_the_future_has_no_age() -> None:
    assert "(" not in since_text(NOW_UTC_S + 1, NOW_UTC_S)
    assert since_text(NOW_UTC_S - 1, NOW_UTC_S).endswith(" (1 s)")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-3.0, "less than 1 s"),
        (0.0, "less than 1 s"),
        (0.4, "less than 1 s"),
        (0.9, "1 s"),
        (1.95, "2 s"),
        (59.7, "1 min 0 s"),
        (3600.2, "1 h 0 min"),
    ],
)
def test_what_lasted_is_rounded_and_never_said_to_have_lasted_no_time(seconds: float, text: str) -> None:
    assert lasted_text(seconds) == text
