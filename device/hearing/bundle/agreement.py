"""How far a converted network may be from the network that was trained: one statement, for converter and device."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from device.errors import BundleError
from device.quantity import quantity

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    Float32 = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class AgreementLimits:
    """The limits of one label's probabilities p.

    Attributes:
        mean_difference: mean |p_converted - p_trained|, at most.
        p99_difference: its 99th percentile, at most.
        same_side: share of windows on the same side of the label's threshold, at least.
    """

    mean_difference: float = 0.02
    p99_difference: float = 0.15
    same_side: float = 0.99


@dataclass(frozen=True, slots=True)
class Agreement:
    """One label's agreement; the attributes are those of `AgreementLimits`, as found."""

    label: str
    mean_difference: float
    p99_difference: float
    same_side: float


def label_agreements(
    labels: Sequence[str], thresholds: Float32, trained: Float32, converted: Float32
) -> tuple[Agreement, ...]:
    """Agreement of each label: thresholds (labels,), probabilities (windows, labels).

    Raises:
        BundleError: a probability of the converted network is not finite.
    """
    bad = np.flatnonzero(~np.isfinite(converted).all(axis=1))
    if len(bad):
        windows = quantity(len(converted), "reference window")
        raise BundleError(f"of {windows}, {len(bad)} without a finite score, number {bad[0]} first")
    return tuple(
        _agreement(label, float(thresholds[column]), trained[:, column], converted[:, column])
        for column, label in enumerate(labels)
    )


def check_label(
    label: str, mean_difference: float, p99_difference: float, same_side: float, limits: AgreementLimits
) -> None:
    """Refuse one label's disagreement.

    Raises:
        BundleError: the first figure out of its limit, with both.
    """
    for what, value, most in (
        ("mean difference", mean_difference, limits.mean_difference),
        ("99th percentile of the difference", p99_difference, limits.p99_difference),
    ):
        if not value <= most:
            raise BundleError(f"{label}: {what} between float and int8 is {value:.4f}, may be {most}")
    if not same_side >= limits.same_side:
        raise BundleError(
            f"{label}: {same_side:.2%} of windows stay on their side of the threshold in int8, "
            f"must be {limits.same_side:.0%}"
        )


def _agreement(label: str, on: float, trained: Float32, converted: Float32) -> Agreement:
    apart = np.abs(converted.astype(np.float64) - trained)
    return Agreement(
        label,
        float(apart.mean()),
        float(np.percentile(apart, 99)),
        float(np.mean((trained >= on) == (converted >= on))),
    )
