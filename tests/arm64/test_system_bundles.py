"""Which bundles of the published systems are replayed on another machine, and what is said of the others."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.arm64.system_bundles import (
    SystemBundle,
    converted_bundles,
    default_forms,
    made_bundles,
    missing_systems,
    without_bundle,
)
from training.networks.catalog import PUBLISHED, find_form

MODELS = Path(__file__).parents[2] / "device" / "models"


def conversion(folder: Path, run: str, form: str, *, has_bundle: bool = True, **members: Any) -> None:
    """A run as `converter report` leaves it."""
    (folder / run).mkdir()
    system, _, name = form.partition("/")
    told = {"system": system, "form": name, "streamable": True, "refused": None, "passes": {"form": "all in int8"}}
    (folder / run / "conversion.json").write_text(json.dumps(told | members), "utf-8")
    if has_bundle:
        (folder / run / f"{run}.tflite").write_bytes(b"")


def test_a_form_of_each_published_system_is_made_and_each_can_be_streamed() -> None:
    forms = [find_form(name) for name in default_forms()]
    assert {form.system for form in forms} == set(PUBLISHED)
    assert all(spec.streamable for form in forms for spec in form.specs)


def test_of_transfer_the_two_branches_and_the_light_backbone_are_made() -> None:
    made = {name for name in default_forms() if name.startswith("transfer/")}
    assert made == {"transfer/dual", "transfer/mobilenetv3-large"}


def test_a_bundle_of_an_earlier_call_is_kept_if_asked_for(tmp_path: Path) -> None:
    (tmp_path / "han-none").mkdir()
    kept = tmp_path / "han-none" / "made.tflite"
    kept.write_bytes((MODELS / "scream-resnet34.tflite").read_bytes())
    earlier = SystemBundle("han/none", "random weights, int8", kept)
    assert list(made_bundles(["han/none"], tmp_path, keep=True)) == [earlier]
    with pytest.raises(SystemExit, match="does not become a bundle"):
        list(made_bundles(["han/none"], tmp_path))


def test_of_several_runs_of_a_form_the_first_that_has_a_bundle_is_replayed(tmp_path: Path) -> None:
    conversion(tmp_path, "han-1", "han/published", has_bundle=False, refused="no try holds", passes=None)
    conversion(tmp_path, "han-2", "han/published", refused="no", passes={"form": "weights alone in int8"})
    conversion(tmp_path, "han-3", "han/published")
    conversion(tmp_path, "baseline-lung-1", "baseline/lung")
    found = converted_bundles(tmp_path)
    bundle = tmp_path / "han-2" / "han-2.tflite"
    assert found == [SystemBundle("han/published", "han-2, weights alone in int8", bundle)]


def test_a_run_that_cannot_be_replayed_is_named_with_its_reason(tmp_path: Path) -> None:
    conversion(tmp_path, "han-1", "han/published", has_bundle=False, refused="no try holds", passes=None)
    conversion(tmp_path, "resnet34-1", "resnet34/published", streamable=False)
    conversion(tmp_path, "baseline-lung-1", "baseline/lung", has_bundle=False, refused="no", passes=None)
    assert converted_bundles(tmp_path) == []
    assert list(without_bundle(tmp_path)) == [
        "han-1 has no bundle: no try holds",
        "resnet34-1 cannot be streamed: its frames are centred, and auricle replay refuses it",
    ]


def test_a_run_that_ended_before_its_first_figure_is_named_too(tmp_path: Path) -> None:
    (tmp_path / "han-1").mkdir()
    told = {"system": "han", "form": "published", "refused": "its conversion took more than 60 minutes"}
    (tmp_path / "han-1" / "conversion.json").write_text(json.dumps(told), "utf-8")
    assert converted_bundles(tmp_path) == []
    assert list(without_bundle(tmp_path)) == ["han-1 has no bundle: its conversion took more than 60 minutes"]


def test_a_folder_without_a_conversion_is_refused_with_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"holds no RUN/conversion\.json: name the folder"):
        converted_bundles(tmp_path)


def test_a_published_system_without_a_bundle_is_a_complaint(tmp_path: Path) -> None:
    held = [SystemBundle(f"{system}/streaming", "", tmp_path) for system in PUBLISHED if system != "han"]
    assert list(missing_systems(held)) == ["han: no bundle of it can be replayed"]


def test_a_form_that_does_not_become_a_bundle_ends_the_comparison_with_its_reason(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r'(?s)does not become a bundle.*no network is called "han/none"'):
        list(made_bundles(["han/none"], tmp_path))
