"""Recordings of one source belong to one group; groups that share a sound are joined."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.training.splits.listed_recordings import recording
from training.splits.cry_groups import KEPT_OUT, ambient_sound, group_names, is_kept_out, join_duplicates
from training.splits.near_duplicates import NearDuplicate


def same(file_a: str, file_b: str) -> NearDuplicate:
    return NearDuplicate(file_a, file_b, similarity=0.95, waveform=0.9, offset_s=0.0)


def test_consecutive_uploads_of_one_class_are_one_group_and_others_are_not() -> None:
    ids = {"a": 1000, "b": 1008, "c": 1016, "d": 1200}
    dogs = [recording(f"esc50/dog/{name}.ogg", "dog", subject=str(number)) for name, number in ids.items()]
    rain = recording("esc50/rain/e.ogg", "rain", subject="1004")
    assert group_names([*dogs, rain]) == ("esc50:1000", "esc50:1000", "esc50:1000", "esc50:1200", "esc50:1004")


@pytest.mark.parametrize(
    ("subject", "sound"),
    [
        ("coffee_shop_1", "cafe"),
        ("coffee-shop", "cafe"),
        ("rain-on-tent", "rain on tent"),
        ("light_rain", "light rain"),
        ("air-plane", "airplane"),
        ("white-noise", "white noise"),
        ("white_noise", "white noise"),
        ("purring_cat", "cat purring"),
    ],
)
def test_one_ambient_sound_has_one_name_in_all_packs(subject: str, sound: str) -> None:
    assert ambient_sound(recording("ambient/loops/x.ogg", "ambient", subject, subject=subject)) == sound


@given(
    groups=st.lists(st.integers(0, 7), min_size=2, max_size=20),
    pairs=st.lists(st.tuples(st.integers(0, 19), st.integers(0, 19)), max_size=10),
)
def test_files_share_a_group_exactly_if_groups_and_shared_sounds_connect_them(
    groups: list[int], pairs: list[tuple[int, int]]
) -> None:
    group_of = {f"f{index}": f"g{group}" for index, group in enumerate(groups)}
    pairs = [(a % len(groups), b % len(groups)) for a, b in pairs]
    joined = join_duplicates(group_of, [same(f"f{a}", f"f{b}") for a, b in pairs])
    label = list(groups)
    for _ in groups:  # the slow way: relabel until nothing changes
        for a, b in pairs:
            label = [min(label[a], label[b]) if one in (label[a], label[b]) else one for one in label]
    assert all(
        (joined[a] == joined[b]) == (label[a] == label[b]) for a in range(len(groups)) for b in range(len(groups))
    )
    assert set(joined) <= set(group_of.values())


def test_joined_groups_have_the_name_of_the_one_with_most_files() -> None:
    group_of = {"a": "small", "b": "large", "c": "large"}
    assert join_duplicates(group_of, [same("a", "b")]) == ("large", "large", "large")


def test_a_copy_of_what_is_kept_out_joins_nothing() -> None:
    group_of = {"a": "one", "b": KEPT_OUT, "c": "other"}
    assert join_duplicates(group_of, [same("a", "b"), same("b", "c")]) == ("one", KEPT_OUT, "other")


@pytest.mark.parametrize(
    ("file", "labels", "kept_out"),
    [
        ("hard_neg/other_sound/0_49.ogg", ("other_sound",), True),
        ("hard_neg/other_sound/0_50.ogg", ("other_sound",), False),
        ("hard_neg/distress_speech_id/a.ogg", ("speech", "distress_acted"), True),
        ("hard_neg/snoring/1_3.ogg", ("snoring",), False),
    ],
)
def test_acted_distress_and_the_infants_among_other_sounds_are_kept_out(
    file: str, labels: tuple[str, ...], *, kept_out: bool
) -> None:
    one = recording(file, *labels)
    assert is_kept_out(one) is kept_out
    assert (group_names([one]) == (KEPT_OUT,)) is kept_out
