"""Reads a bundle: one model file that holds the network and, appended to it, everything that belongs to it.

A bundle is a `.tflite` file with a zip behind the network (see `archive`), in this order:

    manifest.json       schema, name, version, labels, specs, meaning of the output; size and SHA-256 of
                        the network and of each further entry
    labels.txt          one label per line, for other tools
    card.json, card.md  the model card: data, licences, figures; the same as a page for people
    head.tflite         the second part of a network in two (see `device.hearing.network.parts`), whose backbone is
                        then the network in front; in bundles of schema 3
    golden/<case>/      samples.npy, features_0.npy .., probabilities.npy: what this model must
                        reproduce on every machine; of a sequence of windows without features (see `golden_sequences`)
    reference/          the trained network's scores (see `reference`), in bundles of schema 2 and 3

The file may end in a signature (see `signature`), which is checked first where a public key is given.

Nothing in the file is trusted: structure, names, sizes, hashes, types, shapes and ranges are checked, those of each
network's flatbuffer too, and nothing is unpickled or executed. `classifier` checks what requires running the network.
"""

from __future__ import annotations

import dataclasses
import hashlib
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any

from device.errors import BundleError
from device.hearing.bundle.archive import split_archive
from device.hearing.bundle.contents import Bundle, labels_text
from device.hearing.bundle.golden_sequences import golden_sequences
from device.hearing.bundle.golden_vectors import GOLDEN_ENTRY, golden_cases
from device.hearing.bundle.manifest import HEAD_ENTRY, Manifest
from device.hearing.bundle.reference import REFERENCE_ENTRY, read_reference
from device.hearing.bundle.signature import split_trailer
from device.hearing.network.check import SCORES, check_network
from device.hearing.network.graph import read_graph
from device.hearing.network.parts import check_parts
from device.quantity import quantity
from device.strict_json import parse

if TYPE_CHECKING:
    from collections.abc import Mapping

    from device.hearing.bundle.contents import Head
    from device.hearing.bundle.signature import PublicKey
    from device.hearing.network.graph import Graph

MAX_FILE_BYTES = 64 * 2**20
MAX_ENTRY_BYTES = 16 * 2**20
MAX_JSON_BYTES = 2**20

_TFLITE_MARK = b"TFL3"  # the flatbuffer's file identifier, at byte 4
_FIRST = ("manifest.json", "labels.txt", "card.json", "card.md")


def read_bundle(path: Path | str, *, max_bytes: int = MAX_FILE_BYTES, key: PublicKey | None = None) -> Bundle:
    """The bundle in a file.

    Args:
        path: of the file; an error's sentence begins with it, as given.
        max_bytes: a larger file is not read.
        key: that must have signed it; None reads signed and unsigned files alike.

    Raises:
        BundleError: `write_bundle` could not have written this file, or the key did not sign it.
    """
    try:
        data = file_bytes(path, max_bytes=max_bytes)
        if key is not None:
            key.check(data)
        return decode_bundle(data)
    except BundleError as error:
        raise BundleError(f"{path}: {error}") from None


def check_signed(path: Path | str, key: PublicKey) -> None:
    """Refuse a file that a key did not sign; nothing else in it is looked at.

    Raises:
        BundleError: it did not; the sentence begins with the path.
    """
    try:
        key.check(file_bytes(path))
    except BundleError as error:
        raise BundleError(f"{path}: {error}") from None


def decode_bundle(file: bytes) -> Bundle:
    """The bundle in a file's bytes.

    Raises:
        BundleError: `encode_bundle` could not have produced these bytes.
    """
    if file[4:8] != _TFLITE_MARK:
        raise BundleError("not a TensorFlow Lite file (no TFL3 at byte 4); write it with the converter")
    unsigned, trailer = split_trailer(file)
    archive = split_archive(unsigned)
    network, entries = archive.network, archive.entries
    _check_names(entries)
    manifest = Manifest(entries["manifest.json"])
    manifest.check_network(network)
    manifest.check_entries(entries)
    labels = manifest.labels
    if entries["labels.txt"] != labels_text(labels):
        raise BundleError("labels.txt does not list the manifest's labels, one per line, in their order")
    specs = manifest.specs
    sequences, golden = manifest.sequences, _golden_entries(entries)
    of_sequences = {f"golden/{name}/{part}.npy" for name, _ in sequences for part in ("samples", "probabilities")}
    cases = {name: data for name, data in golden.items() if name not in of_sequences}
    bundle = Bundle(
        name=manifest.name,
        version=manifest.version,
        labels=labels,
        specs=specs,
        output=manifest.output,
        network=network,
        golden=golden_cases(manifest.golden_names, cases, specs, len(labels), with_features=manifest.with_features),
        card=_card(entries),
        sha256=hashlib.sha256(file).hexdigest(),
        signer=trailer.key_id if trailer else "",
        reference=read_reference(_reference_entries(entries), specs, [label.name for label in labels]),
        head=manifest.head(entries),
        attention=manifest.attention,
    )
    if bundle.hop_samples is not None:
        held = golden_sequences(
            sequences,
            golden,
            window_samples=bundle.window_samples,
            hop_samples=bundle.hop_samples,
            label_count=len(bundle.labels),
        )
        bundle = dataclasses.replace(bundle, sequences=held)
    _check_graphs(bundle)
    return bundle


def _check_graphs(bundle: Bundle) -> None:
    """The network is one that the device runs, or both of its parts are."""
    shapes, graph = [(1, *spec.shape, 1) for spec in bundle.specs], read_graph(bundle.network)
    if bundle.head is not None:
        check_parts(graph, _head_graph(bundle.head), shapes, len(bundle.labels), bundle.head.shape)
        return
    inputs = {f"input_{ordinal}": shape for ordinal, shape in enumerate(shapes)}
    outputs: dict[str, tuple[int, ...]] = {SCORES: (1, len(bundle.labels))}
    if bundle.attention is not None:
        if len(bundle.specs) != 1:
            raise BundleError(f"an attention needs one input, the network has {len(bundle.specs)}")
        outputs |= bundle.attention.shapes(bundle.specs[0])
    check_network(graph, inputs, outputs)


def _head_graph(head: Head) -> Graph:
    try:
        return read_graph(head.network)
    except BundleError as error:
        raise BundleError(f"in the head, {error}") from None


def file_bytes(path: Path | str, *, max_bytes: int = MAX_FILE_BYTES) -> bytes:
    """The bytes of a file that may be a bundle.

    Raises:
        BundleError: it is no file, is empty or too large, or cannot be read.
    """
    path = Path(path)
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):
            raise BundleError("not a file; a bundle is one .tflite file")
        if not found.st_size:
            raise BundleError("the file is empty; a bundle is one .tflite file")
        with path.open("rb") as file:
            data = file.read(max_bytes + 1)
    except OSError as error:
        raise BundleError(f"cannot be read: {error.strerror or error}") from None
    if len(data) > max_bytes:
        raise BundleError(f"the file has {max(found.st_size, len(data))} bytes, a bundle at most {max_bytes}")
    return data


def _check_names(entries: Mapping[str, bytes]) -> None:
    """Every entry has a known name and a bounded size, and none is missing."""
    for name, data in entries.items():
        if name not in (*_FIRST, HEAD_ENTRY) and not (GOLDEN_ENTRY.fullmatch(name) or REFERENCE_ENTRY.fullmatch(name)):
            raise BundleError(f"entry {name!r} is nothing that a bundle holds")
        most = MAX_JSON_BYTES if name in _FIRST else MAX_ENTRY_BYTES
        if len(data) > most:
            raise BundleError(f"entry {name!r} has {quantity(len(data), 'byte')}, may have {most}")
    for name in _FIRST:
        if name not in entries:
            raise BundleError(f"entry {name!r} is missing; write the bundle with the converter")


def _golden_entries(entries: Mapping[str, bytes]) -> dict[str, bytes]:
    return {name: data for name, data in entries.items() if GOLDEN_ENTRY.fullmatch(name)}


def _reference_entries(entries: Mapping[str, bytes]) -> dict[str, bytes]:
    return {name: data for name, data in entries.items() if REFERENCE_ENTRY.fullmatch(name)}


def _card(entries: Mapping[str, bytes]) -> dict[str, Any]:
    card = parse(entries["card.json"], "card.json")
    if not isinstance(card, dict):
        raise BundleError("card.json must be an object")
    return card
