"""A bundle of a backbone and a head holds both as they were written, or is refused with a sentence."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from device.errors import BundleError
from device.hearing.bundle.archive import join_archive, split_archive
from device.hearing.bundle.manifest import HEAD_ENTRY
from device.hearing.bundle.reader import decode_bundle
from device.hearing.bundle.writer import encode_bundle
from device.hearing.classifier import Classifier
from device.hearing.network.parts import PastShape
from tests.device.hearing.bundle.altered import edited, entry_set, member_set, same
from tests.device.hearing.network import hostile
from tests.device.hearing.network.hostile import head_of, with_head, with_network

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.device.hearing.bundle.altered import Edit


@pytest.fixture(scope="module")
def file(carrying_bundle_paths: tuple[Path, Path]) -> bytes:
    return carrying_bundle_paths[0].read_bytes()


@pytest.fixture(scope="module")
def other(carrying_bundle_paths: tuple[Path, Path]) -> bytes:
    return carrying_bundle_paths[1].read_bytes()


def test_writing_it_again_gives_the_same_bytes(file: bytes, other: bytes) -> None:
    for each in (file, other):
        bundle = decode_bundle(each)
        assert encode_bundle(bundle) == each
        assert same(bundle, decode_bundle(encode_bundle(bundle)))
    assert (decode_bundle(file).network, decode_bundle(file).head) != (decode_bundle(other).network, None)


EDITS: dict[str, tuple[Edit, str]] = {
    "another backbone's hash": (
        member_set("head", "backbone_sha256", to="0" * 64),
        r"the head needs the backbone '0+, the bundle holds '[0-9a-f]+: they do not belong together",
    ),
    "no head": (entry_set("head.tflite", None, listed=False), "entry 'head.tflite' is missing"),
    "an empty head": (entry_set("head.tflite", b"", listed=True), "in the head, .* the network ends at byte 0"),
    "a head cut short": (entry_set("head.tflite", bytes(40), listed=True), "in the head, .* refers to itself"),
    "an older schema": (member_set("schema", to=2), "unknown member 'head'"),
    "no head in the manifest": (lambda manifest, _: manifest.pop("head"), "manifest.json lacks 'head'"),
    "no sequences": (member_set("sequences", to=[]), "belongs to no golden case or spec of the manifest"),
    "a past that is a number": (member_set("head", "past", to=3), "past must be a list"),
    "a past of one size": (member_set("head", "past", to=[3]), r"past is \[3\], must be \[steps, size\]"),
    "a past of texts": (member_set("head", "past", to=["3", 8]), r"must be \[steps, size\]"),
    "more steps": (
        member_set("head", "past", to=[4, 8]),
        r"in the head, the network's past has shape \(1, 3, 8\), labels and specs need \(1, 4, 8\)",
    ),
    "too many steps": (member_set("head", "past", to=[65, 8]), "the head's number of steps is 65, must be 1 to 64"),
    "a huge past": (member_set("head", "past", to=[64, 4096]), "the head's past size is 262144, must be 1 to 65536"),
    "no step": (member_set("head", "past", to=[0, 8]), "the head's number of steps is 0"),
    "a larger embedding": (
        member_set("head", "embedding", to=9),
        r"in the backbone, the network's embedding has shape \(1, 8\), labels and specs need \(1, 9\)",
    ),
    "no hop": (member_set("head", "hop_s", to=0), "hop_s is 0.0, must be 0.01 to 60 seconds"),
    "another hop": (member_set("head", "hop_s", to=0.25), "entry 'golden/cry-begins/samples.npy' is "),
    "a long sequence": (member_set("sequences", 0, "windows", to=65), "has 65 windows, must have 2 to 64"),
    "a shorter sequence": (member_set("sequences", 0, "windows", to=6), "entry 'golden/cry-begins/samples.npy' is "),
    "a sequence of a case's name": (member_set("sequences", 0, "name", to="silence"), "'silence' stands 2 times"),
    "unknown in the head": (member_set("head", "more", to=1), "unknown member 'more'"),
}  # fmt: skip


@pytest.mark.parametrize(("edit", "sentence"), EDITS.values(), ids=EDITS.keys())
def test_what_does_not_hold_is_refused(file: bytes, edit: Edit, sentence: str) -> None:
    with pytest.raises(BundleError, match=sentence):
        decode_bundle(edited(file, edit))


def test_a_head_in_a_bundle_of_one_network_is_refused(tiny_low_bundle_path: Path) -> None:
    edit = entry_set("head.tflite", b"head", listed=True)
    with pytest.raises(BundleError, match=r"entry 'head\.tflite' belongs to schema 3"):
        decode_bundle(edited(tiny_low_bundle_path.read_bytes(), edit))


def test_one_bit_of_either_part_is_noticed(file: bytes) -> None:
    head_at = file.index(split_archive(file).entries["head.tflite"])
    for at in (200, head_at + 200):
        damaged = bytearray(file)
        damaged[at] ^= 1
        with pytest.raises(BundleError, match=r"does not match its (SHA-256|checksum)"):
            decode_bundle(bytes(damaged))


def test_a_backbone_of_the_same_shape_in_its_place_is_refused_by_the_head(file: bytes) -> None:
    """Every hash but that in the head is made to fit."""
    swapped = _with_other_weights(file)
    with pytest.raises(BundleError, match="they do not belong together"):
        decode_bundle(swapped)


def test_a_backbone_whose_every_hash_fits_is_refused_by_the_golden_scores(file: bytes) -> None:
    bundle = decode_bundle(file)
    with pytest.raises(BundleError, match=r"golden (case|sequence) .* scores .*, must be within"):
        Classifier.open(replace(bundle, network=split_archive(_with_other_weights(file)).network))


def test_the_head_of_another_bundle_is_refused_although_it_fits_the_backbone(file: bytes, other: bytes) -> None:
    """Both were converted with one backbone, so the head needs the network in front of it."""
    entries = split_archive(file).entries | {HEAD_ENTRY: head_of(other)}
    with pytest.raises(BundleError, match=r"entry 'head\.tflite' .*the manifest"):
        decode_bundle(join_archive(split_archive(file).network, entries))
    with pytest.raises(BundleError, match=r"golden (case|sequence) .* scores .*, must be within"):
        Classifier.open(decode_bundle(with_head(file, head_of(other))))


def test_the_parts_of_a_network_in_the_place_of_each_other_are_refused(file: bytes) -> None:
    with pytest.raises(BundleError, match=r"in the backbone, the network's inputs are embedding, past, the specs need"):
        decode_bundle(with_network(file, head_of(file)))
    with pytest.raises(BundleError, match=r"in the head, the network's inputs are input_0, the specs need embedding"):
        decode_bundle(with_head(file, split_archive(file).network))


@pytest.mark.parametrize(("edit", "sentence"), hostile.REPORTED.values(), ids=hostile.REPORTED.keys())
def test_a_head_that_means_harm_is_refused_by_its_part_and_reason(
    file: bytes, edit: Callable[[Any], None], sentence: str
) -> None:
    with pytest.raises(BundleError) as refused:
        decode_bundle(hostile.hostile_head(file, _of_scores(edit)))
    told = str(refused.value)
    assert told.startswith("in the head, the network")
    assert re.sub(r"\d+ tensors", "18 tensors", sentence) in re.sub(r"\d+ tensors", "18 tensors", told)


def _of_scores(edit: Callable[[Any], None]) -> Callable[[Any], None]:
    """The edit of a model whose first output is the scores."""

    def changed(model: Any) -> None:
        model.signatureDefs[0].outputs.sort(key=lambda item: item.name != b"scores")
        edit(model)

    return changed


def test_cut_short_anywhere_it_is_refused_in_one_sentence(file: bytes) -> None:
    head_at = file.index(head_of(file))
    places = [0, 7, 200, head_at - 1, head_at, head_at + 1, head_at + 200, head_at + len(head_of(file))]
    for at in [*places, *range(1000, len(file), len(file) // 50), len(file) - 1]:
        with pytest.raises(BundleError) as refused:
            decode_bundle(file[:at])
        assert len(str(refused.value).splitlines()) == 1


def test_padded_anywhere_it_is_refused(file: bytes) -> None:
    archive, padding = split_archive(file), bytes(4)
    inserted = [len(archive.network), file.index(head_of(file)), file.index(head_of(file)) + len(head_of(file))]
    for at in inserted:
        with pytest.raises(BundleError):
            decode_bundle(file[:at] + padding + file[at:])
    with pytest.raises(BundleError, match="4 bytes follow the end of the archive"):
        decode_bundle(file + padding)
    with pytest.raises(BundleError, match=r"the network has \d+ bytes, the manifest says \d+"):
        decode_bundle(join_archive(archive.network + padding, archive.entries))
    with pytest.raises(BundleError, match=r"entry 'head\.tflite' has \d+ bytes, the manifest says \d+"):
        decode_bundle(join_archive(archive.network, archive.entries | {HEAD_ENTRY: head_of(file) + padding}))


def test_the_past_counts_in_the_golden_sequence(file: bytes) -> None:
    bundle = decode_bundle(file)
    (sequence,) = bundle.sequences
    moved = sequence.probabilities.copy()
    moved[-1] -= 0.1
    with pytest.raises(BundleError, match=r"golden sequence 'cry-begins', window 6: cry scores 0\.\d+ on .*, must be"):
        Classifier.open(replace(bundle, sequences=(replace(sequence, probabilities=moved),)))


def test_a_runtime_is_not_believed_either(file: bytes) -> None:
    """Whoever builds a bundle in memory is told as well."""
    bundle = decode_bundle(file)
    assert bundle.head is not None
    longer = replace(bundle.head, shape=PastShape(8, 4, 8))
    with pytest.raises(BundleError, match=r"the head's past has shape \(1, 3, 8\), labels and specs need \(1, 4, 8\)"):
        Classifier(replace(bundle, head=longer))
    with pytest.raises(BundleError, match="the head's inputs are input_0"):
        Classifier(replace(bundle, head=replace(bundle.head, network=bundle.network)))


def _with_other_weights(file: bytes) -> bytes:
    """The bundle with the convolution of its backbone turned around, the network's own hash made to fit."""
    import hashlib
    import json

    from device.hearing.network.graph import read_graph

    archive = split_archive(file)
    graph = read_graph(archive.network)
    operation = next(each for each in graph.operations if each.name == "CONV_2D")
    size = graph.tensors[operation.inputs[1]].constant_bytes
    weights = _constants(archive.network, size)
    turned = np.frombuffer(weights, np.int8)[::-1].tobytes()
    assert turned != weights
    network = archive.network.replace(weights, turned)
    entries: dict[str, Any] = dict(archive.entries)
    manifest = json.loads(entries["manifest.json"])
    manifest["network"] = {"bytes": len(network), "sha256": hashlib.sha256(network).hexdigest()}
    return join_archive(network, entries | {"manifest.json": json.dumps(manifest).encode()})


def _constants(network: bytes, size: int) -> bytes:
    """The only constant of so many bytes: its length stands before it."""
    length = size.to_bytes(4, "little")
    at = network.index(length) + 4
    while not any(network[at : at + size]):
        at = network.index(length, at) + 4
    return network[at : at + size]
