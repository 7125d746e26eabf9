"""`python -m training card`: writes an evaluation, or a chosen operating point, into a finished bundle.

A bundle has to exist before it can be evaluated. The evaluation is added to the card, a chosen operating point
replaces the old one; the network, its specs and golden cases stay the same bytes.
"""

from __future__ import annotations

import dataclasses
import hashlib
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

if TYPE_CHECKING:
    import argparse

    from device.hearing.bundle.contents import Bundle

_POINT_FIELDS = ("on", "off", "confirm_s", "confirm_of_s", "min_length_s", "hold_s", "cooldown_s")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `run` understands to a parser of the command line."""
    parser.add_argument("--bundle", type=Path, required=True, metavar="TFLITE", help="the bundle to amend")
    parser.add_argument("--report", type=Path, metavar="JSON", help="what `evaluate` found, for the card")
    parser.add_argument("--operating-point", type=Path, metavar="JSON", help="what `evaluate --split val` chose")
    parser.add_argument("--label", metavar="NAME", help="whose operating point (default: the only alarm's)")
    parser.add_argument("--out", type=Path, required=True, metavar="TFLITE", help="the bundle to write")


def run(args: argparse.Namespace) -> int:
    """Amend, verify, write, and print the hash of the new file."""
    if not (args.report or args.operating_point):
        raise ConfigError("nothing to write: give --report, --operating-point, or both")
    bundle = read_bundle(args.bundle)
    if args.operating_point:
        bundle = with_operating_point(bundle, _read_json(args.operating_point), label=args.label)
    if args.report:
        bundle = with_evaluation(bundle, _read_json(args.report))
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
    found = hashlib.sha256(bundle.network).hexdigest()
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


def _read_json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ConfigError(f"{path} is no JSON file ({error}): give one that evaluate wrote") from None
    if not isinstance(value, dict):
        raise ConfigError(f"{path} holds a {type(value).__name__}: give a file that evaluate wrote")
    return value
