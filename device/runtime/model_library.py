"""Which bundles are at hand: those that come with Auricle, and any other file; and how exactly one runs here."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from device.errors import BundleError, ClassifierError
from device.hearing.bundle.agreement import AgreementLimits, check_label, label_agreements
from device.hearing.bundle.reference import SEQUENCE
from device.hearing.classifier import sequence_features
from device.hearing.features import window_features

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

    from device.hearing.bundle.agreement import Agreement
    from device.hearing.bundle.contents import Bundle
    from device.hearing.classifier import Classifier

    Float32 = npt.NDArray[np.float32]

SHIPPED = Path(__file__).resolve().parents[1] / "models"
SUFFIX = ".tflite"


def shipped_bundles() -> dict[str, Path]:
    """Name -> file of the bundles that come with Auricle, sorted by name."""
    return {path.stem: path for path in sorted(SHIPPED.glob(f"*{SUFFIX}"))}


def bundle_path(name: str) -> Path:
    """The file of a shipped bundle's name, or the path itself.

    Raises:
        BundleError: no shipped bundle has that name; lists those that do exist.
    """
    shipped = shipped_bundles()
    if name in shipped:
        return shipped[name]
    if name.endswith(SUFFIX) or "/" in name:
        return Path(name)
    known = ", ".join(shipped) or "none"
    raise BundleError(f"no bundle is named {name!r}; shipped are {known}, any other is given as a {SUFFIX} file")


@dataclass(frozen=True, slots=True)
class GoldenDeviation:
    """How far this machine is from one golden case of a bundle.

    Attributes:
        case: its name.
        features: largest absolute difference of a feature; 0 for a sequence, None for a case that keeps none.
        scores: largest absolute difference of a probability.
    """

    case: str
    features: float | None
    scores: float


def golden_deviations(bundle: Bundle, classifier: Classifier) -> Iterator[GoldenDeviation]:
    """Recompute every golden case of a bundle with its open classifier."""
    for case in bundle.golden:
        features = tuple(window_features(spec, case.samples) for spec in bundle.specs)
        kept = zip(features, case.features, strict=True) if case.features else ()
        apart = [float(np.abs(new - old).max()) for new, old in kept]
        scores = classifier.classify(features).probabilities
        yield GoldenDeviation(case.name, max(apart, default=None), float(np.abs(scores - case.probabilities).max()))
    for each in bundle.sequences:
        outputs = classifier.classify_sequence(sequence_features(bundle, each))
        scores = np.stack([output.probabilities for output in outputs])
        yield GoldenDeviation(each.name, 0.0, float(np.abs(scores - each.probabilities).max()))


def reference_agreement(bundle: Bundle, classifier: Classifier) -> tuple[Agreement, ...]:
    """Repeat the converter's comparison with the trained network; none for a bundle without reference scores.

    Raises:
        BundleError: a score is not finite, or a label's figure is out of its limit; the sentence names both.
    """
    if bundle.reference is None:
        return ()
    limits = AgreementLimits()
    try:
        scores = [
            output.probabilities
            for windows in reference_sequences(bundle)
            for output in classifier.classify_sequence(windows)
        ]
    except ClassifierError as error:
        raise BundleError(f"{bundle.name}: the network fails on a reference window: {error}") from None
    found = label_agreements(
        bundle.label_names, bundle.reference.thresholds, bundle.reference.probabilities, np.stack(scores)
    )
    for each in found:
        check_label(each.label, each.mean_difference, each.p99_difference, each.same_side, limits)
    return found


def reference_sequences(bundle: Bundle) -> Iterator[list[tuple[Float32, ...]]]:
    """The reference windows as the network is given them: each by itself, or so many one after the other."""
    if bundle.reference is None:
        return
    windows = list(zip(*bundle.reference.windows(), strict=True))
    size = 1 if bundle.head is None else SEQUENCE
    for first in range(0, len(windows), size):
        yield windows[first : first + size]


def card_line(bundle: Bundle, key: str) -> str:
    """The card's entry under a key, on one line; of an object its `headline`."""
    value = bundle.card.get(key)
    if isinstance(value, dict):
        value = value.get("headline")
    return " ".join(str(value or "the card does not say").split())
