"""A bundle is written whole, the same bytes every time, and only if it can be read back."""

from __future__ import annotations

import hashlib
import os
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from device.errors import BundleError
from device.hearing.bundle.reader import decode_bundle, read_bundle
from device.hearing.bundle.writer import encode_bundle, write_bundle
from tests.device.hearing.bundle.altered import same

if TYPE_CHECKING:
    from pathlib import Path


def test_what_is_written_is_read_back(file: bytes, tmp_path: Path) -> None:
    bundle = decode_bundle(file)
    path = tmp_path / "copy.tflite"
    write_bundle(path, bundle)
    found = read_bundle(path)
    assert same(found, bundle)
    assert found.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def test_equal_bundles_give_equal_bytes(file: bytes) -> None:
    assert encode_bundle(decode_bundle(file)) == file


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
    assert same(decode_bundle(encode_bundle(replace(bundle, specs=(whole,)))), bundle)
