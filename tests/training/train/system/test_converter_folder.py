"""The description that the converter reads of a trained run."""

from __future__ import annotations

from training.networks.catalog import find_form
from training.train.judging.chosen_thresholds import Choice
from training.train.system.converter_folder import description


def test_a_scream_raises_an_alarm_and_what_is_heard_beside_it_is_noted() -> None:
    labels = description(find_form("resnet34/abnormal"), Choice("sigmoid", 1.0, None), "abnormal", {})["labels"]
    assert [(label["name"], label["role"], label["priority"]) for label in labels] == [
        ("scream", "alarm", "high"),
        ("glass_breaking", "info", "low"),
        ("siren", "info", "low"),
    ]
