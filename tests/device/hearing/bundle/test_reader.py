"""A bundle is read as it was written, or refused with one sentence; nothing in between."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import struct
import zipfile
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device.errors import BundleError
from device.hearing.bundle.archive import join_archive, split_archive
from device.hearing.bundle.reader import (
    Bundle,
    decode_bundle,
    encode_bundle,
    label_from_dict,
    label_to_dict,
    read_bundle,
    write_bundle,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture(scope="module")
def file(tiny_low_bundle_path: Path) -> bytes:
    return tiny_low_bundle_path.read_bytes()


def _same(one: Bundle, other: Bundle) -> bool:
    plain = ("name", "version", "labels", "specs", "output", "network", "card")
    arrays = [
        (a, b)
        for mine, theirs in zip(one.golden, other.golden, strict=True)
        for a, b in zip(
            (mine.samples, *mine.features, mine.probabilities),
            (theirs.samples, *theirs.features, theirs.probabilities),
            strict=True,
        )
    ]
    return all(getattr(one, name) == getattr(other, name) for name in plain) and all(
        np.array_equal(a, b) for a, b in arrays
    )


def _edited(file: bytes, edit: Callable[[dict[str, Any], dict[str, bytes]], None]) -> bytes:
    """The bundle with its manifest and entries changed, and sizes, hashes and archive made to fit again."""
    archive = split_archive(file)
    entries = dict(archive.entries)
    manifest = json.loads(entries.pop("manifest.json"))
    edit(manifest, entries)
    for item in manifest["entries"] if isinstance(manifest.get("entries"), list) else []:
        data = entries.get(item["name"], b"")
        item |= {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    return join_archive(archive.network, {"manifest.json": json.dumps(manifest).encode()} | entries)


def test_what_is_written_is_read_back(file: bytes, tmp_path: Path) -> None:
    bundle = decode_bundle(file)
    path = tmp_path / "copy.tflite"
    write_bundle(path, bundle)
    found = read_bundle(path)
    assert _same(found, bundle)
    assert found.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def test_equal_bundles_give_equal_bytes(file: bytes) -> None:
    assert encode_bundle(decode_bundle(file)) == file


def test_it_knows_its_labels_rate_and_window(file: bytes) -> None:
    bundle = decode_bundle(file)
    assert bundle.label_names == ("low", "normal")
    assert (bundle.sample_rate_hz, bundle.window_samples) == (8000, 16_000)
    assert bundle.card["licence"] == "Apache-2.0"
    assert bundle.network[4:8] == b"TFL3"
    assert [case.name for case in bundle.golden] == ["silence", "sine"]
    assert len(repr(bundle)) < 5000


def test_any_zip_tool_reads_its_labels(tiny_low_bundle_path: Path) -> None:
    with zipfile.ZipFile(tiny_low_bundle_path) as archive:
        assert archive.testzip() is None
        assert archive.read("labels.txt") == b"low\nnormal\n"
        assert archive.read("card.md").startswith(b"# tiny-low 1.0.0\n")


# --- the file -----------------------------------------------------------------------------------


def test_the_path_as_given_stands_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BundleError, match=r"^no/such\.tflite: cannot be read: No such file"):
        read_bundle("no/such.tflite")


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="not a file"):
        read_bundle(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(BundleError, match="not a file"):
        read_bundle(tmp_path / "pipe")
    (tmp_path / "empty").touch()
    with pytest.raises(BundleError, match="the file is empty"):
        read_bundle(tmp_path / "empty")


def test_a_file_too_large_is_not_read(tmp_path: Path, file: bytes) -> None:
    path = tmp_path / "large.tflite"
    path.write_bytes(file)
    assert read_bundle(path, max_bytes=len(file))
    with pytest.raises(BundleError, match=f"has {len(file)} bytes, a bundle at most {len(file) - 1}"):
        read_bundle(path, max_bytes=len(file) - 1)
    os.truncate(path, 65 * 2**20)  # sparse
    with pytest.raises(BundleError, match="a bundle at most 67108864"):
        read_bundle(path)


def test_what_is_no_network_is_refused(file: bytes) -> None:
    for wrong in (b"", b"TFL3", file[:4] + b"TFL4" + file[8:], b"PK\x03\x04" + bytes(100)):
        with pytest.raises(BundleError, match="not a TensorFlow Lite file"):
            decode_bundle(wrong)


def test_a_bare_network_is_refused(file: bytes) -> None:
    with pytest.raises(BundleError, match="no zip archive is appended"):
        decode_bundle(decode_bundle(file).network)


def test_a_longer_network_is_refused(file: bytes) -> None:
    archive = split_archive(file)
    with pytest.raises(BundleError, match=r"the network has \d+ bytes, the manifest says"):
        decode_bundle(join_archive(archive.network + b"\0", archive.entries))


def test_a_changed_network_is_refused(file: bytes) -> None:
    changed = bytearray(file)
    changed[1000] ^= 1
    with pytest.raises(BundleError, match="the network does not match its SHA-256"):
        decode_bundle(bytes(changed))


def test_a_bundle_repacked_with_compression_is_refused(tmp_path: Path, file: bytes) -> None:
    path = tmp_path / "repacked.tflite"
    archive = split_archive(file)
    path.write_bytes(archive.network)
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as repacked:
        for name, data in archive.entries.items():
            repacked.writestr(name, data)
    with pytest.raises(BundleError, match="compressed by method 8"):
        read_bundle(path)


# --- manifest and entries -----------------------------------------------------------------------


def _set(*path: str | int, to: Any) -> Callable[[dict[str, Any], dict[str, bytes]], None]:
    def edit(manifest: dict[str, Any], _: dict[str, bytes]) -> None:
        place: Any = manifest
        for step in path[:-1]:
            place = place[step]
        place[path[-1]] = to

    return edit


def _entry(name: str, data: bytes | None, *, listed: bool) -> Callable[[dict[str, Any], dict[str, bytes]], None]:
    """Add, replace or (None) remove an entry, and the line that lists it."""

    def edit(manifest: dict[str, Any], entries: dict[str, bytes]) -> None:
        entries.pop(name, None) if data is None else entries.__setitem__(name, data)
        known = [item for item in manifest["entries"] if item["name"] != name]
        manifest["entries"] = known if not listed else manifest["entries"]
        if listed and name not in [item["name"] for item in manifest["entries"]]:
            manifest["entries"].append({"name": name})

    return edit


def _swap_entries(manifest: dict[str, Any], _: dict[str, bytes]) -> None:
    manifest["entries"].reverse()


def _second_spec(manifest: dict[str, Any], _: dict[str, bytes]) -> None:
    manifest["specs"].append(manifest["specs"][0])


POINT = ("labels", 0, "operating_point")
EDITS = {
    "newer schema": (_set("schema", to=2), r"made by a newer Auricle \(schema 2"),
    "older schema": (_set("schema", to=0), "schema 0, must be 1"),
    "schema is text": (_set("schema", to="1"), "schema must be a whole number"),
    "unknown member": (_set("signature", to="?"), "unknown member 'signature'"),
    "odd name": (_set("name", to="Cry Baby"), "name is 'Cry Baby', must match"),
    "name with a newline": (_set("name", to="cry\n"), "must match"),
    "odd version": (_set("version", to=""), "version is ''"),
    "odd output": (_set("output", to="softmax"), "must be one of logits, probabilities"),
    "no label": (_set("labels", to=[]), "0 labels, must have 1 to 64"),
    "label twice": (_set("labels", 1, "name", to="low"), "label 'low' stands 2 times"),
    "empty label": (_set("labels", 0, "name", to=""), "name is ''"),
    "another label": (_set("labels", 0, "name", to="high"), "labels.txt does not list"),
    "odd role": (_set("labels", 0, "role", to="alert"), "role is 'alert', must be one of alarm, info, reject"),
    "odd priority": (_set("labels", 0, "priority", to="urgent"), "priority is 'urgent'"),
    "label is text": (_set("labels", 0, to="low"), "must be an object, is 'low'"),
    "threshold 0": (_set(*POINT, "off", to=0), "must be 0 < off <= on < 1"),
    "threshold 1": (_set(*POINT, "on", to=1), "must be 0 < off <= on < 1"),
    "off above on": (_set(*POINT, "off", to=0.9), "must be 0 < off <= on < 1"),
    "negative time": (_set(*POINT, "hold_s", to=-1), "hold_s is -1.0, must be 0 to 3600 seconds"),
    "endless time": (_set(*POINT, "cooldown_s", to=1e9), "cooldown_s is 1000000000"),
    "time is text": (_set(*POINT, "confirm_s", to="1"), "confirm_s must be a number"),
    "spec with another number": (_set("specs", 0, "fields", "hop", to=125), "its fields give"),
    "spec hash": (_set("specs", 0, "hash", to="0" * 16), "has hash '0{16}', its fields give"),
    "unknown spec field": (_set("specs", 0, "fields", "hops", to=1), "unknown field 'hops'"),
    "impossible spec": (_set("specs", 0, "fields", "hop", to=0), "spec 0 of manifest.json: feature spec: hop is 0"),
    "no spec": (_set("specs", to=[]), "0 feature specs, must have 1 to 8"),
    "spec without golden features": (_second_spec, r"features_1\.npy' is missing"),
    "no golden": (_set("golden", to=[]), "0 golden cases"),
    "golden twice": (_set("golden", to=["sine", "sine"]), "golden case 'sine' stands 2 times"),
    "golden is a number": (_set("golden", 0, to=3), "golden case is 3"),
    "golden leads out": (_set("golden", 0, to="../silence"), "golden case is '../silence'"),
    "golden not carried": (_set("golden", 0, to="noise"), "silence/samples.npy' belongs to no golden case"),
    "golden not listed": (_set("golden", to=["sine"]), "silence/samples.npy' belongs to no golden case"),
    "network hash": (_set("network", "sha256", to="0" * 64), "the network does not match"),
    "entry missing": (_entry("golden/sine/samples.npy", None, listed=True), "is missing; the manifest lists it"),
    "labels.txt missing": (_entry("labels.txt", None, listed=False), "'labels.txt' is missing"),
    "entry unlisted": (_entry("card.md", b"# card", listed=False), "'card.md' is not listed"),
    "foreign entry": (_entry("setup.py", b"import os", listed=True), "'setup.py' is nothing that a bundle holds"),
    "nested too deep": (_entry("golden/a/b/samples.npy", b"", listed=True), "is nothing that a bundle holds"),
    "another order": (_swap_entries, "in another order"),
    "labels.txt differs": (_entry("labels.txt", b"low\n", listed=True), "labels.txt does not list"),
    "labels.txt with CRLF": (_entry("labels.txt", b"low\r\nnormal\r\n", listed=True), "labels.txt does not list"),
    "card is a list": (_entry("card.json", b"[]", listed=True), "card.json must be an object"),
    "card not UTF-8": (_entry("card.json", b'{"a": "\xff"}', listed=True), "card.json is not UTF-8"),
    "card with a twin": (_entry("card.json", b'{"a": 1, "a": 2}', listed=True), "'a' stands twice"),
    "card too large": (_entry("card.json", b" " * (2**20 + 1), listed=True), "has 1048577 bytes, may have 1048576"),
    "array too large": (_entry("golden/sine/samples.npy", bytes(2**24 + 1), listed=True), "may have 16777216"),
    "array of zeros": (_entry("golden/sine/samples.npy", bytes(9), listed=True), "no plain .npy"),
}


@pytest.mark.parametrize(("edit", "sentence"), EDITS.values(), ids=EDITS.keys())
def test_what_does_not_hold_is_refused(
    file: bytes, edit: Callable[[dict[str, Any], dict[str, bytes]], None], sentence: str
) -> None:
    with pytest.raises(BundleError, match=sentence):
        decode_bundle(_edited(file, edit))


def test_an_unchanged_edit_is_accepted(file: bytes) -> None:
    assert _same(decode_bundle(_edited(file, lambda _, __: None)), decode_bundle(file))


def test_an_entry_changed_together_with_its_checksum_is_refused(file: bytes) -> None:
    archive = split_archive(file)
    entries = dict(archive.entries) | {"card.md": b"# another card"}
    with pytest.raises(BundleError, match=r"'card.md' has 14 bytes, the manifest says"):
        decode_bundle(join_archive(archive.network, entries))
    entries["card.md"] = archive.entries["card.md"].replace(b"tiny", b"tiNy", 1)
    with pytest.raises(BundleError, match=r"'card.md' does not match its SHA-256"):
        decode_bundle(join_archive(archive.network, entries))


def test_a_bundle_without_manifest_is_refused(file: bytes) -> None:
    archive = split_archive(file)
    entries = {name: data for name, data in archive.entries.items() if name != "manifest.json"}
    with pytest.raises(BundleError, match=r"'manifest.json' is missing"):
        decode_bundle(join_archive(archive.network, entries))


def test_specs_of_different_windows_are_refused(file: bytes) -> None:
    bundle = decode_bundle(file)
    longer = replace(bundle.specs[0], window_samples=17_000)
    golden = tuple(
        replace(case, features=(*case.features, np.zeros(longer.shape, np.float32))) for case in bundle.golden
    )
    with pytest.raises(BundleError, match="differ in sample_rate_hz or window_samples"):
        decode_bundle(encode_bundle(replace(bundle, specs=(*bundle.specs, longer), golden=golden)))


# --- writing ------------------------------------------------------------------------------------


def test_what_could_not_be_read_is_not_written(file: bytes, tmp_path: Path) -> None:
    bundle = decode_bundle(file)
    path = tmp_path / "wrong.tflite"
    for wrong in (replace(bundle, labels=bundle.labels[:1]), replace(bundle, golden=()), replace(bundle, name="?")):
        with pytest.raises(BundleError, match=rf"^{path}: "):
            write_bundle(path, wrong)
    with pytest.raises(BundleError, match="what JSON cannot"):
        write_bundle(path, replace(bundle, card={"auc": float("nan")}))
    assert list(tmp_path.iterdir()) == []


def test_a_failed_write_leaves_the_old_bundle_and_nothing_else(
    file: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(b"old")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_bundle(path, decode_bundle(file))
    assert [(item.name, item.read_bytes()) for item in tmp_path.iterdir()] == [("model.tflite", b"old")]


def test_whole_numbers_in_a_spec_change_no_hash(file: bytes) -> None:
    """A spec written with `f_max_hz=4000` is read with 4000.0, whose JSON and hash are others."""
    bundle = decode_bundle(file)
    whole = replace(bundle.specs[0], f_max_hz=4000, pre_emphasis=0)
    assert _same(decode_bundle(encode_bundle(replace(bundle, specs=(whole,)))), bundle)


def test_a_label_survives_json(file: bytes) -> None:
    for label in decode_bundle(file).labels:
        assert label_from_dict(json.loads(json.dumps(label_to_dict(label))), "label") == label


# --- damage -------------------------------------------------------------------------------------


@settings(max_examples=300)
@given(st.data())
def test_any_change_of_the_file_is_refused(file: bytes, data: st.DataObject) -> None:
    damaged = bytearray(file)
    for _ in range(data.draw(st.integers(1, 3), "changes")):
        at = data.draw(st.integers(0, len(damaged) - 1), "at")
        kind = data.draw(st.sampled_from(["flip", "cut", "insert", "delete", "repeat"]), "kind")
        length = data.draw(st.integers(1, 40), "length")
        if kind == "flip":
            damaged[at] ^= 1 << data.draw(st.integers(0, 7), "bit")
        elif kind == "cut":
            del damaged[max(at, 1) :]
        elif kind == "insert":
            damaged[at:at] = data.draw(st.binary(min_size=1, max_size=40), "bytes")
        elif kind == "delete":
            del damaged[at : at + length]
        else:
            damaged[at:at] = damaged[at : at + length]
        if not damaged:
            break
    if bytes(damaged) == file:
        assert _same(decode_bundle(bytes(damaged)), decode_bundle(file))
        return
    with pytest.raises(BundleError):
        decode_bundle(bytes(damaged))


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


def test_thousands_of_truncations_are_all_refused(file: bytes) -> None:
    for size in range(0, len(file), 41):
        with pytest.raises(BundleError):
            decode_bundle(file[:size])


def test_an_archive_that_hides_in_a_network_is_not_taken_for_the_bundle(file: bytes) -> None:
    """Two end records: the last one counts, and what precedes the first entry must be the network."""
    other = _edited(file, _set("version", to="6.6.6"))
    with pytest.raises(BundleError):
        decode_bundle(file + split_archive(other).entries["manifest.json"] + struct.pack("<4s18x", b"PK\5\6"))
    archive = split_archive(file)
    with pytest.raises(BundleError, match=r"the network has \d+ bytes"):
        decode_bundle(join_archive(other, archive.entries))


def test_the_committed_bundles_open_by_path(tiny_bundle_path: Path, tiny_low_bundle_path: Path, tmp_path: Path) -> None:
    for path in (tiny_bundle_path, tiny_low_bundle_path):
        copy = tmp_path / path.name
        shutil.copy(path, copy)
        assert read_bundle(copy).sha256 == read_bundle(str(path)).sha256
