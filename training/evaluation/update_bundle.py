"""`python -m training card`: writes an evaluation, or a chosen operating point, into a finished bundle.

A bundle has to exist before it can be evaluated. The evaluation is added to the card, a chosen operating point
replaces the old one; the network, its specs and golden cases stay the same bytes.
"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from device.errors import BundleError, ConfigError
from device.hearing.bundle.manifest import label_from_dict, label_to_dict
from device.hearing.bundle.reader import read_bundle
from device.hearing.bundle.writer import write_bundle
from device.hearing.classifier import Classifier
from training.evaluation.detectors import INT8, evaluated_label
from training.evaluation.markdown_report import card_section
from training.evaluation.measured import Measured

if TYPE_CHECKING:
    import argparse

    from device.hearing.bundle.contents import Bundle

_POINT_FIELDS = ("on", "off", "confirm_s", "confirm_of_s", "min_length_s", "hold_s", "cooldown_s")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `run` understands to a parser of the command line."""
    parser.add_argument("--bundle", type=Path, required=True, metavar="TFLITE", help="the bundle to amend")
    parser.add_argument("--report", type=Path, metavar="JSON", help="what `evaluate` found, for the card")
    parser.add_argument("--operating-point", type=Path, metavar="JSON", help="what `evaluate --split val` chose")
    parser.add_argument(
        "--description",
        type=Path,
        metavar="JSON",
        help="further entries of the card: licence, data, what it is not for",
    )
    parser.add_argument("--name", metavar="NAME", help="what the model is called from now on, such as lung")
    parser.add_argument("--model-version", metavar="X.Y.Z", help="its version from now on")
    parser.add_argument("--label", metavar="NAME", help="whose operating point (default: the only alarm's)")
    parser.add_argument("--out", type=Path, required=True, metavar="TFLITE", help="the bundle to write")


def run(args: argparse.Namespace) -> int:
    """Amend, verify, write, and print the hash of the new file."""
    if not (args.report or args.operating_point or args.description or args.name or args.model_version):
        raise ConfigError(
            "nothing to write: give --report, --operating-point, --description, --name or --model-version"
        )
    bundle = read_bundle(args.bundle)
    if args.operating_point:
        chosen = _read_json(args.operating_point)
        if "operating_points" in chosen:
            bundle = with_event_points(bundle, chosen)
        else:
            bundle = with_operating_point(bundle, chosen, label=args.label)
    if args.report:
        report = _read_json(args.report)
        bundle = with_evaluation(bundle, report) if "systems" in report else with_measured(bundle, report)
    if args.description:
        described = _read_json(args.description)  # what people write comes before the figures
        bundle = dataclasses.replace(bundle, card={**described, **bundle.card, **described})
    bundle = dataclasses.replace(bundle, name=args.name or bundle.name, version=args.model_version or bundle.version)
    Classifier.open(bundle).close()
    write_bundle(args.out, bundle)
    print(f"{args.out}: sha256 {read_bundle(args.out).sha256}")
    return 0


def with_evaluation(bundle: Bundle, report: dict[str, Any]) -> Bundle:
    """The bundle with the evaluation in its card.

    Raises:
        BundleError: the report is of another network, or of another operating point.
    """
    try:
        own = next(system for system in report["systems"] if system["system"] == INT8)
        label = evaluated_label(bundle, report["bundle"]["label"])
        expected, section = report["bundle"]["network_sha256"], card_section(report)
    except (KeyError, TypeError, StopIteration) as error:
        raise BundleError(f"the report holds no evaluation ({error!r}); make it with evaluate") from None
    found = bundle.network_sha256
    if found != expected:
        raise BundleError(
            f"the report is of network {expected:.12}, the bundle holds {found:.12}; evaluate this bundle"
        )
    for name in _POINT_FIELDS:
        if own[name] != getattr(label.operating_point, name):
            raise BundleError(
                f"the report was made with {name} {own[name]:g}, the bundle has "
                f"{getattr(label.operating_point, name):g}; evaluate this bundle"
            )
    return dataclasses.replace(bundle, card={**bundle.card, **section})


def with_operating_point(bundle: Bundle, chosen: dict[str, Any], *, label: str | None = None) -> Bundle:
    """The bundle with a chosen operating point, and in its card the figures of that point on validation.

    Raises:
        BundleError: the point is not valid in a bundle.
        ConfigError: the label is ambiguous or unknown.
    """
    changed = evaluated_label(bundle, label)
    if "operating_point" not in chosen:
        raise BundleError("the file holds no operating_point; make it with evaluate --split val --operating-point")
    new = label_from_dict(
        label_to_dict(changed) | {"operating_point": chosen["operating_point"]}, "the chosen operating point"
    )
    labels = tuple(new if one.name == new.name else one for one in bundle.labels)
    card = {**bundle.card, "validation": chosen.get("validation", {})}
    return dataclasses.replace(bundle, labels=labels, card=card)


def with_event_points(bundle: Bundle, chosen: dict[str, Any]) -> Bundle:
    """The same for several labels, as `evaluate` chooses them for breath sounds.

    Raises:
        BundleError: a point is not valid in a bundle, or of a label that the bundle does not have.
    """
    unknown = chosen["operating_points"].keys() - set(bundle.label_names)
    if unknown:
        raise BundleError(f"the points are of {', '.join(sorted(unknown))}; {bundle.name} has no such label")
    labels = tuple(
        label_from_dict(label_to_dict(one) | {"operating_point": point}, f"the operating point of {one.name}")
        if (point := chosen["operating_points"].get(one.name))
        else one
        for one in bundle.labels
    )
    return dataclasses.replace(bundle, labels=labels, card={**bundle.card, "validation": chosen.get("validation", {})})


def with_measured(bundle: Bundle, report: dict[str, Any]) -> Bundle:
    """The bundle with an evaluation of breath sounds in its card.

    Raises:
        BundleError: the report is of another file.
        ConfigError: it was not made by this version's `evaluate`.
    """
    measured = Measured.from_json(report.get("measured", {}), "the report")
    if measured.model_sha256 != bundle.sha256:
        raise BundleError(
            f"the report is of a file {measured.model_sha256:.12}, this is {bundle.sha256:.12}; evaluate this bundle"
        )
    evaluation = {"headline": report["headline"], **measured.as_json()}
    return dataclasses.replace(bundle, card={**bundle.card, "headline": report["headline"], "evaluation": evaluation})


def _read_json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ConfigError(f"{path} is no JSON file ({error}): give one that evaluate wrote") from None
    if not isinstance(value, dict):
        raise ConfigError(f"{path} holds a {type(value).__name__}: give a file that evaluate wrote")
    return value
