"""A wrong label is found, and right ones are left alone."""

from __future__ import annotations

import numpy as np
import pytest

from training.survey.levels import levels_of
from training.survey.recording_facts import LabelledStretch
from training.survey.suspicious_labels import PlacedStretch, suspicious_labels

RNG = np.random.default_rng(5)


def stretch(label: str, kind: float, subject: int, *, length_s: float = 1.0, silent: bool = False) -> PlacedStretch:
    """A stretch whose spectrum is that of a kind, a little different each time."""
    samples = np.zeros(100, np.float32) if silent else np.linspace(-0.5, 0.5, 100, dtype=np.float32)
    spectrum = None if silent else (kind + RNG.normal(0, 0.3, 8)).astype(np.float32)
    found = LabelledStretch(label, 1.5, 1.5 + length_s, levels_of(samples, 8_000), spectrum)
    return PlacedStretch(f"{label}/{subject}.wav", f"s{subject}", found)


def collection() -> list[PlacedStretch]:
    return [stretch(label, kind, subject) for subject in range(20) for label, kind in (("cry", 3.0), ("dog", -3.0))]


def test_nothing_is_suspicious_where_labels_and_sounds_agree() -> None:
    assert suspicious_labels(collection()) == ()


def test_a_cry_that_lies_among_the_dogs_is_found_and_no_other() -> None:
    (one,) = suspicious_labels([*collection(), stretch("cry", -3.0, 21)])
    assert (one.file, one.start_s, one.label) == ("cry/21.wav", 1.5, "cry")
    assert one.reason == 'sounds like "dog": 10 of its 10 nearest are, none is "cry"'


def test_neighbours_of_its_own_subject_do_not_speak_for_a_label() -> None:
    wrong = [stretch("cry", -3.0, 21) for _ in range(12)]  # a recordist's one mistake, twelve times
    assert len(suspicious_labels([*collection(), *wrong])) == 12


def test_labels_that_the_spectrum_does_not_tell_apart_are_not_judged_by_it() -> None:
    rare = [stretch("hungry", 3.0, subject) for subject in range(30, 33)]
    assert suspicious_labels([*collection(), *rare]) == ()


def test_two_labels_of_one_stretch_do_not_accuse_each_other() -> None:
    both = [
        PlacedStretch("both.wav", f"t{number}", stretch(label, 3.0, 1).stretch)
        for number in range(12)
        for label in ("cry", "hungry")
    ]
    assert suspicious_labels([*collection(), *both]) == ()


def test_silence_and_clicks_are_found_unless_the_label_promises_no_sound() -> None:
    placed = [
        stretch("cry", 0.0, 1, silent=True),
        stretch("silence", 0.0, 2, silent=True),
        stretch("dog", -3.0, 3, length_s=0.004),
    ]
    found = suspicious_labels([*collection(), *placed])
    assert {(one.file, one.reason) for one in found} == {
        ("cry/1.wav", "is digital silence"),
        ("dog/3.wav", "lasts 4 ms"),
    }


@pytest.mark.parametrize("slip", ["cyr", "cryy", "crz", "Cry", "cry "])
def test_a_slip_of_the_pen_is_told_with_what_was_probably_meant(slip: str) -> None:
    (one,) = suspicious_labels([*collection(), stretch(slip, 3.0, 40)])
    assert (one.file, one.label) == ("", slip)
    assert '20 called "cry"' in one.reason


def test_words_that_are_merely_alike_are_left_alone() -> None:
    assert suspicious_labels([*collection(), stretch("day", 3.0, 40), stretch("crying", 3.0, 41)]) == ()
