"""The table of faults: complete, and in step with the page that people read."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest

from device.fault_info import DEAFENING, FAULTS, FOUND_BY_DAEMON
from device.messages import FaultKind

ALARMS_PAGE = Path(__file__).parents[2] / "docs" / "alarms.md"


def test_every_kind_of_fault_has_a_row() -> None:
    assert set(FAULTS) == set(get_args(FaultKind))


def test_every_fault_but_a_gap_has_a_priority_and_only_sounds_are_high() -> None:
    """A gap is over by the time it is known: it is logged, and where gaps are many, coverage is the alarm."""
    assert {kind for kind, info in FAULTS.items() if info.priority is None} == {"gap"}
    assert {info.priority for info in FAULTS.values()} == {"medium", "low", None}


def test_a_fault_that_deafens_is_found_by_a_listener_and_is_urgent() -> None:
    assert not DEAFENING & FOUND_BY_DAEMON
    assert {FAULTS[kind].priority for kind in DEAFENING} == {"medium"}


@pytest.mark.parametrize("kind", get_args(FaultKind))
def test_words_and_cure_are_short_sentences_without_capital_or_full_stop(kind: FaultKind) -> None:
    for sentence in (FAULTS[kind].words, FAULTS[kind].cure):
        assert 10 <= len(sentence) <= 160
        assert sentence[0].islower()
        assert not sentence.endswith(".")


@pytest.mark.parametrize("kind", sorted(set(get_args(FaultKind)) - {"gap"}))
def test_the_alarms_page_states_the_priority_of_each_fault(kind: FaultKind) -> None:
    rows = [line.split("|") for line in ALARMS_PAGE.read_text(encoding="utf-8").splitlines() if f"`{kind}`" in line]
    priorities = {cells[2].strip() for cells in rows if len(cells) > 2} & {"medium", "low"}
    assert priorities == {FAULTS[kind].priority}
