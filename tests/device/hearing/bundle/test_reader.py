"""A bundle is read as it was written, or refused with one sentence; nothing in between."""

from __future__ import annotations

import os
import shutil
import struct
import zipfile
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device.errors import BundleError
from device.hearing.bundle.archive import join_archive, split_archive
from device.hearing.bundle.reader import decode_bundle, read_bundle
from tests.device.hearing.bundle.altered import edited, entry_set, member_set, same

if TYPE_CHECKING:
    from pathlib import Path

    from tests.device.hearing.bundle.altered import Edit


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


def _swap_entries(manifest: dict[str, Any], _: dict[str, bytes]) -> None:
    manifest["entries"].reverse()


EDITS = {
    "entry missing": (entry_set("golden/sine/samples.npy", None, listed=True), "is missing; the manifest lists it"),
    "labels.txt missing": (entry_set("labels.txt", None, listed=False), "'labels.txt' is missing"),
    "entry unlisted": (entry_set("card.md", b"# card", listed=False), "'card.md' is not listed"),
    "foreign entry": (entry_set("setup.py", b"import os", listed=True), "'setup.py' is nothing that a bundle holds"),
    "nested too deep": (entry_set("golden/a/b/samples.npy", b"", listed=True), "is nothing that a bundle holds"),
    "another order": (_swap_entries, "in another order"),
    "labels.txt differs": (entry_set("labels.txt", b"low\n", listed=True), "labels.txt does not list"),
    "labels.txt with CRLF": (entry_set("labels.txt", b"low\r\nnormal\r\n", listed=True), "labels.txt does not list"),
    "card is a list": (entry_set("card.json", b"[]", listed=True), "card.json must be an object"),
    "card not UTF-8": (entry_set("card.json", b'{"a": "\xff"}', listed=True), "card.json is not UTF-8"),
    "card with a twin": (entry_set("card.json", b'{"a": 1, "a": 2}', listed=True), "'a' stands twice"),
    "card too large": (entry_set("card.json", b" " * (2**20 + 1), listed=True), "has 1048577 bytes, may have 1048576"),
    "array too large": (entry_set("golden/sine/samples.npy", bytes(2**24 + 1), listed=True), "may have 16777216"),
    "array of zeros": (entry_set("golden/sine/samples.npy", bytes(9), listed=True), "no plain .npy"),
}


@pytest.mark.parametrize(("edit", "sentence"), EDITS.values(), ids=EDITS.keys())
def test_what_does_not_hold_is_refused(file: bytes, edit: Edit, sentence: str) -> None:
    with pytest.raises(BundleError, match=sentence):
        decode_bundle(edited(file, edit))


def test_an_unchanged_edit_is_accepted(file: bytes) -> None:
    assert same(decode_bundle(edited(file, lambda _, __: None)), decode_bundle(file))


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
        assert same(decode_bundle(bytes(damaged)), decode_bundle(file))
        return
    with pytest.raises(BundleError):
        decode_bundle(bytes(damaged))


def test_thousands_of_truncations_are_all_refused(file: bytes) -> None:
    for size in range(0, len(file), 41):
        with pytest.raises(BundleError):
            decode_bundle(file[:size])


def test_an_archive_that_hides_in_a_network_is_not_taken_for_the_bundle(file: bytes) -> None:
    """Two end records: the last one counts, and what precedes the first entry must be the network."""
    other = edited(file, member_set("version", to="6.6.6"))
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
