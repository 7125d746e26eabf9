"""Rare classes are repeated, frequent ones thinned out, and nothing but training examples is drawn."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from training.data.datasets.annotated_recording import AnnotatedRecording
from training.data.examples import Example
from training.preparation.class_balance import balanced

_RECORDING = AnnotatedRecording(Path("/a.wav"), "mine", (), "p", "", "", 4000, 999.0, (), "")


def examples(target: tuple[float, ...], count: int, part: str = "train") -> list[Example]:
    return [Example(_RECORDING, float(index), index + 1.0, target, "p", part) for index in range(count)]


def test_all_classes_come_to_the_wanted_number() -> None:
    held = examples((0, 0), 100) + examples((1, 0), 10) + examples((0, 1), 20)
    drawn = balanced(held, np.random.default_rng(0), per_class=40)
    assert Counter(one.example.target for one in drawn) == {(0, 0): 40, (1, 0): 40, (0, 1): 40}
    assert Counter(one.copy for one in drawn if one.example.target == (1, 0)) == {0: 10, 1: 10, 2: 10, 3: 10}
    assert {one.copy for one in drawn if one.example.target == (0, 0)} == {0}


def test_without_a_number_the_classes_meet_in_the_middle() -> None:
    held = examples((0,), 90) + examples((1,), 10)
    drawn = balanced(held, np.random.default_rng(0))
    assert Counter(one.example.target for one in drawn) == {(0,): 30, (1,): 30}


def test_one_example_is_not_repeated_without_end() -> None:
    held = examples((0,), 1000) + examples((1,), 2)
    drawn = balanced(held, np.random.default_rng(0), per_class=500, most_copies=5)
    assert sum(one.example.target == (1,) for one in drawn) == 10


def test_validation_and_test_examples_are_never_drawn() -> None:
    held = examples((0,), 5, "val") + examples((1,), 5, "test")
    assert balanced(held, np.random.default_rng(0)) == ()
    drawn = balanced(held + examples((1,), 3), np.random.default_rng(0), per_class=9)
    assert {one.example.part for one in drawn} == {"train"}


@given(st.lists(st.integers(1, 60), min_size=1, max_size=4), st.integers(1, 80), st.integers(0, 9))
def test_every_example_of_a_class_is_drawn_before_one_is_repeated(sizes: list[int], wanted: int, seed: int) -> None:
    held = [one for place, size in enumerate(sizes) for one in examples((float(place),), size)]
    drawn = balanced(held, np.random.default_rng(seed), per_class=wanted)
    assert drawn == balanced(held, np.random.default_rng(seed), per_class=wanted)
    for place, size in enumerate(sizes):
        counts = Counter(one.example.start_s for one in drawn if one.example.target == (place,))
        assert sum(counts.values()) == min(wanted, 8 * size)
        assert max(counts.values()) - (min(counts.values()) if len(counts) == size else 0) <= 1
