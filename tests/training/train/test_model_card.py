"""The card: what a user of the model has to know stands in it."""

from __future__ import annotations

import json

from training.data.split_list import read_list
from training.train.model_card import SOURCES, card


def test_every_set_of_the_list_is_named_with_its_licence_and_its_parts() -> None:
    words = card(
        clips=read_list(), recipe={"seed": 1}, validation={"recall": 0.9}, commands=["python -m training train"]
    )
    assert {row["set"] for row in words["data"]} == {clip.set for clip in read_list()} <= set(SOURCES)
    cries = {row["set"]: row["train"].split(" + ")[0] for row in words["data"]}
    assert int(cries["donateacry"]) > 100
    assert cries["speech"] == "0"


def test_terms_and_teacher_are_said_plainly() -> None:
    words = card(clips=read_list(), recipe={}, validation={}, commands=[])
    assert "Non-commercial" in words["licence"]
    assert "Copyright (c) 2022 Florian Schmid" in words["teacher"]["licence"]
    assert json.loads(json.dumps(words)) == words
