"""A specification of features: checked, the same after JSON, and hashed stage by stage."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device.errors import SpecError
from device.hearing.spec import FeatureSpec
from tests.device.hearing import golden_features as golden

LOG_MEL = golden.LOG_MEL
MFCC = replace(LOG_MEL, n_mfcc=40)

OF_CRY_1 = {
    "sample_rate_hz": 16000,
    "window_samples": 32000,
    "frame_length": 1024,
    "n_fft": 1024,
    "hop": 500,
    "window": "hann",
    "window_periodic": True,
    "window_placement": "centre",
    "centre": False,
    "pad_mode": "reflect",
    "pre_emphasis": 0.0,
    "pre_emphasis_in": "mel",
    "spectrum": "power",
    "spectrum_scale": 1.0,
    "n_mels": 64,
    "mel_scale": "slaney",
    "triangles_in": "hz",
    "mel_norm": "slaney",
    "f_min_hz": 125.0,
    "f_max_hz": 7500.0,
    "log": "db",
    "floor": 1e-08,
    "floor_at": "add",
    "reference": 1.0,
    "top_db": None,
    "n_mfcc": 0,
    "dct_norm": "ortho",
    "lifter": 0,
    "lifter_origin": 0,
    "energy": False,
    "deltas": 0,
    "delta_width": 9,
    "delta_edges": "nearest",
    "normalization": "standardize",
    "mean": [0.0],
    "scale": [1.0],
}
"""What the bundle of cry 1.0.0 holds, written before `pre_emphasis_rate_hz` was a field."""

OTHER_VALUES = {
    "sample_rate_hz": 16001,
    "window_samples": 32500,
    "frame_length": 1000,
    "n_fft": 2048,
    "hop": 400,
    "window": "hamming",
    "window_periodic": False,
    "window_placement": "start",
    "centre": True,
    "pad_mode": "zeros",
    "pre_emphasis": 0.97,
    "pre_emphasis_in": "frame",
    "pre_emphasis_rate_hz": 32_000,
    "spectrum": "magnitude",
    "spectrum_scale": 0.5,
    "n_mels": 60,
    "mel_scale": "htk",
    "triangles_in": "mel",
    "mel_norm": "none",
    "f_min_hz": 20.0,
    "f_max_hz": 7000.0,
    "log": "ln",
    "floor": 1e-9,
    "floor_at": "add",
    "reference": 2.0,
    "top_db": 80.0,
    "n_mfcc": 30,
    "dct_norm": "htk",
    "lifter": 22,
    "lifter_origin": 1,
    "energy": True,
    "deltas": 1,
    "delta_width": 5,
    "delta_edges": "interp",
    "normalization": "standardize",
    "mean": (1.0,),
    "scale": (2.0,),
}
"""For each field of a specification a value that MFCC does not have."""

PER_WINDOW = {
    "window_samples",
    "top_db",
    "deltas",
    "delta_width",
    "delta_edges",
    "normalization",
    "mean",
    "scale",
}
"""Fields that no frame depends on: models that differ in them alone share their frames."""

CEPSTRAL = {"n_mfcc", "dct_norm", "lifter", "lifter_origin"}
"""Fields of the step from log-mel to cepstra: models that differ in them alone share their log-mel frames."""


def test_a_value_is_known_for_each_field() -> None:
    assert OTHER_VALUES.keys() == {field.name for field in fields(FeatureSpec)}
    assert all(value != getattr(MFCC, name) for name, value in OTHER_VALUES.items())


@pytest.mark.parametrize("name", OTHER_VALUES)
def test_each_field_changes_the_hashes_of_the_stages_that_depend_on_it(name: str) -> None:
    changed = FeatureSpec.from_dict({**MFCC.to_dict(), **_json(name)})
    assert changed.spec_hash != MFCC.spec_hash
    assert (changed.frame_hash == MFCC.frame_hash) == (name in PER_WINDOW)
    assert (changed.mel_hash == MFCC.mel_hash) == (name in PER_WINDOW | CEPSTRAL)


def _json(name: str) -> dict[str, object]:
    value = OTHER_VALUES[name]
    return {name: list(value) if isinstance(value, tuple) else value}


def test_only_frames_of_their_own_samples_can_be_streamed() -> None:
    assert LOG_MEL.streamable
    assert not replace(LOG_MEL, centre=True).streamable
    assert not replace(LOG_MEL, pre_emphasis=0.97, pre_emphasis_in="signal").streamable
    assert replace(LOG_MEL, pre_emphasis=0.97, pre_emphasis_in="frame").streamable


@pytest.mark.parametrize(("window_samples", "frames"), [(1024, 1), (1523, 1), (1524, 2), (32000, 62)])
def test_a_window_holds_all_frames_that_lie_wholly_in_it(window_samples: int, frames: int) -> None:
    spec = replace(LOG_MEL, window_samples=window_samples)
    assert spec.shape == (frames, 64)


def test_deltas_of_two_orders_triple_the_bins() -> None:
    assert replace(LOG_MEL, deltas=2).bins == 192
    assert replace(MFCC, deltas=2).bins == 120


def test_a_spec_survives_json() -> None:
    for spec in golden.SPECS.values():
        assert FeatureSpec.from_dict(spec.to_dict()) == spec


def test_hashes_name_the_stage_they_cover() -> None:
    assert MFCC.mel_hash == LOG_MEL.mel_hash
    assert MFCC.frame_hash != LOG_MEL.frame_hash
    assert replace(MFCC, mean=(1.0,), deltas=1).frame_hash == MFCC.frame_hash
    assert replace(MFCC, mean=(1.0,)).spec_hash != MFCC.spec_hash
    assert replace(LOG_MEL, floor=1e-9).mel_hash != LOG_MEL.mel_hash


def test_the_hash_is_stable() -> None:
    """It stands in shipped bundles: a change here makes every one of them unreadable."""
    assert LOG_MEL.spec_hash == "9bf6eb77610b48c0"


def test_a_field_that_joined_later_leaves_the_hashes_of_older_bundles_as_they_are() -> None:
    cepstral = {**OF_CRY_1, "n_mfcc": 40, "normalization": "standardize_bins"}
    specs = [FeatureSpec.from_dict(OF_CRY_1), FeatureSpec.from_dict(cepstral)]
    assert [spec.spec_hash for spec in specs] == ["49a5a93c5c37f32e", "af9c9fdde8ab5ef2"]
    assert "pre_emphasis_rate_hz" not in specs[0].to_dict()
    given = replace(LOG_MEL, pre_emphasis_rate_hz=32_000)
    assert given.to_dict()["pre_emphasis_rate_hz"] == 32_000
    assert FeatureSpec.from_dict(given.to_dict()) == given


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"hop": 0}, "hop is 0"),
        ({"pre_emphasis_rate_hz": 8000}, "pre_emphasis_rate_hz is 8000, must be sample_rate_hz to 192000"),
        ({"pre_emphasis_rate_hz": 32_000, "pre_emphasis_in": "frame"}, "pre_emphasis_rate_hz needs mel"),
        ({"frame_length": 2048}, "frame_length is 2048, must be 1 to n_fft 1024"),
        ({"n_mfcc": 65}, "n_mfcc is 65, must be 0 to n_mels 64"),
        ({"f_max_hz": 0.0}, "must rise"),
        ({"mean": (0.0, 1.0)}, "mean has 2 numbers, must be 1 or 64"),
        ({"scale": (0.0,)}, "scale must be above 0"),
        ({"floor": float("nan")}, "finite"),
        ({"energy": True}, "energy replaces a cepstral coefficient"),
        ({"window_samples": 100}, "must hold a frame of 1024"),
        ({"deltas": 1, "delta_width": 8}, "delta_width is 8, must be odd"),
        ({"sample_rate_hz": 0}, "sample_rate_hz is 0"),
    ],
)
def test_a_contradictory_spec_says_which_field(change: dict[str, object], sentence: str) -> None:
    with pytest.raises(SpecError, match=sentence):
        FeatureSpec(**{**LOG_MEL.to_dict(), "mean": (0.0,), "scale": (1.0,), **change})


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"hpo": 500}, "unknown field 'hpo'"),
        ({"hop": 500.0}, "hop is 500.0, must be whole"),
        ({"hop": True}, "hop is True, must be whole"),
        ({"pre_emphasis_rate_hz": 32e3}, "pre_emphasis_rate_hz is 32000.0, must be whole"),
        ({"pre_emphasis_rate_hz": True}, "pre_emphasis_rate_hz is True, must be whole"),
        ({"centre": 1}, "centre is 1, must be true or false"),
        ({"window": "kaiser"}, "window is 'kaiser', must be one of 'hann'"),
        ({"mean": "0"}, "mean is '0', must be a list of numbers"),
        ({"top_db": "80"}, "top_db is '80', must be a number"),
    ],
)
def test_a_spec_from_json_says_which_field(change: dict[str, object], sentence: str) -> None:
    with pytest.raises(SpecError, match=sentence):
        FeatureSpec.from_dict({**LOG_MEL.to_dict(), **change})


def test_a_spec_from_json_with_a_field_missing_says_so() -> None:
    data = LOG_MEL.to_dict()
    del data["hop"]
    with pytest.raises(SpecError, match="'hop'"):
        FeatureSpec.from_dict(data)


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.sampled_from(sorted(LOG_MEL.to_dict())), st.none() | st.integers() | st.floats() | st.text()))
def test_damaged_specs_raise_nothing_but_spec_errors(damage: dict[str, object]) -> None:
    try:
        spec = FeatureSpec.from_dict({**LOG_MEL.to_dict(), **damage})
    except SpecError:
        return
    assert FeatureSpec.from_dict(spec.to_dict()) == spec
