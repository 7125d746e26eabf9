"""What `auricle models` prints, and what `auricle models verify` refuses."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from converter.signing import sign_bundle
from device.__main__ import main
from device.config.loading import parse_config
from device.errors import BundleError
from device.hearing.bundle.reader import read_bundle
from device.hearing.bundle.writer import write_bundle
from device.runtime.model_library import shipped_bundles
from device.tools.models.models_command import describe, describe_shipped, verify
from device.tools.models.use_and_terms import learned_from, who_runs

if TYPE_CHECKING:
    from pathlib import Path

    from tests.signing_keys import KeyPair


def test_the_cry_model_is_shipped_and_described() -> None:
    text = "\n".join(describe_shipped())
    assert "cry" in shipped_bundles()
    assert "16000 Hz, windows of 2 s" in text
    assert read_bundle(shipped_bundles()["cry"]).sha256 in text
    assert "cry: alarm" in text


def test_every_shipped_bundle_passes_every_check() -> None:
    for name in shipped_bundles():
        assert list(verify(name))[-1].endswith("is sound")


def test_a_description_names_what_a_reader_needs(tiny_bundle_path: Path) -> None:
    bundle = read_bundle(tiny_bundle_path)
    text = "\n".join(describe(bundle, tiny_bundle_path))
    for wanted in (bundle.sha256, "tone: alarm", "KiB", "16000 Hz", bundle.specs[0].spec_hash):
        assert wanted in text


def test_labels_that_raise_nothing_share_a_line() -> None:
    lines = list(describe(read_bundle(shipped_bundles()["cry"]), shipped_bundles()["cry"]))
    assert [line.split(":")[0] for line in lines if line.startswith("  label ")] == ["  label     cry"]
    assert [line for line in lines if line.startswith("  scored ")] == [
        "  scored    cat, dog, bird, laughter, child, speech, adult_cry, siren, music; these raise nothing"
    ]


def test_the_models_that_run_by_default_come_first_and_each_says_what_makes_it_run() -> None:
    lines = list(describe_shipped())
    names = [line.split()[0] for line in lines if line and not line.startswith(" ")]
    runs = dict(zip(names, (line.split(maxsplit=1)[1] for line in lines if line.startswith("  runs ")), strict=True))
    assert names[:3] == ["cry", "cry-reason", "scream"]
    assert set(names) == set(shipped_bundles())
    assert runs["scream"] == "by default; in the profiles nursery and nursery-quiet"
    assert runs["cry-reason"] == "by default, only while cry is on; in the profiles nursery and nursery-quiet"
    assert runs["lung"] == "not by default; in the profile stethoscope"
    for name, table in (("cry-open", "cry"), ("cry-residual", "cry"), ("scream-resnet34", "scream")):
        assert f'bundle = "{name}" in [model.{table}]' in runs[name]


def test_what_a_description_says_of_a_model_to_choose_is_what_runs_it() -> None:
    for name, path in shipped_bundles().items():
        said = who_runs(read_bundle(path), path)
        if said.startswith("not by default, in no profile; "):
            choice, table = said.removeprefix("not by default, in no profile; ").split(" of a")[0].split(" in ")
            models = parse_config(f"{table}\n{choice}\n", source="a.toml").models
            assert [each.bundle for each in models if f"[model.{each.name}]" == table] == [name]


def test_the_open_model_and_the_default_say_their_terms() -> None:
    text = {name: "\n".join(describe(read_bundle(path), path)) for name, path in shipped_bundles().items()}
    assert "terms     For research and private use" in text["cry"]
    assert "terms     People may build on it for any purpose, commercial use included" in text["cry-open"]
    assert "Open Database License" in text["cry-open"]
    assert "not stated" not in text["cry-open"]
    assert "NC" not in learned_from(read_bundle(shipped_bundles()["cry-open"]))


def test_the_model_that_abstains_says_that_its_interval_includes_a_guess() -> None:
    path = shipped_bundles()["cry-reason"]
    text = "\n".join(describe(read_bundle(path), path))
    assert "label     hungry: a verdict on events of another model, from 0.999 on after 3 s" in text
    assert "95 % interval (0.392 to 0.561) includes 0.5, a guess" in text
    assert "abstains from every cry: its verdict is always null" in text


def test_licences_are_told_with_the_collections_that_state_them(tiny_bundle_path: Path) -> None:
    bundle = read_bundle(tiny_bundle_path)
    named = [("one", "CC0"), ("two", "none stated"), ("three", "CC0")]
    data = [{"set": name, "licence": licence} for name, licence in named]
    assert learned_from(replace(bundle, card={"data": data})) == "one, three (CC0); two (none stated)"
    assert learned_from(replace(bundle, card={})) == "the card does not say"


def test_verifying_says_what_was_checked(tiny_bundle_path: Path) -> None:
    lines = list(verify(str(tiny_bundle_path)))
    assert any("golden numbers hold on" in line for line in lines)
    assert lines[-1] == "tiny-tone 1.0.0 is sound"


def test_verifying_names_features_only_where_the_bundle_keeps_them(tiny_bundle_path: Path, tmp_path: Path) -> None:
    bundle = read_bundle(tiny_bundle_path)
    first, second = bundle.golden
    write_bundle(tmp_path / "lean.tflite", replace(bundle, golden=(first, replace(second, features=()))))
    lines = list(verify(str(tmp_path / "lean.tflite")))
    assert [line for line in lines if "features within" in line] == [line for line in lines if first.name in line]
    assert [line for line in lines if line.startswith(f"  {second.name} ") and "scores within" in line]
    assert lines[-1] == "tiny-tone 1.0.0 is sound"


def test_a_forged_golden_score_is_found(tiny_bundle_path: Path, tmp_path: Path) -> None:
    bundle = read_bundle(tiny_bundle_path)
    case = bundle.golden[0]
    forged = replace(bundle, golden=(replace(case, probabilities=1 - case.probabilities), *bundle.golden[1:]))
    write_bundle(tmp_path / "forged.tflite", forged)
    with pytest.raises(BundleError, match="golden case"):
        list(verify(str(tmp_path / "forged.tflite")))


def test_verifying_with_a_configuration_asks_for_its_key(
    tiny_bundle_path: Path, tmp_path: Path, maker: KeyPair, capsys: pytest.CaptureFixture[str]
) -> None:
    signed, config = tmp_path / "signed.tflite", tmp_path / "nursery.toml"
    config.write_text(f'[bundles]\npublic_key = "{maker.public.name}"\n', encoding="utf-8")
    sign_bundle(tiny_bundle_path, maker.private, signed)
    assert main(["models", "verify", str(signed), "--config", str(config)]) == 0
    assert "fits every byte" in capsys.readouterr().out
    assert main(["models", "verify", str(tiny_bundle_path), "--config", str(config)]) == 2
    assert capsys.readouterr().err.startswith(
        f"auricle: {tiny_bundle_path}: not signed, or cut short, and a public key"
    )


def test_a_description_says_which_key_a_bundle_names(tiny_bundle_path: Path, tmp_path: Path, maker: KeyPair) -> None:
    signed = tmp_path / "signed.tflite"
    key_id = sign_bundle(tiny_bundle_path, maker.private, signed)
    assert f"  signed    says key {key_id}" in list(describe(read_bundle(signed), signed))
    assert "  signed    no" in list(describe(read_bundle(tiny_bundle_path), tiny_bundle_path))
