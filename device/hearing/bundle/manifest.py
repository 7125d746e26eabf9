"""manifest.json, the entry that describes a bundle: what stands in it, and the JSON form of labels and specs.

The manifest also lists every other entry of the archive with its size and SHA-256. Nothing that is read is
trusted: members, types, ranges and hashes are checked. Knows no file and no archive.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from typing import TYPE_CHECKING, Any, get_args

from device.errors import BundleError, SpecError
from device.hearing.bundle.contents import Head, Label, Output
from device.hearing.decision import OperatingPoint
from device.hearing.network.attention import attention_from_json, attention_to_json
from device.hearing.network.parts import PastShape
from device.hearing.spec import FeatureSpec
from device.messages import Priority, Role
from device.quantity import quantity
from device.strict_json import members, parse

if TYPE_CHECKING:
    from collections.abc import Mapping

    from device.hearing.bundle.contents import Bundle
    from device.hearing.network.attention import AttentionOutputs

SCHEMA = 5
"""Version of the manifest; a reader refuses a later one. 2 adds reference scores; without them 1 is written. 3 is a
network in two parts, 4 a network in one part whose attention comes out, each with reference scores or without. 5 is
any of these with golden cases of which some keep no features."""

_IN_PARTS, _ATTENDING, _FEWER_FEATURES = 3, 4, 5

MAX_TIME_S = 3600.0
MAX_LABELS, MAX_SPECS = 64, 8
MIN_HOP_S, MAX_HOP_S = 0.01, 60.0
HEAD_ENTRY = "head.tflite"

_IDENTIFIER = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_VERSION = re.compile(r"[0-9A-Za-z][0-9A-Za-z.+_-]{0,31}")


class Manifest:
    """A parsed manifest. Each property checks its own part, so a reader decides what is checked first.

    Args:
        data: the entry manifest.json.

    Raises:
        BundleError: it is no JSON object, is of another schema, or has unknown, missing or mistyped members. All
            properties and methods raise the same, with one sentence that names the wrong value.
    """

    def __init__(self, data: bytes) -> None:
        value = parse(data, "manifest.json")
        schema = value.get("schema") if isinstance(value, dict) else None
        if type(schema) is int and schema > SCHEMA:
            raise BundleError(
                f"made by a newer Auricle (schema {schema}; this one reads up to {SCHEMA}); update Auricle"
            )
        self._members = members(value, "manifest.json", {**_KINDS, **_further_kinds(value, schema)})
        if type(schema) is not int or not 1 <= schema <= SCHEMA:
            raise BundleError(f"manifest.json has schema {schema}, must be 1 to {SCHEMA}")

    def __repr__(self) -> str:
        return f"Manifest({self._members['name']!r}, {self._members['version']!r})"

    @property
    def name(self) -> str:
        """Name of the model."""
        return _matching(self._members["name"], "name", _IDENTIFIER)

    @property
    def version(self) -> str:
        """Version of the model."""
        return _matching(self._members["version"], "version", _VERSION)

    @property
    def output(self) -> Output:
        """The meaning of the network's scores."""
        output: Output = _choice(self._members["output"], "output", Output)
        return output

    @property
    def labels(self) -> tuple[Label, ...]:
        """At least one, in the order of the network's scores."""
        values = self._members["labels"]
        if not 0 < len(values) <= MAX_LABELS:
            raise BundleError(f"manifest.json has {len(values)} labels, must have 1 to {MAX_LABELS}")
        labels = tuple(
            label_from_dict(value, f"label {ordinal} of manifest.json") for ordinal, value in enumerate(values)
        )
        _refuse_duplicates([label.name for label in labels], "label")
        return labels

    @property
    def specs(self) -> tuple[FeatureSpec, ...]:
        """One for each input of the network; all share one sample rate and one window."""
        values = self._members["specs"]
        if not 0 < len(values) <= MAX_SPECS:
            raise BundleError(f"manifest.json has {len(values)} feature specs, must have 1 to {MAX_SPECS}")
        specs = tuple(
            _spec_from_dict(value, f"spec {ordinal} of manifest.json") for ordinal, value in enumerate(values)
        )
        if len({(spec.sample_rate_hz, spec.window_samples) for spec in specs}) > 1:
            raise BundleError("the feature specs differ in sample_rate_hz or window_samples; a model hears one window")
        return specs

    @property
    def golden_names(self) -> list[str]:
        """Names of the golden cases, in the archive's order."""
        names = [_matching(name, "a golden case", _IDENTIFIER) for name in self._members["golden"]]
        _refuse_duplicates(names, "golden case")
        return names

    @property
    def with_features(self) -> list[str] | None:
        """Names of the golden cases whose features are kept; None if they are kept of all."""
        if "features" not in self._members:
            return None
        names = [_matching(name, "a golden case with features", _IDENTIFIER) for name in self._members["features"]]
        _refuse_duplicates(names, "golden case with features")
        return names

    @property
    def sequences(self) -> list[tuple[str, int]]:
        """Name and number of windows of each golden sequence, in the archive's order."""
        values = self._members.get("sequences", [])
        items = [members(value, "a golden sequence", {"name": str, "windows": int}) for value in values]
        names = [_matching(item["name"], "a golden sequence", _IDENTIFIER) for item in items]
        _refuse_duplicates([*self.golden_names, *names], "golden case")
        return [(name, item["windows"]) for name, item in zip(names, items, strict=True)]

    @property
    def attention(self) -> AttentionOutputs | None:
        """The outputs that hold the network's attention; None if it has none."""
        if "attention" not in self._members:
            return None
        return attention_from_json(self._members["attention"], "manifest.json: attention")

    def head(self, entries: Mapping[str, bytes]) -> Head | None:
        """The head among the entries, which must need the network in front of them; None for a network in one part."""
        if "head" not in self._members:
            if HEAD_ENTRY in entries:
                raise BundleError(
                    f"entry {HEAD_ENTRY!r} belongs to schema {_IN_PARTS} or a member 'head', the manifest has neither"
                )
            return None
        if HEAD_ENTRY not in entries:
            raise BundleError(f"entry {HEAD_ENTRY!r} is missing; write the bundle with the converter")
        kinds = {"backbone_sha256": str, "embedding": int, "past": list, "hop_s": float}
        fields = members(self._members["head"], "manifest.json: head", kinds)
        wanted, found = fields["backbone_sha256"], self._members["network"].get("sha256")
        if wanted != found:
            raise BundleError(
                f"the head needs the backbone {wanted!r:.18}, the bundle holds {found!r:.18}: they do not belong "
                "together; convert the network anew"
            )
        return Head(entries[HEAD_ENTRY], _past_shape(fields), _hop_s(fields["hop_s"]))

    def check_network(self, network: bytes) -> None:
        """The network has the listed size and hash."""
        _check_digest("the network", network, self._members["network"])

    def check_entries(self, entries: Mapping[str, bytes]) -> None:
        """Every entry but the manifest, the first one, is listed with its size and hash, in the archive's order."""
        kinds = {"name": str, "bytes": int, "sha256": str}
        listed = [members(item, "an entry of manifest.json", kinds) for item in self._members["entries"]]
        names = [item["name"] for item in listed]
        for name in names:
            if name not in entries:
                raise BundleError(f"entry {name!r} is missing; the manifest lists it")
        for name in list(entries)[1:]:
            if name not in names:
                raise BundleError(f"entry {name!r} is not listed in the manifest")
        if names != list(entries)[1:]:
            raise BundleError("the manifest lists the entries in another order than the archive holds them")
        for item in listed:
            wanted = {"bytes": item["bytes"], "sha256": item["sha256"]}
            _check_digest(f"entry {item['name']!r}", entries[item["name"]], wanted)


_KINDS: Mapping[str, type] = {
    "schema": int,
    "name": str,
    "version": str,
    "labels": list,
    "specs": list,
    "output": str,
    "golden": list,
    "network": dict,
    "entries": list,
}
_MORE_KINDS: Mapping[int, Mapping[str, type]] = {
    _IN_PARTS: {"head": dict, "sequences": list},
    _ATTENDING: {"attention": list},
    _FEWER_FEATURES: {"features": list},
}


def _further_kinds(value: Any, schema: Any) -> Mapping[str, type]:
    """The members beyond those that every manifest has; from schema 5 on, what is there says which network it is."""
    if type(schema) is not int:
        return {}
    network: Mapping[str, type] = {}
    if schema == _FEWER_FEATURES and "head" in value:
        network = _MORE_KINDS[_IN_PARTS]
    elif schema == _FEWER_FEATURES and "attention" in value:
        network = _MORE_KINDS[_ATTENDING]
    return {**_MORE_KINDS.get(schema, {}), **network}


def encode_manifest(bundle: Bundle, entries: Mapping[str, bytes]) -> bytes:
    """The manifest of a bundle.

    Args:
        bundle: `sha256` plays no part.
        entries: every entry but the manifest, in the archive's order.

    Raises:
        BundleError: a value that JSON cannot express.
    """
    return json_bytes(
        {
            "schema": _schema(bundle),
            "name": bundle.name,
            "version": bundle.version,
            "labels": [label_to_dict(label) for label in bundle.labels],
            "specs": [_spec_to_dict(spec) for spec in bundle.specs],
            "output": bundle.output,
            "golden": [case.name for case in bundle.golden],
            **({"features": _with_features(bundle)} if _leaves_features_out(bundle) else {}),
            "network": _digest(bundle.network),
            **({} if bundle.head is None else _head_to_dict(bundle, bundle.head)),
            **({} if bundle.attention is None else {"attention": attention_to_json(bundle.attention)}),
            "entries": [{"name": name} | _digest(data) for name, data in entries.items()],
        }
    )


def _with_features(bundle: Bundle) -> list[str]:
    return [case.name for case in bundle.golden if case.features]


def _leaves_features_out(bundle: Bundle) -> bool:
    return len(_with_features(bundle)) < len(bundle.golden)


def _schema(bundle: Bundle) -> int:
    if _leaves_features_out(bundle):
        return _FEWER_FEATURES
    if bundle.head is not None:
        return _IN_PARTS
    if bundle.attention is not None:
        return _ATTENDING
    return 1 if bundle.reference is None else 2


def _head_to_dict(bundle: Bundle, head: Head) -> dict[str, Any]:
    return {
        "head": {
            "backbone_sha256": hashlib.sha256(bundle.network).hexdigest(),
            "embedding": head.shape.embedding,
            "past": list(head.shape.past),
            "hop_s": head.hop_s,
        },
        "sequences": [{"name": each.name, "windows": len(each.probabilities)} for each in bundle.sequences],
    }


def json_bytes(value: Any) -> bytes:
    """A manifest or card as indented UTF-8 JSON.

    Raises:
        BundleError: a value that JSON cannot express, NaN among them.
    """
    try:
        return (json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise BundleError(f"the card or manifest holds what JSON cannot: {error}") from None


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


def _operating_point(value: Any, where: str) -> OperatingPoint:
    names = [item.name for item in dataclasses.fields(OperatingPoint)]
    fields: dict[str, float] = members(value, f"{where}: operating_point", dict.fromkeys(names, float))
    if not 0 < fields["off"] <= fields["on"] < 1:
        raise BundleError(f"{where}: thresholds off {fields['off']} and on {fields['on']} must be 0 < off <= on < 1")
    for name in names[2:]:
        if not 0 <= fields[name] <= MAX_TIME_S:
            raise BundleError(f"{where}: {name} is {fields[name]}, must be 0 to {MAX_TIME_S:.0f} seconds")
    return OperatingPoint(**fields)


def _past_shape(fields: Mapping[str, Any]) -> PastShape:
    past = fields["past"]
    if len(past) != 2 or any(type(size) is not int for size in past):
        raise BundleError(f"manifest.json: head: past is {past!r:.60}, must be [steps, size]")
    shape = PastShape(fields["embedding"], *past)
    shape.check()
    return shape


def _hop_s(value: float) -> float:
    if not MIN_HOP_S <= value <= MAX_HOP_S:
        raise BundleError(f"manifest.json: head: hop_s is {value}, must be {MIN_HOP_S} to {MAX_HOP_S:g} seconds")
    return value


def _spec_to_dict(spec: FeatureSpec) -> dict[str, Any]:
    """A spec with its hash, both as a reader sees them: a whole number in a float's place becomes a float."""
    fields = FeatureSpec.from_dict(spec.to_dict())
    return {"hash": fields.spec_hash, "fields": fields.to_dict()}


def _spec_from_dict(value: Any, where: str) -> FeatureSpec:
    item = members(value, where, {"hash": str, "fields": dict})
    try:
        spec = FeatureSpec.from_dict(item["fields"])
    except SpecError as error:
        raise BundleError(f"{where}: {error}") from None
    if spec.spec_hash != item["hash"]:
        raise BundleError(f"{where} has hash {item['hash']!r:.24}, its fields give {spec.spec_hash!r}")
    return spec


def _digest(data: bytes) -> dict[str, Any]:
    return {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def _check_digest(what: str, data: bytes, wanted: dict[str, Any]) -> None:
    wanted = members(wanted, f"manifest.json: {what}", {"bytes": int, "sha256": str})
    if len(data) != wanted["bytes"]:
        raise BundleError(f"{what} has {quantity(len(data), 'byte')}, the manifest says {wanted['bytes']}")
    if hashlib.sha256(data).hexdigest() != wanted["sha256"]:
        raise BundleError(f"{what} does not match its SHA-256 in the manifest")


def _matching(value: Any, what: str, pattern: re.Pattern[str]) -> str:
    if not isinstance(value, str) or pattern.fullmatch(value) is None:
        raise BundleError(f"{what} is {value!r:.60}, must match {pattern.pattern}")
    return value


def _choice(value: Any, what: str, kind: Any) -> Any:
    if value not in get_args(kind):
        raise BundleError(f"{what} is {value!r:.60}, must be one of {', '.join(get_args(kind))}")
    return value


def _refuse_duplicates(names: list[str], what: str) -> None:
    for name in names:
        if names.count(name) > 1:
            raise BundleError(f"{what} {name!r} stands {names.count(name)} times; it must be unique")
