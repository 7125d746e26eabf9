"""The judgement on a trial, without a Home Assistant."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

from tests.ha.claims import Table
from tests.ha.household import as_list, guide
from tests.ha.trials import RINGS, SILENCE

if TYPE_CHECKING:
    import pytest


def test_a_claim_that_comes_true_holds() -> None:
    table, asked = Table("an alarm"), count()
    assert table.expect("the third time", lambda: next(asked) >= 2, 5.0)
    assert table.holds


def test_a_claim_that_does_not_come_true_is_missed_and_the_trial_goes_on(capsys: pytest.CaptureFixture[str]) -> None:
    table = Table("an alarm")
    assert not table.expect("never", lambda: "", 0.15)
    assert table.expect("always", lambda: True)
    assert not table.holds
    assert str(table) == "2 claims, 1 missed"
    assert "MISSED   an alarm" in capsys.readouterr().out


def test_what_must_stay_is_missed_once_it_does_not() -> None:
    table, asked = Table(), count()
    table.stays("three times", lambda: next(asked) < 3, 5.0)
    table.stays("all the time", lambda: True, 0.15)
    assert [row.took_s is None for row in table.rows] == [True, False]


def test_nothing_that_is_claimed_proves_nothing() -> None:
    assert not Table().holds


def test_the_automations_that_are_tried_are_all_that_the_guide_shows() -> None:
    listed = as_list(guide())
    assert [line for line in listed.splitlines() if line.startswith("- ")] == [
        f"- alias: {RINGS}",
        f"- alias: {SILENCE}",
    ]
    assert all(line.startswith(("- ", "  ")) for line in listed.splitlines() if line)
