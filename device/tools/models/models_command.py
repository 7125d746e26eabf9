"""`auricle models`, `show`, `verify` and `install`: the bundles at hand, one with its card, its checks, a new one."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from device.config.loading import load_config, locating
from device.config.profiles import DEFAULT_PROFILE
from device.hearing.bundle.reader import read_bundle
from device.hearing.classifier import Classifier
from device.quantity import quantity
from device.runtime.command_line import bounded_number
from device.runtime.model_library import bundle_path, card_line, golden_deviations, reference_agreement, shipped_bundles
from device.runtime.model_loader import read_tried, tried_bundles, trusted_key
from device.tools.models.card_text import card_lines
from device.tools.models.installation import WATCH_S, InstallOptions, install
from device.tools.models.use_and_terms import learned_from, profiles_of, who_runs

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from device.hearing.bundle.contents import Bundle, Head, Label
    from device.hearing.bundle.signature import PublicKey


MAX_WATCH_S = 3600.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `auricle models`."""
    actions = parser.add_subparsers(dest="action", metavar="VERB")
    showing = actions.add_parser("show", help="one bundle with its whole card; of a shipped one the name alone does it")
    showing.add_argument("bundle", metavar="BUNDLE", help="a shipped model's name, or a .tflite file")
    for name in shipped_bundles():
        actions.add_parser(name).set_defaults(bundle=name)
    verifying = actions.add_parser("verify", help="repeat every check on a bundle, on this machine")
    verifying.add_argument("bundle", metavar="BUNDLE", help="a shipped model's name, or a .tflite file")
    verifying.add_argument("--config", metavar="FILE", help="whose [bundles] public_key must have signed it")
    installing = actions.add_parser("install", help="put a new bundle in the place of another, or take it back")
    installing.add_argument("file", metavar="FILE", type=Path, help="the new .tflite file")
    installing.add_argument("--config", metavar="FILE", required=True, help="of the daemon, which names the old one")
    installing.add_argument("--model", metavar="NAME", help="its [model.NAME] (default: the only one with a file)")
    installing.add_argument("--instance", metavar="NAME", help="of the daemon (default: that of the file)")
    installing.add_argument("--watch", metavar="S", type=_seconds, default=WATCH_S, help="how long to watch it (60)")
    installing.add_argument("--offline", action="store_true", help="put it in place alone; ask no daemon")


def run(arguments: argparse.Namespace) -> int:
    """Print the shipped models, one of them, or the checks that one passed; returns exit code 0.

    Raises:
        BundleError: a bundle is damaged, or a check fails.
        ConfigError: the configuration does not hold, or its key cannot be read.
        MissingExtraError: no runtime for networks is installed.
    """
    for line in _lines(arguments):
        print(line, flush=True)
    return 0


def _lines(arguments: argparse.Namespace) -> Iterator[str]:
    match arguments.action:
        case "verify":
            return _verify(arguments)
        case None:
            return describe_shipped()
        case "install":
            return install(
                InstallOptions(
                    arguments.file,
                    arguments.config,
                    model=arguments.model,
                    instance=arguments.instance,
                    watch_s=arguments.watch,
                    offline=arguments.offline,
                )
            )
    return show(arguments.bundle)


def _seconds(text: str) -> float:
    """The value of --watch, 0 to an hour."""
    return bounded_number(text, 0.0, MAX_WATCH_S, f"no number of seconds, 0 to {MAX_WATCH_S:g}")


def _verify(arguments: argparse.Namespace) -> Iterator[str]:
    with locating(arguments.config):
        key = trusted_key(load_config(arguments.config)) if arguments.config else None
    return verify(arguments.bundle, key)


def describe_shipped() -> Iterator[str]:
    """Every shipped bundle, line by line; those that run by default first.

    Raises:
        BundleError: a shipped bundle is damaged.
    """
    for path in sorted(
        shipped_bundles().values(), key=lambda one: (DEFAULT_PROFILE not in profiles_of(one.stem), one.stem)
    ):
        yield from describe(read_bundle(path), path)
        yield ""


def show(name: str) -> Iterator[str]:
    """One bundle, and below it its card: data, licences, figures, what was tried, what it must not be used for.

    Args:
        name: of a shipped bundle, or a path.

    Raises:
        BundleError: there is no such bundle, or it is damaged.
    """
    path = bundle_path(name)
    bundle = read_bundle(path)
    yield from describe(bundle, path)
    yield ""
    yield from card_lines(bundle.card)


def describe(bundle: Bundle, path: Path) -> Iterator[str]:
    """One bundle: labels, roles, who runs it, rate, size, hashes, terms and the headline of its card."""
    yield f"{bundle.name} {bundle.version}"
    yield f"  runs      {who_runs(bundle, path)}"
    rows = {
        "file": str(path),
        "listens": f"{bundle.sample_rate_hz} Hz, windows of {bundle.window_samples / bundle.sample_rate_hz:g} s",
        "size": f"{path.stat().st_size / 1024:.0f} KiB, the network {bundle.network_bytes / 1024:.0f} KiB",
        **({} if bundle.head is None else {"past": _past(bundle, bundle.head)}),
        "sha256": bundle.sha256,
        "signed": f"says key {bundle.signer}" if bundle.signer else "no",
        "features": ", ".join(spec.spec_hash for spec in bundle.specs),
        "terms": card_line(bundle, "licence"),
        "data": learned_from(bundle),
        "measured": card_line(bundle, "headline"),
    }
    for label in bundle.labels:
        if label.role != "reject":
            yield f"  label     {_label(label)}"
    rejected = [label.name for label in bundle.labels if label.role == "reject"]
    if rejected:
        yield f"  scored    {', '.join(rejected)}; these raise nothing"
    for name, value in rows.items():
        yield f"  {name:<9} {value}"


def verify(name: str, key: PublicKey | None = None) -> Iterator[str]:
    """Repeat every check on a bundle; one line for each that passed.

    Args:
        name: of a shipped bundle, or a path.
        key: that must have signed it, if one is given.

    Raises:
        BundleError: the first check that fails.
        MissingExtraError: no runtime for networks is installed.
        ServiceError: no process can be started for the trial.
    """
    path = bundle_path(name)
    bundle = read_tried(path, tried_bundles([path], key)[path], key)
    if key is not None:
        yield f"the signature of key {key.key_id} fits every byte"
    yield f"archive and hashes hold: {path}, sha256 {bundle.sha256}"
    yield f"labels and specs hold: {', '.join(bundle.label_names)}; {quantity(len(bundle.specs), 'input')}"
    if bundle.head is not None:
        yield f"backbone and head belong together: a past of {_past(bundle, bundle.head)}"
    yield "the network runs in a process of its own, within bounds of time and memory"
    with Classifier.open(bundle) as classifier:
        yield f"tensors and golden numbers hold on {classifier.runtime}:"
        for off in golden_deviations(bundle, classifier):
            features = "" if off.features is None else f"features within {off.features:.1e}, "
            yield f"  {off.case:<12} {features}scores within {off.scores:.1e}"
        yield from _reference_lines(bundle, classifier)
    yield f"{bundle.name} {bundle.version} is sound"


def _reference_lines(bundle: Bundle, classifier: Classifier) -> Iterator[str]:
    if bundle.reference is None:
        yield "no reference scores in the bundle: the golden numbers alone were checked"
        return
    found = reference_agreement(bundle, classifier)
    windows = quantity(len(bundle.reference.probabilities), "reference window")
    yield f"the network agrees with the trained one on {windows}:"
    for each in found:
        yield (
            f"  {each.label:<12} mean difference {each.mean_difference:.4f}, 99th percentile "
            f"{each.p99_difference:.4f}, equal decisions {each.same_side:.2%}"
        )


def _past(bundle: Bundle, head: Head) -> str:
    backbone = hashlib.sha256(bundle.network).hexdigest()
    return f"{head.shape.steps} x {head.shape.size}, of windows {head.hop_s:g} s apart; backbone {backbone:.12}"


def _label(label: Label) -> str:
    point = label.operating_point
    if label.role == "verdict":
        return f"{label.name}: a verdict on events of another model, from {point.on:g} on after {point.confirm_s:g} s"
    when = f"from {point.on:g} on for {point.confirm_s:g} of {point.confirm_of_s:g} s"
    return f"{label.name}: {label.role}, {label.priority} priority, {when}"
