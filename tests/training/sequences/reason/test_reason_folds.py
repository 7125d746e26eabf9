"""The reason of a cry: what can be told is found, what cannot is never answered, and the network computes the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from training.networks.audioset import second_network
from training.networks.audioset.reason_network import reason_network
from training.sequences.reason.crying import NotedCry, windows_of
from training.sequences.reason.reason_command import description
from training.sequences.reason.reason_folds import (
    NEVER,
    FittedHead,
    answered_from,
    cross_validation,
    excludes_chance,
    fit_head,
)

if TYPE_CHECKING:
    from training.evaluation.abstention import JudgedPart
    from training.evaluation.measured import Figure


def cries(apart: float, subjects: int = 40) -> list[NotedCry]:
    """Two cries of each subject; some numbers of an embedding are so far apart between the labels."""
    rng = np.random.default_rng(7)
    found = []
    for number in range(2 * subjects):
        target = (1.0, 0.0) if number % 4 else (0.0, 1.0)
        embeddings = rng.normal(size=(8, 384)).astype(np.float32)
        embeddings[:, :60] += apart * target[1]
        found.append(NotedCry(f"{number}.ogg", f"s{number // 2}", target, embeddings))
    return found


def test_a_reason_that_can_be_heard_is_told_and_answered() -> None:
    figures, judged = cross_validation(cries(3.0), folds=5, wanted=0.7, rng=np.random.default_rng(1))
    assert excludes_chance(figures)
    assert figures[0].value is not None
    assert figures[0].value > 0.9
    assert answered_from(figures, judged, 0.7) < 0.9


@pytest.fixture(scope="module")
def unheard() -> tuple[tuple[Figure, ...], JudgedPart]:
    return cross_validation(cries(0.0), folds=5, wanted=0.5, rng=np.random.default_rng(1))


def test_a_reason_that_cannot_be_heard_is_never_answered(unheard: tuple[tuple[Figure, ...], JudgedPart]) -> None:
    figures, judged = unheard
    assert not excludes_chance(figures)
    assert answered_from(figures, judged, 0.5) == NEVER
    labels = description(NEVER, figures, fit_head(cries(0.0)))["labels"]
    assert [(one["name"], one["role"]) for one in labels] == [("hungry", "verdict"), ("other", "verdict")]
    assert {one["operating_point"]["on"] for one in labels} == {NEVER}


def test_each_subject_is_tested_once(unheard: tuple[tuple[Figure, ...], JudgedPart]) -> None:
    assert sorted(unheard[1].subject.tolist()) == sorted(cry.subject for cry in cries(0.0))


@pytest.fixture(scope="module")
def fitted() -> FittedHead:
    return fit_head(cries(3.0))


def test_hop_by_hop_the_network_gives_what_training_computed(fitted: FittedHead) -> None:
    backbone = second_network.build_backbone()
    network = reason_network(backbone, *fitted)
    windows = np.random.default_rng(1).normal(size=(5, 197, 128, 1)).astype(np.float32)
    embeddings = np.asarray(backbone(windows[:, -second_network.SECOND_FRAMES :], training=False))
    wanted = fitted.probabilities(NotedCry("a.ogg", "s", (1.0, 0.0), embeddings))
    past = np.zeros((1, 1, 384), np.float32)
    for hop in range(5):
        out = network([windows[hop : hop + 1], past], training=False)
        powers = np.exp(np.asarray(out["scores"])[0])
        assert np.allclose(powers / powers.sum(), wanted[hop], atol=1e-3)
        past = np.asarray(out["next_past"])


def test_a_recording_shorter_than_a_window_gives_one() -> None:
    assert windows_of(np.ones(8000, np.float32)).shape == (1, 197, 128, 1)
    assert windows_of(np.ones(16000 * 5, np.float32)).shape[0] == 7
