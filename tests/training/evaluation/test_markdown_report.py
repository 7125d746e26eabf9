"""The page and the card say what stands in the report."""

from __future__ import annotations

import itertools
import json
from typing import TYPE_CHECKING, Any

import pytest

from device.hearing.bundle.card_page import card_markdown
from device.hearing.decision import OperatingPoint
from tests.training.conftest import change_scored
from training.evaluation import event_metrics
from training.evaluation.detectors import FLOAT, INT8, System
from training.evaluation.markdown_report import card_section, headline, markdown, method

if TYPE_CHECKING:
    from collections.abc import Callable

    from training.evaluation.runner import ScoredScene

POINT = OperatingPoint(on=0.6, off=0.3, confirm_s=1.0, confirm_of_s=1.5, min_length_s=0.0, hold_s=5.0, cooldown_s=10.0)


@pytest.fixture
def report(make_scored: Callable[..., ScoredScene]) -> dict[str, Any]:
    """Two cries, one doubtful and missed, one cat that raises an alert, an hour with one alarm; two systems."""
    named = {"set": "donateacry", "kind": "cry|hungry", "is_event": True}
    own = [
        make_scored(name="donateacry/1.wav", subject="a", level=0.9, alarms_s=(6.0,), **named),
        make_scored(name="donateacry/2.wav", subject="b", level=0.1, doubtful=True, **named),
        make_scored(kind="cat|a", level=0.7, alarms_s=(7.0,)),
        make_scored(name="ambient/l", set="ambient", snr_db=None, duration_s=3600.0, start_s=0.0, alarms_s=(4.0,)),
    ]
    both = [*own, *(change_scored(one, system=FLOAT) for one in own)]
    systems = (System(INT8, 2.0, POINT), System(FLOAT, 2.0, POINT))
    return {
        "part": "test",
        "command": "python -m training evaluate",
        "bundle": {"name": "cry", "version": "1.0.0", "label": "cry", "network_sha256": "ab" * 32, "runtime": "x 1"},
        "split": {"file": "training/splits/cry.csv", "sha256": "cd" * 32},
        "earlier_int8_cost": [],
        **event_metrics.report(both, systems, snr_db=20.0, seed=1),
    }


def test_the_headline_tells_counts_and_intervals(report: dict[str, Any]) -> None:
    sentence = headline(report)
    assert "1 of 2 in donateacry (9.5 to 90.5 %)" in sentence
    assert "other clips that raise an alert: 1 of 1" in sentence
    assert "false alarms: 1 in 1.00 h (0.03 to 5.57 an hour)" in sentence
    assert "kHz" not in sentence
    assert sentence.startswith("Test subjects")


def test_validation_is_never_called_held_out(report: dict[str, Any]) -> None:
    validated = report | {"part": "val"}
    assert headline(validated).startswith("Validation subjects")
    assert "chose the checkpoint and the threshold" in method("val")["subjects"]
    assert method("val")["subjects"] in markdown(validated)


def test_every_row_of_every_table_has_its_headers_cells(report: dict[str, Any]) -> None:
    lines = markdown(report).splitlines()
    tables = [list(rows) for is_table, rows in itertools.groupby(lines, lambda line: line.startswith("|")) if is_table]
    assert len(tables) == 7
    for table in tables:
        assert len(table) > 2
        assert len({line.count(" | ") for line in table}) == 1


def test_the_page_names_what_was_judged(report: dict[str, Any]) -> None:
    page = markdown(report)
    for said in ("ab" * 32, "cd" * 32, "python -m training evaluate", "donateacry, without doubtful", "esc50: cat a"):
        assert said in page


def test_aims_that_were_missed_are_said_so(report: dict[str, Any]) -> None:
    assert "| recall, donateacry | >= 0.95 | 0.5 | no |" in markdown(report)


def test_networks_stand_side_by_side(report: dict[str, Any]) -> None:
    page = markdown(report)
    assert "|  | int8 | float |" in page
    assert "2 scenes, INT8 costs 0.00 points of recall" in page
    alone = report | {"systems": report["systems"][:1], "int8_cost": []}
    assert "Beside other networks" not in markdown(alone)


def test_a_page_without_a_float_network_says_that_the_cost_of_int8_was_not_measured(report: dict[str, Any]) -> None:
    said = "This run did not measure what INT8 costs"
    assert said not in markdown(report)
    without = report | {"systems": report["systems"][:1], "int8_cost": []}
    assert said in markdown(without)
    assert "earlier evaluation" not in markdown(without)
    earlier = [
        {"source": "esc50", "auc_points": 0.04, "recall_points": 3.5},
        {"source": event_metrics.EVERY_LEVEL, "auc_points": None, "recall_points": 0.0},
    ]
    kept = without | {"earlier_int8_cost": earlier}
    assert "kept the figures (points of ROC AUC that int8 costs, the worst source: 0.04; points of rec" in markdown(
        kept
    )
    assert card_section(kept)["evaluation"]["int8_cost"] == earlier


def test_a_report_without_streams_or_others_is_still_a_page(
    report: dict[str, Any], make_scored: Callable[..., ScoredScene]
) -> None:
    cry = make_scored(is_event=True)
    bare = event_metrics.report([cry], (System(INT8, 2.0, POINT),), snr_db=20.0, seed=1)
    page = markdown({**report, **bare})
    assert "0 of 1 in esc50" in page
    assert "nan" not in page
    assert "None" not in page


def test_the_cards_section_is_json_that_a_card_shows_as_tables(report: dict[str, Any]) -> None:
    section = card_section(report)
    assert json.loads(json.dumps(section, allow_nan=False)) == section
    assert section["headline"] == headline(report)
    page = card_markdown("cry", section)
    assert "### cries" in page
    assert "| source |" in page
    assert "donateacry" in page
