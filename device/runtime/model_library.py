"""The bundles at hand: which there are, what they are good for, and whether they hold here.

`auricle models` lists them, `auricle models verify` repeats on this machine every check that a bundle
passes before it may listen.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from device.errors import BundleError
from device.hearing.bundle.reader import read_bundle
from device.hearing.classifier import Classifier
from device.hearing.features import window_features

if TYPE_CHECKING:
    from collections.abc import Iterator

    from device.hearing.bundle.contents import Bundle, Label

SHIPPED = Path(__file__).resolve().parents[1] / "models"
SUFFIX = ".tflite"


def shipped_bundles() -> dict[str, Path]:
    """Name -> file of the bundles that come with Auricle, by name."""
    return {path.stem: path for path in sorted(SHIPPED.glob(f"*{SUFFIX}"))}


def bundle_path(wanted: str) -> Path:
    """The file that is meant by a shipped bundle's name, or by a path.

    Raises:
        BundleError: no shipped bundle has that name; names those there are.
    """
    shipped = shipped_bundles()
    if wanted in shipped:
        return shipped[wanted]
    if wanted.endswith(SUFFIX) or "/" in wanted:
        return Path(wanted)
    there = ", ".join(shipped) or "none"
    raise BundleError(f"no bundle is named {wanted!r}; shipped are {there}, any other is given as a {SUFFIX} file")


def describe_shipped() -> Iterator[str]:
    """What `auricle models` prints, line by line.

    Raises:
        BundleError: a shipped bundle is damaged.
    """
    for path in shipped_bundles().values():
        yield from describe(read_bundle(path), path)
        yield ""


def describe(bundle: Bundle, path: Path) -> Iterator[str]:
    """One bundle: labels, roles, rate, size, hashes, terms and the headline of its card."""
    yield f"{bundle.name} {bundle.version}"
    rows = {
        "file": str(path),
        "listens": f"{bundle.sample_rate_hz} Hz, windows of {bundle.window_samples / bundle.sample_rate_hz:g} s",
        "size": f"{path.stat().st_size / 1024:.0f} KiB, the network {len(bundle.network) / 1024:.0f} KiB",
        "sha256": bundle.sha256,
        "features": ", ".join(spec.spec_hash for spec in bundle.specs),
        "terms": card_line(bundle, "licence"),
        "measured": card_line(bundle, "headline"),
    }
    for label in bundle.labels:
        yield f"  label     {_label(label)}"
    for name, value in rows.items():
        yield f"  {name:<9} {value}"


def verify(wanted: str) -> Iterator[str]:
    """Repeat every check on a bundle, and say what was found.

    Raises:
        BundleError: the first check that does not hold.
        MissingExtraError: no runtime is installed.
    """
    path = bundle_path(wanted)
    bundle = read_bundle(path)
    yield f"archive and hashes hold: {path}, sha256 {bundle.sha256}"
    yield f"labels and specs hold: {', '.join(bundle.label_names)}; {len(bundle.specs)} inputs"
    with Classifier.open(bundle) as classifier:
        yield f"tensors and golden numbers hold on {classifier.runtime}:"
        for case in bundle.golden:
            features = tuple(window_features(spec, case.samples) for spec in bundle.specs)
            apart = max(float(np.abs(new - old).max()) for new, old in zip(features, case.features, strict=True))
            scores = classifier.classify(features).probabilities
            off = float(np.abs(scores - case.probabilities).max())
            yield f"  {case.name:<12} features within {apart:.1e}, scores within {off:.1e}"
    yield f"{bundle.name} {bundle.version} is sound"


def card_line(bundle: Bundle, key: str) -> str:
    """What the card says under a key, on one line; of an object its `headline`."""
    value = bundle.card.get(key)
    if isinstance(value, dict):
        value = value.get("headline")
    return " ".join(str(value or "the card does not say").split())


def _label(label: Label) -> str:
    point = label.operating_point
    when = f"from {point.on:g} on for {point.confirm_s:g} of {point.confirm_of_s:g} s"
    return f"{label.name}: {label.role}, {label.priority} priority, {when}"
