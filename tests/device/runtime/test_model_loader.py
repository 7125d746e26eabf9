"""Settings and bundles become open models."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from converter.signing import sign_bundle
from device.config.loading import parse_config, profile
from device.config.profiles import PROFILES
from device.errors import BundleError, ConfigError, SpecError, StoppedError
from device.hearing.bundle.reader import read_bundle
from device.hearing.bundle.signature import PublicKey
from device.runtime import model_loader
from device.runtime.model_loader import open_models, read_tried, shifted
from device.runtime.self_test.known_sound import known_sounds
from training.breath.breath_folder import EVENTS
from training.breath.window_targets import LABELS
from training.sequences.sound_kinds import REJECTED

if TYPE_CHECKING:
    from pathlib import Path

    from device.config.settings import Settings
    from tests.signing_keys import KeyPair


def _toml(path: Path, label: str = "") -> str:
    return f'model.cry.enabled = false\nmodel.scream.enabled = false\n[model.bell]\nbundle = "{path}"\n{label}'


def test_a_model_carries_the_name_that_the_settings_give_it(tiny_bundle_path: Path) -> None:
    with open_models(parse_config(_toml(tiny_bundle_path), source="a.toml")) as models:
        assert [model.name for model in models.listening] == ["bell"]
        assert models.priorities == {("bell", "tone"): "high"}
        assert models.listed[0].labels[0].on == 0.5


def test_the_settings_overrule_the_operating_point(tiny_bundle_path: Path) -> None:
    label = '[model.bell.label.tone]\non = 0.8\noff = 0.6\nhold_s = 4.0\npriority = "low"\n'
    with open_models(parse_config(_toml(tiny_bundle_path, label), source="a.toml")) as models:
        point = models.listening[0].labels[0].point
        assert (point.on, point.off, point.hold_s, point.confirm_s) == (0.8, 0.6, 4.0, 1.0)
        assert models.priorities == {("bell", "tone"): "low"}


@pytest.mark.parametrize(("line", "expected"), [("on = 0.2", (0.2, 0.2)), ("off = 0.9", (0.9, 0.9))])
def test_one_threshold_overruled_takes_the_other_along(
    tiny_bundle_path: Path, line: str, expected: tuple[float, float]
) -> None:
    settings = parse_config(_toml(tiny_bundle_path, f"[model.bell.label.tone]\n{line}\n"), source="a.toml")
    with open_models(settings) as models:
        point = models.listening[0].labels[0].point
        assert (point.on, point.off) == expected


def test_a_label_that_the_model_lacks_is_refused(tiny_bundle_path: Path) -> None:
    settings = parse_config(_toml(tiny_bundle_path, "[model.bell.label.bark]\non = 0.9\n"), source="a.toml")
    with pytest.raises(ConfigError, match="model bell has no label 'bark'; it must be tone"):
        open_models(settings)


def test_a_model_that_is_not_shipped_is_named() -> None:
    settings = parse_config("[model.heart]\n", source="a.toml")
    with pytest.raises(ConfigError, match=r'lacks the model "heart"'):
        open_models(settings)


def test_every_profile_opens_with_the_labels_that_it_is_for() -> None:
    labels = {}
    for name in PROFILES:
        with open_models(profile(name)) as models:
            labels[name] = [
                (model.name, label.name, label.role) for model in models.listening for label in model.labels
            ]
    nursery = [
        ("cry", "cry", "alarm"),
        *(("cry", label, "reject") for label in REJECTED),
        *(("cry-reason", label, "verdict") for label in ("hungry", "other")),
        ("scream", "scream", "alarm"),
    ]
    lung = [
        *(("lung", label, "info") for label in EVENTS),
        *(("lung", label, "reject") for label in LABELS if label not in EVENTS),
    ]
    assert labels == {"nursery": nursery, "nursery-quiet": nursery, "stethoscope": lung}


def test_the_quiet_nursery_asks_for_four_times_the_odds_of_the_balanced_one() -> None:
    with open_models(profile("nursery")) as balanced, open_models(profile("nursery-quiet")) as quiet:
        assert [model.name for model in balanced.listening] == [model.name for model in quiet.listening]
        for usual, stricter in zip(balanced.listening, quiet.listening, strict=True):
            if usual.gives_verdicts:
                continue
            first, second = usual.labels[0].point, stricter.labels[0].point
            assert second.on / (1 - second.on) == pytest.approx(4 * first.on / (1 - first.on))
            assert second.off / (1 - second.off) == pytest.approx(4 * first.off / (1 - first.off))
            assert second.confirm_s == first.confirm_s


def test_two_models_of_one_name_are_refused(tiny_bundle_path: Path) -> None:
    with pytest.raises(ConfigError, match="two models are named 'tiny-tone'"):
        open_models(profile(), [str(tiny_bundle_path)] * 2)


def test_a_wanted_bundle_that_is_missing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"gone\.tflite"):
        open_models(profile(), [str(tmp_path / "gone.tflite")])


def test_networks_are_let_go(tiny_bundle_path: Path) -> None:
    with open_models(profile(), [str(tiny_bundle_path)]) as models:
        network = models.listening[0].network
        assert "closed" not in repr(network)
    assert "closed" in repr(network)


# --- signatures


def _trusting(public: Path, bundle: Path) -> Settings:
    return parse_config(f'{_toml(bundle)}[bundles]\npublic_key = "{public}"\n', source="a.toml")


def test_with_a_key_only_what_it_signed_is_opened(tiny_bundle_path: Path, tmp_path: Path, maker: KeyPair) -> None:
    signed = tmp_path / "signed.tflite"
    sign_bundle(tiny_bundle_path, maker.private, signed)
    with open_models(_trusting(maker.public, signed)) as models:
        assert [model.name for model in models.listening] == ["bell"]
        assert known_sounds(_trusting(maker.public, signed), models)
    with open_models(parse_config(_toml(signed), source="a.toml")) as models:
        assert len(models.listening) == 1


def test_with_a_key_what_it_did_not_sign_is_neither_parsed_nor_tried(
    tiny_bundle_path: Path, tmp_path: Path, maker: KeyPair, stranger: KeyPair, monkeypatch: pytest.MonkeyPatch
) -> None:
    def started(*_: object) -> None:
        pytest.fail("a trial was started")

    monkeypatch.setattr(model_loader, "Trial", started)
    foreign = tmp_path / "foreign.tflite"
    sign_bundle(tiny_bundle_path, stranger.private, foreign)
    for path, why in ((tiny_bundle_path, "not signed"), (foreign, "signed with key")):
        with pytest.raises(BundleError, match=rf"^{path}: {why}") as refused:
            open_models(_trusting(maker.public, path))
        assert refused.value.key == ("model", "bell", "bundle")
    with pytest.raises(BundleError, match="not signed"):
        open_models(_trusting(maker.public, foreign), ["cry"])


def test_a_bundle_that_is_swapped_after_its_trial_is_refused(tiny_bundle_path: Path, maker: KeyPair) -> None:
    sha256 = read_bundle(tiny_bundle_path).sha256
    with pytest.raises(BundleError, match="not signed"):
        read_tried(tiny_bundle_path, sha256, PublicKey.read(maker.public))


def test_a_key_that_cannot_be_read_names_its_setting(tiny_bundle_path: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r'"public_key" in \[bundles\]: .*cannot be read') as refused:
        open_models(_trusting(tmp_path / "gone.pub", tiny_bundle_path))
    assert refused.value.key == ("bundles", "public_key")


# --- sensitivity


def _odds(threshold: float) -> float:
    return threshold / (1 - threshold)


def _thresholds(path: Path, label: str) -> tuple[float, float]:
    settings = parse_config(_toml(path, f"[model.bell.label.tone]\n{label}\n"), source="a.toml")
    with open_models(settings) as models:
        listed, point = models.listed[0].labels[0], models.listening[0].labels[0].point
        assert (listed.on, listed.off) == (point.on, point.off), "a page shows what is listened with"
        return point.on, point.off


def test_no_sensitivity_leaves_thresholds_as_they_are_to_the_bit(tiny_bundle_path: Path) -> None:
    assert _thresholds(tiny_bundle_path, "sensitivity = 0") == _thresholds(tiny_bundle_path, "")


@pytest.mark.parametrize("steps", [-5, -2, -1, 1, 2, 5])
def test_each_step_of_sensitivity_halves_the_odds_that_are_needed(tiny_bundle_path: Path, steps: int) -> None:
    usual = _thresholds(tiny_bundle_path, "")
    moved = _thresholds(tiny_bundle_path, f"sensitivity = {steps}")
    for was, now in zip(usual, moved, strict=True):
        assert _odds(now) == pytest.approx(_odds(was) / 2**steps)
        assert (now < was) == (steps > 0)


def test_sensitivity_counts_from_the_thresholds_that_are_configured(tiny_bundle_path: Path) -> None:
    assert _thresholds(tiny_bundle_path, "on = 0.8\noff = 0.5\nsensitivity = 1") == pytest.approx((2 / 3, 1 / 3))


@given(on=st.floats(0.001, 0.999), off=st.floats(0.001, 0.999), less=st.integers(-5, 5), more=st.integers(-5, 5))
def test_more_sensitivity_never_needs_more_and_keeps_off_at_most_on(
    on: float, off: float, less: int, more: int
) -> None:
    on, off, less, more = max(on, off), min(on, off), min(less, more), max(less, more)
    for threshold in (on, off):
        assert 0.001 <= shifted(threshold, more) <= shifted(threshold, less) <= 0.999
    assert shifted(off, more) <= shifted(on, more)


def test_bundles_that_the_parent_tried_are_known_by_their_bytes_and_not_tried_again(
    tiny_bundle_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = parse_config(_toml(tiny_bundle_path), source="a.toml")
    with open_models(settings) as models:
        tried = models.tried
    assert tried == {tiny_bundle_path: read_bundle(tiny_bundle_path).sha256}
    monkeypatch.setattr(model_loader, "Trial", None)  # none can be started
    with open_models(settings, tried=tried) as models:
        assert models.tried == tried
    with pytest.raises(BundleError, match="the file changed while it was tried"):
        open_models(settings, tried={tiny_bundle_path: "0" * 64})


def test_a_trial_that_nobody_needs_any_more_ends_at_once(tiny_bundle_path: Path) -> None:
    began_s = time.monotonic()
    with pytest.raises(StoppedError):
        open_models(parse_config(_toml(tiny_bundle_path), source="a.toml"), is_stopped=lambda: True)
    assert time.monotonic() - began_s < 5.0


def test_models_that_are_opened_together_have_their_backbone_in_common(
    carrying_bundle_paths: tuple[Path, Path],
) -> None:
    with open_models(parse_config("", source="a.toml"), wanted=[str(path) for path in carrying_bundle_paths]) as models:
        cry, scream = (cast("Any", model.network) for model in models.listening)
        assert cry._forward._backbone is scream._forward._backbone
        assert {model.hop_s for model in models.listening} == {0.5}
        with pytest.raises(SpecError, match=r"model carrying-cry: hop_s is 0\.25, must be 0\.5"):
            models.listener(parse_config("[listen]\nhop_s = 0.25\n", source="a.toml"), "s")


def test_the_loudness_alarm_needs_no_bundle_and_has_a_priority(tiny_bundle_path: Path) -> None:
    loudness = '[loudness]\nlevel_dbfs = -30\npriority = "low"\n'
    with open_models(parse_config(_toml(tiny_bundle_path, loudness), source="a.toml")) as models:
        assert models.priorities == {("bell", "tone"): "high", ("loudness", "loud"): "low"}
        assert [model.name for model in models.listed] == ["bell"]
        ((name, label),) = models.beside
        assert (name, label.name, label.role, label.priority) == ("loudness", "loud", "alarm", "low")
        assert (label.on, label.off) == pytest.approx((0.70, 0.64))
        assert ("loudness", "loud") in models.listener(profile(), "s").is_on
        assert ("loudness", "loud") not in models.configured
    with open_models(parse_config(_toml(tiny_bundle_path), source="a.toml")) as models:
        assert models.beside == ()
        assert models.listener(profile(), "s").is_on == {("bell", "tone"): False}


def test_the_reason_of_a_cry_follows_it_and_as_shipped_never_answers() -> None:
    with open_models(profile("nursery")) as models:
        reason = next(model for model in models.listening if model.name == "cry-reason")
        assert reason.listens_while == "cry"
        assert reason.gives_verdicts
        assert {label.point.on for label in reason.labels} == {0.999}
        assert not any(model == "cry-reason" for model, _ in models.configured)


def test_a_follower_that_is_asked_for_alone_listens_always() -> None:
    with open_models(profile("nursery"), ["cry-reason"]) as models:
        assert models.listening[0].listens_while is None
    with open_models(profile("nursery"), ["cry", "cry-reason"]) as models:
        assert models.listening[1].listens_while == "cry"
