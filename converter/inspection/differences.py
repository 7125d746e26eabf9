"""What differs between two bundles: network, features, operating points, golden numbers, card."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Any

import numpy as np

from converter.inspection.graph_cost import operation_costs
from device.hearing.bundle.manifest import label_to_dict
from device.hearing.network.graph import read_graph

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from device.hearing.bundle.contents import Bundle
    from device.hearing.bundle.golden_sequences import GoldenSequence
    from device.hearing.bundle.golden_vectors import GoldenCase

_SHOWN = 60  # characters of a value


def differences(one: Bundle, other: Bundle) -> list[str]:
    """One line for each thing that differs; none if the bundles hold the same."""
    parts = (_plain, _network, _specs, _labels, _golden, _card)
    return [line for part in parts for line in part(one, other)]


def _plain(one: Bundle, other: Bundle) -> Iterator[str]:
    mine, theirs = ({name: getattr(bundle, name) for name in _PLAIN} for bundle in (one, other))
    yield from _changed("", mine, theirs)


_PLAIN = ("name", "version", "output", "signer")


def _network(one: Bundle, other: Bundle) -> Iterator[str]:
    yield from _changed("", {"parts": _parts(one)}, {"parts": _parts(other)})
    mine, theirs = _networks(one), _networks(other)
    for name in mine:
        if name in theirs and mine[name] != theirs[name]:
            yield f"{name}: other bytes"
            yield from _changed(f"{name}: ", _network_figures(mine[name]), _network_figures(theirs[name]))


def _networks(bundle: Bundle) -> dict[str, bytes]:
    """The graphs by name: one network, or backbone and head."""
    if bundle.head is None:
        return {"network": bundle.network}
    return {"backbone": bundle.network, "head": bundle.head.network}


def _parts(bundle: Bundle) -> str:
    if bundle.head is None:
        return "one network"
    steps, size = bundle.head.shape.past
    return f"backbone and head, a past of {steps} x {size}, {bundle.head.hop_s:g} s apart"


def _network_figures(network: bytes) -> dict[str, Any]:
    graph = read_graph(network)
    edges = [graph.tensors[index] for index in (*graph.inputs, *graph.outputs)]
    return {
        "bytes": len(network),
        "bytes of constants": graph.weight_bytes,
        "multiplications": sum(cost.macs for cost in operation_costs(graph)),
        **{f"operations {name}": count for name, count in graph.counts.items()},
        **{f"step of {tensor.name}": tensor.scales for tensor in edges},
    }


def _specs(one: Bundle, other: Bundle) -> Iterator[str]:
    yield from _changed("", {"inputs": len(one.specs)}, {"inputs": len(other.specs)})
    for ordinal, (mine, theirs) in enumerate(zip(one.specs, other.specs, strict=False)):
        yield from _changed(f"features of input_{ordinal}: ", mine.to_dict(), theirs.to_dict())


def _labels(one: Bundle, other: Bundle) -> Iterator[str]:
    yield from _changed("", {"labels": one.label_names}, {"labels": other.label_names})
    mine, theirs = ({label.name: _flat(label_to_dict(label)) for label in bundle.labels} for bundle in (one, other))
    for name in mine:
        if name in theirs:
            yield from _changed(f"label {name}: ", mine[name], theirs[name])


def _golden(one: Bundle, other: Bundle) -> Iterator[str]:
    mine, theirs = _golden_cases(one), _golden_cases(other)
    yield from _changed("", {"golden cases": list(mine)}, {"golden cases": list(theirs)})
    for name, case in mine.items():
        twin = theirs.get(name)
        if twin is None or twin.probabilities.shape != case.probabilities.shape:
            continue
        if not np.array_equal(case.samples, twin.samples):
            yield f"golden case {name}: another sound"
        elif not np.array_equal(case.probabilities, twin.probabilities):
            apart = float(np.abs(case.probabilities - twin.probabilities).max())
            yield f"golden case {name}: scores differ by up to {apart:.4f}"


def _golden_cases(bundle: Bundle) -> dict[str, GoldenCase | GoldenSequence]:
    cases: list[GoldenCase | GoldenSequence] = [*bundle.golden, *bundle.sequences]
    return {case.name: case for case in cases}


def _card(one: Bundle, other: Bundle) -> Iterator[str]:
    yield from _changed("card: ", _flat(one.card), _flat(other.card))


def _changed(where: str, mine: Mapping[str, Any], theirs: Mapping[str, Any]) -> Iterator[str]:
    for name in dict.fromkeys([*mine, *theirs]):
        if mine.get(name) != theirs.get(name):
            yield f"{where}{name}: {_shown(mine, name)} -> {_shown(theirs, name)}"


def _shown(values: Mapping[str, Any], name: str) -> str:
    if name not in values:
        return "(none)"
    value = values[name]
    text = json.dumps(value, ensure_ascii=False, default=_as_json)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def _as_json(value: Any) -> Any:
    return dataclasses.asdict(value) if dataclasses.is_dataclass(value) and not isinstance(value, type) else str(value)


def _flat(value: Mapping[str, Any], path: str = "") -> dict[str, Any]:
    """Nested objects as one, with paths for names; lists stay as they are."""
    found: dict[str, Any] = {}
    for name, item in value.items():
        if isinstance(item, dict):
            found |= _flat(item, f"{path}{name}.")
        else:
            found[f"{path}{name}"] = item
    return found
