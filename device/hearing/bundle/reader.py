"""One model file: the network, and appended to it all that belongs to it.

A bundle is a `.tflite` file with a zip behind the network (see `archive`), in this order:

    manifest.json       schema, name, version, labels, specs, what the output is; size and SHA-256 of
                        the network and of each further entry
    labels.txt          one label per line, for other tools
    card.json, card.md  data, licences, figures; the same for people
    golden/<case>/      samples.npy, features_0.npy .., probabilities.npy: what this model must
                        reproduce wherever it runs

Reading believes nothing: structure, names, sizes, hashes, types, shapes and ranges are checked, and
nothing is unpickled or executed. What needs the network to run is checked in `classifier`.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import re
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from device.errors import BundleError, SpecError
from device.hearing.bundle.archive import join_archive, split_archive
from device.hearing.bundle.card_page import card_markdown
from device.hearing.bundle.golden_vectors import GOLDEN_ENTRY, GoldenCase, golden_cases, golden_entries
from device.hearing.decision import OperatingPoint
from device.hearing.spec import FeatureSpec
from device.messages import Priority, Role
from device.strict_json import members, parse

if TYPE_CHECKING:
    from collections.abc import Mapping


Output = Literal["logits", "probabilities"]

SCHEMA = 1
"""Version of the manifest; a reader refuses a later one."""

MAX_FILE_BYTES = 64 * 2**20
MAX_ENTRY_BYTES = 16 * 2**20
MAX_JSON_BYTES = 2**20
MAX_TIME_S = 3600.0
MAX_LABELS, MAX_SPECS = 64, 8

_IDENTIFIER = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_VERSION = re.compile(r"[0-9A-Za-z][0-9A-Za-z.+_-]{0,31}")
_TFLITE_MARK = b"TFL3"  # the flatbuffer's file identifier, at byte 4
_HEAD = ("manifest.json", "labels.txt", "card.json", "card.md")


@dataclass(frozen=True, slots=True)
class Label:
    """One thing a model can hear.

    Attributes:
        name: lower-case letters, digits, `_` and `-`; unique in its model.
        role: an `alarm` is told to people, `info` is recorded, `reject` is what it is none of.
        priority: of an alarm.
        operating_point: when its scores are believed.
    """

    name: str
    role: Role
    priority: Priority
    operating_point: OperatingPoint


@dataclass(frozen=True, slots=True, eq=False)
class Bundle:
    """A model and everything that belongs to it.

    Attributes:
        name: of the model, as in an event's `model`.
        version: of the model, e.g. `1.0.0`.
        labels: in the order of the network's scores.
        specs: what the network hears, one for each of its inputs `input_0`, `input_1`, ...; all of
            one sample rate and one window.
        output: what its output `scores` gives: logits (a sigmoid for each label is still to be
            taken) or probabilities.
        network: the TensorFlow Lite flatbuffer.
        golden: at least one case.
        card: where the model comes from and what it was measured to do; JSON types.
        sha256: of the whole file, in hex; empty for a bundle that was not read from one.
    """

    name: str
    version: str
    labels: tuple[Label, ...]
    specs: tuple[FeatureSpec, ...]
    output: Output
    network: bytes = field(repr=False)
    golden: tuple[GoldenCase, ...] = field(repr=False)
    card: Mapping[str, Any] = field(repr=False)
    sha256: str = ""

    @property
    def label_names(self) -> tuple[str, ...]:
        """Names of the labels, in the order of the scores."""
        return tuple(label.name for label in self.labels)

    @property
    def sample_rate_hz(self) -> int:
        """The rate the model listens at."""
        return self.specs[0].sample_rate_hz

    @property
    def window_samples(self) -> int:
        """Samples of one window at that rate."""
        return self.specs[0].window_samples


def read_bundle(path: Path | str, *, max_bytes: int = MAX_FILE_BYTES) -> Bundle:
    """The bundle in a file.

    Args:
        path: of the file; it stands first in an error's sentence, as given.
        max_bytes: a larger file is not read.

    Raises:
        BundleError: the file is none that `write_bundle` could have written.
    """
    try:
        return decode_bundle(_file_bytes(Path(path), max_bytes))
    except BundleError as error:
        raise BundleError(f"{path}: {error}") from None


def write_bundle(path: Path | str, bundle: Bundle) -> None:
    """Write a bundle; the file appears whole or not at all, with equal bytes for an equal bundle.

    Raises:
        BundleError: `read_bundle` would refuse it.
        OSError: the file cannot be written.
    """
    path = Path(path)
    try:
        data = encode_bundle(bundle)
        decode_bundle(data)
    except BundleError as error:
        raise BundleError(f"{path}: {error}") from None
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with partial.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def encode_bundle(bundle: Bundle) -> bytes:
    """The bytes of a bundle's file; `sha256` plays no part.

    Raises:
        BundleError: a part of it has no place in a bundle.
    """
    parts = {
        "labels.txt": _labels_text(bundle.label_names),
        "card.json": _json_bytes(dict(bundle.card)),
        "card.md": card_markdown(f"{bundle.name} {bundle.version}", bundle.card).encode(),
    } | golden_entries(bundle.golden)
    manifest = {
        "schema": SCHEMA,
        "name": bundle.name,
        "version": bundle.version,
        "labels": [label_to_dict(label) for label in bundle.labels],
        "specs": [_spec_to_dict(spec) for spec in bundle.specs],
        "output": bundle.output,
        "golden": [case.name for case in bundle.golden],
        "network": _digest(bundle.network),
        "entries": [{"name": name} | _digest(data) for name, data in parts.items()],
    }
    return join_archive(bundle.network, {"manifest.json": _json_bytes(manifest)} | parts)


def decode_bundle(file: bytes) -> Bundle:
    """The bundle in a file's bytes.

    Raises:
        BundleError: the bytes are none that `encode_bundle` could have made.
    """
    if file[4:8] != _TFLITE_MARK:
        raise BundleError("not a TensorFlow Lite file (no TFL3 at byte 4); write it with the converter")
    archive = split_archive(file)
    network, entries = archive.network, archive.entries
    _check_names(entries)
    manifest = _manifest(entries["manifest.json"])
    _check_digest("the network", network, manifest["network"])
    _check_entries(entries, manifest["entries"])
    labels = _labels(manifest["labels"])
    if entries["labels.txt"] != _labels_text(tuple(label.name for label in labels)):
        raise BundleError("labels.txt does not list the manifest's labels, one per line, in their order")
    specs = _specs(manifest["specs"])
    return Bundle(
        name=_matching(manifest["name"], "name", _IDENTIFIER),
        version=_matching(manifest["version"], "version", _VERSION),
        labels=labels,
        specs=specs,
        output=_choice(manifest["output"], "output", Output),
        network=network,
        golden=_golden(manifest["golden"], entries, specs, len(labels)),
        card=_card(entries),
        sha256=hashlib.sha256(file).hexdigest(),
    )


def label_to_dict(label: Label) -> dict[str, Any]:
    """A label as JSON types."""
    return dataclasses.asdict(label)


def label_from_dict(value: Any, where: str) -> Label:
    """The label that `label_to_dict` described.

    Args:
        value: JSON.
        where: names it in an error's sentence.

    Raises:
        BundleError: a member is unknown, missing, of another type or out of range.
    """
    fields = members(value, where, {"name": str, "role": str, "priority": str, "operating_point": dict})
    name = _matching(fields["name"], f"{where}: name", _IDENTIFIER)
    return Label(
        name=name,
        role=_choice(fields["role"], f"{where} ({name}): role", Role),
        priority=_choice(fields["priority"], f"{where} ({name}): priority", Priority),
        operating_point=_operating_point(fields["operating_point"], f"{where} ({name})"),
    )


# --- the file and its entries -------------------------------------------------------------------


def _file_bytes(path: Path, max_bytes: int) -> bytes:
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
    """Only what a bundle holds, in its order, and none of it too large."""
    for name, data in entries.items():
        if name not in _HEAD and GOLDEN_ENTRY.fullmatch(name) is None:
            raise BundleError(f"entry {name!r} is nothing that a bundle holds")
        most = MAX_JSON_BYTES if name in _HEAD else MAX_ENTRY_BYTES
        if len(data) > most:
            raise BundleError(f"entry {name!r} has {len(data)} bytes, may have {most}")
    for name in _HEAD:
        if name not in entries:
            raise BundleError(f"entry {name!r} is missing; write the bundle with the converter")


def _check_entries(entries: Mapping[str, bytes], listed: list[Any]) -> None:
    """Each entry stands in the manifest with its size and hash, in the archive's order."""
    known = [members(item, "an entry of manifest.json", {"name": str, "bytes": int, "sha256": str}) for item in listed]
    names = [item["name"] for item in known]
    for name in names:
        if name not in entries:
            raise BundleError(f"entry {name!r} is missing; the manifest lists it")
    for name in list(entries)[1:]:
        if name not in names:
            raise BundleError(f"entry {name!r} is not listed in the manifest")
    if names != list(entries)[1:]:
        raise BundleError("the manifest lists the entries in another order than the archive holds them")
    for item in known:
        _check_digest(f"entry {item['name']!r}", entries[item["name"]], {k: item[k] for k in ("bytes", "sha256")})


def _digest(data: bytes) -> dict[str, Any]:
    return {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def _check_digest(what: str, data: bytes, wanted: dict[str, Any]) -> None:
    wanted = members(wanted, f"manifest.json: {what}", {"bytes": int, "sha256": str})
    if len(data) != wanted["bytes"]:
        raise BundleError(f"{what} has {len(data)} bytes, the manifest says {wanted['bytes']}")
    if hashlib.sha256(data).hexdigest() != wanted["sha256"]:
        raise BundleError(f"{what} does not match its SHA-256 in the manifest")


# --- manifest, labels and card ------------------------------------------------------------------


def _json_bytes(value: Any) -> bytes:
    try:
        return (json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise BundleError(f"the card or manifest holds what JSON cannot: {error}") from None


def _manifest(data: bytes) -> dict[str, Any]:
    value = parse(data, "manifest.json")
    schema = value.get("schema") if isinstance(value, dict) else None
    if type(schema) is int and schema > SCHEMA:
        raise BundleError(f"made by a newer Auricle (schema {schema}; this one reads up to {SCHEMA}); update Auricle")
    kinds = {"schema": int, "name": str, "version": str, "labels": list, "specs": list, "output": str}
    manifest = members(value, "manifest.json", kinds | {"golden": list, "network": dict, "entries": list})
    if schema != SCHEMA:
        raise BundleError(f"manifest.json has schema {schema}, must be {SCHEMA}")
    return manifest


def _card(entries: Mapping[str, bytes]) -> dict[str, Any]:
    card = parse(entries["card.json"], "card.json")
    if not isinstance(card, dict):
        raise BundleError("card.json must be an object")
    return card


def _labels_text(names: tuple[str, ...]) -> bytes:
    return "".join(f"{name}\n" for name in names).encode()


def _labels(values: list[Any]) -> tuple[Label, ...]:
    if not 0 < len(values) <= MAX_LABELS:
        raise BundleError(f"manifest.json has {len(values)} labels, must have 1 to {MAX_LABELS}")
    labels = tuple(label_from_dict(value, f"label {ordinal} of manifest.json") for ordinal, value in enumerate(values))
    _refuse_twins([label.name for label in labels], "label")
    return labels


def _golden(
    names: list[Any], entries: Mapping[str, bytes], specs: tuple[FeatureSpec, ...], labels: int
) -> tuple[GoldenCase, ...]:
    names = [_matching(name, "a golden case", _IDENTIFIER) for name in names]
    _refuse_twins(names, "golden case")
    held = {name: data for name, data in entries.items() if name not in _HEAD}
    return golden_cases(names, held, specs, labels)


def _operating_point(value: Any, where: str) -> OperatingPoint:
    names = [item.name for item in dataclasses.fields(OperatingPoint)]
    fields: dict[str, float] = members(value, f"{where}: operating_point", dict.fromkeys(names, float))
    if not 0 < fields["off"] <= fields["on"] < 1:
        raise BundleError(f"{where}: thresholds off {fields['off']} and on {fields['on']} must be 0 < off <= on < 1")
    for name in names[2:]:
        if not 0 <= fields[name] <= MAX_TIME_S:
            raise BundleError(f"{where}: {name} is {fields[name]}, must be 0 to {MAX_TIME_S:.0f} seconds")
    return OperatingPoint(**fields)


def _matching(value: Any, what: str, pattern: re.Pattern[str]) -> str:
    if not isinstance(value, str) or pattern.fullmatch(value) is None:
        raise BundleError(f"{what} is {value!r:.60}, must match {pattern.pattern}")
    return value


def _choice(value: Any, what: str, kind: Any) -> Any:
    if value not in get_args(kind):
        raise BundleError(f"{what} is {value!r:.60}, must be one of {', '.join(get_args(kind))}")
    return value


def _refuse_twins(names: list[str], what: str) -> None:
    for name in names:
        if names.count(name) > 1:
            raise BundleError(f"{what} {name!r} stands {names.count(name)} times; it must be unique")


# --- specs --------------------------------------------------------------------------------------


def _spec_to_dict(spec: FeatureSpec) -> dict[str, Any]:
    """A spec with its hash, both as they will be read: whole numbers in a float's place become floats."""
    fields = FeatureSpec.from_dict(spec.to_dict())
    return {"hash": fields.spec_hash, "fields": fields.to_dict()}


def _specs(values: list[Any]) -> tuple[FeatureSpec, ...]:
    if not 0 < len(values) <= MAX_SPECS:
        raise BundleError(f"manifest.json has {len(values)} feature specs, must have 1 to {MAX_SPECS}")
    specs = tuple(_spec(value, f"spec {ordinal} of manifest.json") for ordinal, value in enumerate(values))
    if len({(spec.sample_rate_hz, spec.window_samples) for spec in specs}) > 1:
        raise BundleError("the feature specs differ in sample_rate_hz or window_samples; a model hears one window")
    return specs


def _spec(value: Any, where: str) -> FeatureSpec:
    item = members(value, where, {"hash": str, "fields": dict})
    try:
        spec = FeatureSpec.from_dict(item["fields"])
    except SpecError as error:
        raise BundleError(f"{where}: {error}") from None
    if spec.spec_hash != item["hash"]:
        raise BundleError(f"{where} has hash {item['hash']!r:.24}, its fields give {spec.spec_hash!r}")
    return spec
