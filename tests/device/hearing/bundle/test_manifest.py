"""A manifest means exactly what was written, or is refused with one sentence."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device.errors import BundleError
from device.hearing.bundle.archive import join_archive, split_archive
from device.hearing.bundle.manifest import label_from_dict, label_to_dict
from device.hearing.bundle.reader import decode_bundle
from device.hearing.bundle.writer import encode_bundle
from tests.device.hearing.bundle.altered import edited, member_set

if TYPE_CHECKING:
    from pathlib import Path

    from device.hearing.bundle.contents import Bundle
    from tests.device.hearing.bundle.altered import Edit


def _second_spec(manifest: dict[str, Any], _: dict[str, bytes]) -> None:
    manifest["specs"].append(manifest["specs"][0])


POINT = ("labels", 0, "operating_point")
EDITS = {
    "newer schema": (member_set("schema", to=6), r"made by a newer Auricle \(schema 6"),
    "older schema": (member_set("schema", to=0), "schema 0, must be 1 to 5"),
    "schema is text": (member_set("schema", to="1"), "schema must be a whole number"),
    "unknown member": (member_set("signature", to="?"), "unknown member 'signature'"),
    "odd name": (member_set("name", to="Cry Baby"), "name is 'Cry Baby', must match"),
    "name with a newline": (member_set("name", to="cry\n"), "must match"),
    "odd version": (member_set("version", to=""), "version is ''"),
    "odd output": (member_set("output", to="scores"), "must be one of logits, softmax, probabilities"),
    "no label": (member_set("labels", to=[]), "0 labels, must have 1 to 64"),
    "label twice": (member_set("labels", 1, "name", to="low"), "label 'low' stands 2 times"),
    "empty label": (member_set("labels", 0, "name", to=""), "name is ''"),
    "another label": (member_set("labels", 0, "name", to="high"), "labels.txt does not list"),
    "odd role": (
        member_set("labels", 0, "role", to="alert"),
        "role is 'alert', must be one of alarm, info, reject, verdict",
    ),
    "odd priority": (member_set("labels", 0, "priority", to="urgent"), "priority is 'urgent'"),
    "label is text": (member_set("labels", 0, to="low"), "must be an object, is 'low'"),
    "threshold 0": (member_set(*POINT, "off", to=0), "must be 0 < off <= on < 1"),
    "threshold 1": (member_set(*POINT, "on", to=1), "must be 0 < off <= on < 1"),
    "off above on": (member_set(*POINT, "off", to=0.9), "must be 0 < off <= on < 1"),
    "negative time": (member_set(*POINT, "hold_s", to=-1), "hold_s is -1.0, must be 0 to 3600 seconds"),
    "endless time": (member_set(*POINT, "cooldown_s", to=1e9), "cooldown_s is 1000000000"),
    "time is text": (member_set(*POINT, "confirm_s", to="1"), "confirm_s must be a number"),
    "spec with another number": (member_set("specs", 0, "fields", "hop", to=125), "its fields give"),
    "spec hash": (member_set("specs", 0, "hash", to="0" * 16), "has hash '0{16}', its fields give"),
    "unknown spec field": (member_set("specs", 0, "fields", "hops", to=1), "unknown field 'hops'"),
    "impossible spec": (
        member_set("specs", 0, "fields", "hop", to=0),
        "spec 0 of manifest.json: feature spec: hop is 0",
    ),
    "no spec": (member_set("specs", to=[]), "0 feature specs, must have 1 to 8"),
    "spec without golden features": (_second_spec, r"features_1\.npy' is missing"),
    "no golden": (member_set("golden", to=[]), "0 golden cases"),
    "golden twice": (member_set("golden", to=["sine", "sine"]), "golden case 'sine' stands 2 times"),
    "golden is a number": (member_set("golden", 0, to=3), "golden case is 3"),
    "golden leads out": (member_set("golden", 0, to="../silence"), "golden case is '../silence'"),
    "golden not carried": (member_set("golden", 0, to="noise"), "silence/samples.npy' belongs to no golden case"),
    "golden not listed": (member_set("golden", to=["sine"]), "silence/samples.npy' belongs to no golden case"),
    "network hash": (member_set("network", "sha256", to="0" * 64), "the network does not match"),
}


@pytest.mark.parametrize(("edit", "sentence"), EDITS.values(), ids=EDITS.keys())
def test_what_does_not_hold_is_refused(file: bytes, edit: Edit, sentence: str) -> None:
    with pytest.raises(BundleError, match=sentence):
        decode_bundle(edited(file, edit))


def _lean(file: bytes) -> Bundle:
    """The bundle whose first golden case keeps its features, and no other."""
    bundle = decode_bundle(file)
    return replace(bundle, golden=(bundle.golden[0], *(replace(case, features=()) for case in bundle.golden[1:])))


def test_schema_5_is_written_where_a_case_keeps_no_features_and_read_back(
    tiny_low_bundle_path: Path, carrying_bundle_paths: tuple[Path, Path]
) -> None:
    for path in (tiny_low_bundle_path, carrying_bundle_paths[0]):
        lean = _lean(path.read_bytes())
        again = encode_bundle(lean)
        assert json.loads(split_archive(again).entries["manifest.json"])["schema"] == 5
        assert [bool(case.features) for case in decode_bundle(again).golden] == [True] + [False] * (
            len(lean.golden) - 1
        )
        assert decode_bundle(again).network_sha256 == lean.network_sha256
        assert encode_bundle(decode_bundle(again)) == again


LEAN_EDITS = {
    "an older schema": (member_set("schema", to=2), "unknown member 'features'"),
    "no list of features": (lambda manifest, _: manifest.pop("features"), "lacks 'features'"),
    "features of none": (member_set("features", to=[]), "no golden case keeps its features|belongs to no golden case"),
    "features of a case twice": (member_set("features", to=["silence", "silence"]), "stands 2 times"),
    "features of a number": (member_set("features", to=[7]), "a golden case with features is 7"),
    "features of a case that keeps none": (member_set("features", to=["silence", "sine"]), "is missing"),
}


@pytest.mark.parametrize(("edit", "sentence"), LEAN_EDITS.values(), ids=LEAN_EDITS.keys())
def test_what_does_not_hold_of_kept_features_is_refused(file: bytes, edit: Edit, sentence: str) -> None:
    with pytest.raises(BundleError, match=sentence):
        decode_bundle(edited(encode_bundle(_lean(file)), edit))


def test_specs_of_different_windows_are_refused(file: bytes) -> None:
    bundle = decode_bundle(file)
    longer = replace(bundle.specs[0], window_samples=17_000)
    golden = tuple(
        replace(case, features=(*case.features, np.zeros(longer.shape, np.float32))) for case in bundle.golden
    )
    with pytest.raises(BundleError, match="differ in sample_rate_hz or window_samples"):
        decode_bundle(encode_bundle(replace(bundle, specs=(*bundle.specs, longer), golden=golden)))


def test_a_label_survives_json(file: bytes) -> None:
    for label in decode_bundle(file).labels:
        assert label_from_dict(json.loads(json.dumps(label_to_dict(label))), "label") == label


@settings(max_examples=200)
@given(st.data())
def test_a_forged_manifest_is_refused_or_read_and_never_anything_else(file: bytes, data: st.DataObject) -> None:
    """A value anywhere in the manifest replaced by any other JSON value, the archive made to fit."""
    odd: st.SearchStrategy[Any] = st.sampled_from(
        [None, True, 0, -1, 1.5, 2**53, 10**30, "", "a", "../a", "\x00", [], {}, [[]], {"a": 1}, [None] * 99, "x" * 999]
    )

    def forge(manifest: dict[str, Any], _: dict[str, bytes]) -> None:
        place: Any = manifest
        while True:
            keys = list(place) if isinstance(place, dict) else list(range(len(place)))
            key = data.draw(st.sampled_from(keys))
            if not isinstance(place[key], dict | list) or not place[key] or data.draw(st.booleans()):
                place[key] = data.draw(odd)
                return
            place = place[key]

    archive = split_archive(file)
    entries = dict(archive.entries)
    manifest = json.loads(entries["manifest.json"])
    forge(manifest, entries)
    entries["manifest.json"] = json.dumps(manifest).encode()
    try:
        bundle = decode_bundle(join_archive(archive.network, entries))
    except BundleError:
        assert entries != archive.entries
    else:
        assert decode_bundle(encode_bundle(bundle)).labels == bundle.labels
