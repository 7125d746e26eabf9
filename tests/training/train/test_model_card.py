"""The card: what a user of the model has to know stands in it."""

from __future__ import annotations

import json

from training.data.split_list import read_list
from training.train.model_card import SOURCES, model_card


def test_every_set_of_the_list_is_named_with_its_licence_and_its_parts() -> None:
    card = model_card(
        clips=read_list(), recipe={"seed": 1}, validation={"recall": 0.9}, commands=["python -m training distill"]
    )
    assert {row["set"] for row in card["data"]} == {clip.set for clip in read_list()} <= set(SOURCES)
    cries = {row["set"]: row["train"].split(" + ")[0] for row in card["data"]}
    assert int(cries["donateacry"]) > 100
    assert cries["speech"] == "0"


def test_terms_and_teacher_are_said_plainly() -> None:
    card = model_card(clips=read_list(), recipe={}, validation={}, commands=[])
    assert "Non-commercial" in card["licence"]
    assert "Copyright (c) 2022 Florian Schmid" in card["teacher"]["licence"]
    assert json.loads(json.dumps(card)) == card
