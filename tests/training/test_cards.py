"""What people write about a shipped model stands in its bundle and on its page alike, and says what it must."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from device.hearing.bundle.reader import read_bundle
from device.runtime.model_library import shipped_bundles
from training.data.split_list import CRY_LIST, SCREAM_LIST, read_list

ROOT = Path(__file__).resolve().parents[2]
CARDS = ROOT / "training" / "cards"
NAMES = sorted(shipped_bundles())
AIMED = ("cry", "cry-reason", "lung", "scream")
"""Those that the project set aims for; the others ship beside them."""


def described(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((CARDS / f"{name}.json").read_text(encoding="utf-8"))
    return found


def page(name: str) -> str:
    return " ".join((ROOT / "docs" / f"{name}-model.md").read_text(encoding="utf-8").split())


@pytest.mark.parametrize("name", NAMES)
def test_the_bundle_carries_what_is_written_about_it(name: str) -> None:
    card = read_bundle(shipped_bundles()[name]).card
    written = described(name)
    assert {key: card.get(key) for key in written} == written


@pytest.mark.parametrize("name", NAMES)
def test_a_card_says_what_it_learned_from_under_which_terms_and_what_it_is_not_for(name: str) -> None:
    card = read_bundle(shipped_bundles()[name]).card
    assert "no medical device" in card["not_for"]
    assert card["intended_use"]
    assert card["limits"]
    assert card["licence"]
    assert card["headline"]
    assert card["tried"]
    for row in card["data"]:
        assert row["licence"], row["set"]
        assert row["train"], row["set"]


@pytest.mark.parametrize("name", NAMES)
def test_the_page_says_that_it_is_no_medical_device_and_names_every_set_with_its_licence(name: str) -> None:
    text = page(name)
    assert "**no medical device**" in text
    for row in described(name)["data"]:
        assert row["set"].casefold() in text.casefold() or name == "lung"
        assert row["licence"].split(",")[0] in text


@pytest.mark.parametrize("name", AIMED)
def test_each_aim_stands_on_the_page_beside_what_was_reached(name: str) -> None:
    card = described(name)
    assert card["aims"]
    for aim in card["aims"]:
        assert " ".join(f"| {aim['what']} | {aim['aim']} | {aim['reached']} | {aim['met']} |".split()) in page(name)
        assert re.search(r"\d", aim["reached"])


@pytest.mark.parametrize("name", sorted(set(AIMED) - {"cry-reason"}))
def test_what_was_tried_and_why_aims_are_missed_stands_on_the_page(name: str) -> None:
    card, text = described(name), page(name)
    assert " ".join(card["aims_missed"].split()) in text
    assert [one for one in card["tried"] if " ".join(one.split()) not in text] == []


@pytest.mark.parametrize(
    ("name", "split"), [("cry", CRY_LIST), ("scream", SCREAM_LIST), ("scream-resnet34", SCREAM_LIST)]
)
def test_the_subjects_of_a_card_are_those_of_the_committed_list(name: str, split: Path) -> None:
    lines = [*read_list(split)]
    if split == CRY_LIST:
        lines += [one for one in read_list(SCREAM_LIST) if one.set in ("pets", "animals")]
    counted: dict[tuple[str, str], set[str]] = defaultdict(set)
    for one in lines:
        if one.label != "ignore":
            counted[one.set, one.part].add(one.subject)
    for row in described(name)["data"]:
        told = dict(re.findall(r"(train|val|test) (\d+)", row.get("subjects", "")))
        listed = {part: str(len(counted[row["set"], part])) for part in ("train", "val", "test")}
        assert told == {part: count for part, count in listed.items() if count != "0"}, row["set"]


def test_shipped_models_take_at_most_12_mb_together() -> None:
    assert sum(path.stat().st_size for path in shipped_bundles().values()) <= 12_000_000
