"""What a converted network must fulfil to leave the converter; each refusal is one sentence with its figure.

All bounds are in `Bounds`. They are wide enough for per-channel post-training quantization done
well (0.1 to 2 points) and narrow enough that a range collapsed by one wild calibration window, a
graph that silently kept float operations, or a NaN hidden behind a maximum does not pass.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from device.errors import BundleError
from device.hearing.bundle.agreement import AgreementLimits, check_label
from device.hearing.network.operators import OPERATORS_RUN
from device.hearing.network.parts import NEXT_PAST, PAST

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import numpy.typing as npt

    from converter.score_agreement import LabelFigures
    from device.hearing.network.graph import Graph

_EDGES = ("QUANTIZE", "DEQUANTIZE")
_FLOATS = ("FLOAT16", "FLOAT32", "FLOAT64", "BFLOAT16")


@dataclass(frozen=True, slots=True)
class Bounds(AgreementLimits):
    """The limits of what is accepted; those of agreement are the device's own.

    Attributes:
        calibration_windows: the ranges are set by at least this many.
        agreement_windows: float and int8 are compared on at least this many, apart from the others.
        translation: largest |p| between Keras and the float graph; both compute in float32.
        auc_drop: ROC AUC that int8 may cost, 0.005 being half a point.
        spread: a label's int8 probabilities must span this much over the agreement windows.
        plain_kernels: a golden probability may differ this much without XNNPACK, which rounds
            otherwise: the older tflite-runtime must be able to open the bundle, within its tolerance.
        attention: share of the attention that int8 may put elsewhere, mean over windows, for networks that say so.
        saturation: share of an int8 input's values, on the loudest windows, that its range may cut off.
    """

    calibration_windows: int = 256
    agreement_windows: int = 500
    translation: float = 1e-3
    auc_drop: float = 0.005
    spread: float = 0.05
    plain_kernels: float = 0.1
    saturation: float = 0.001
    attention: float = 0.1


def check_windows(calibration: int, agreement: int, bounds: Bounds) -> None:
    """Refuse ranges set by too few windows, and a comparison on too few.

    Raises:
        BundleError: fewer than the bound.
    """
    for what, found, least in (
        ("calibration", calibration, bounds.calibration_windows),
        ("agreement", agreement, bounds.agreement_windows),
    ):
        if found < least:
            raise BundleError(f"there are {found} windows of {what}, must be at least {least}")


def check_graph(graph: Graph, *, is_int8: bool = True) -> None:
    """Refuse a graph that is not wholly int8 though it should be, or holds operations that the device does not run.

    Raises:
        BundleError: an operation that the device does not run, or one in float; an input or output of another type.
    """
    for operation in graph.operations:
        if operation.name not in OPERATORS_RUN:
            name = operation.custom_name or operation.name
            raise BundleError(f"the graph holds a {name} operation, which the device does not run; rebuild the network")
    for operation in graph.operations:
        kinds = graph.kinds([*operation.inputs, *operation.outputs])
        at_edge = operation.name in _EDGES and {*operation.inputs, *operation.outputs} & {*graph.inputs, *graph.outputs}
        if is_int8 and not at_edge and any(kind in _FLOATS for kind in kinds):
            raise BundleError(f"the graph still computes {operation.name} in float; all of it must be int8")
    for index in (*graph.inputs, *graph.outputs):
        tensor = graph.tensors[index]
        if tensor.kind not in ("INT8", "FLOAT32"):
            raise BundleError(f"the graph's tensor {tensor.name} is {tensor.kind}, must be INT8 or FLOAT32")


def check_past(graph: Graph) -> None:
    """Refuse an int8 head that hands on its past in other steps than it takes it: it would be rounded at every hop.

    Raises:
        BundleError: that is so.
    """
    signature = graph.signatures[0]
    past, after = graph.tensors[dict(signature.inputs)[PAST]], graph.tensors[dict(signature.outputs)[NEXT_PAST]]
    if (past.scales, past.zero_points) != (after.scales, after.zero_points):
        raise BundleError(
            f"the head takes its past in steps of {past.scales} at {past.zero_points} and hands it on in steps of "
            f"{after.scales} at {after.zero_points}: they must be equal, or it is rounded anew at every window"
        )


def check_finite(probabilities: npt.NDArray[np.float32], which: str, what: str = "windows") -> None:
    """Refuse probabilities that are not finite.

    Raises:
        BundleError: a probability is not finite.
    """
    bad = np.flatnonzero(~np.isfinite(probabilities).all(axis=1))
    if len(bad):
        raise BundleError(
            f"the {which} network answers {len(bad)} of {len(probabilities)} {what} with no finite number, "
            f"number {bad[0]} first"
        )


def check_translation(difference: float, bounds: Bounds) -> None:
    """Refuse a float graph that computes another function than the Keras network.

    Raises:
        BundleError: they differ by more than the bound.
    """
    if not difference <= bounds.translation:
        raise BundleError(
            f"the float graph differs from Keras by {difference:.4g} in probability, may by {bounds.translation:g}: "
            "the translation is wrong, not the quantization"
        )


def check_saturation(shares: Sequence[float], bounds: Bounds) -> None:
    """Refuse inputs whose range cuts off loud sound.

    Args:
        shares: of the values of `input_0`, `input_1`, ... that are cut off.
        bounds: of the gate.

    Raises:
        BundleError: more than the bound.
    """
    for ordinal, share in enumerate(shares):
        if not share <= bounds.saturation:
            raise BundleError(
                f"the int8 range of input_{ordinal} cuts off {share:.2%} of the values of loud windows, may "
                f"{bounds.saturation:.1%}: calibrate with louder sound"
            )


def check_attention(moved: float, bounds: Bounds) -> None:
    """Refuse a network that in int8 attends to something else.

    Args:
        moved: share of the attention that lies elsewhere, mean over windows.
        bounds: of the gate.

    Raises:
        BundleError: more than the bound.
    """
    if not moved <= bounds.attention:
        raise BundleError(
            f"{moved:.1%} of the attention lies elsewhere in the converted network than in Keras, may "
            f"{bounds.attention:.0%}"
        )


def check_plain_kernels(case: str, difference: float, bounds: Bounds) -> None:
    """Refuse a network whose golden probabilities depend on how one runtime rounds.

    Raises:
        BundleError: they differ by more than the bound.
    """
    if not difference <= bounds.plain_kernels:
        raise BundleError(
            f"golden case {case!r} differs by {difference:.3f} in probability without XNNPACK, may by "
            f"{bounds.plain_kernels}: tflite-runtime could not open the bundle; add windows like it to training "
            "and calibration"
        )


def check_agreement(figures: Iterable[LabelFigures], bounds: Bounds) -> None:
    """Refuse an int8 network that decides differently from the float one.

    Raises:
        BundleError: the first label and figure out of bounds.
    """
    for figure in figures:
        if figure.most - figure.least < bounds.spread:
            raise BundleError(
                f"{figure.label}: int8 gives every window {figure.least:.3f} to {figure.most:.3f}, a span of at least "
                f"{bounds.spread} is needed; the network or its calibration has collapsed"
            )
        check_label(figure.label, figure.mean_difference, figure.p99_difference, figure.same_side, bounds)
        lost = (figure.auc_float or 0.0) - (figure.auc_int8 or 0.0)
        if not lost <= bounds.auc_drop:
            raise BundleError(
                f"{figure.label}: ROC AUC lost between float and int8 is {lost:.4f}, may be {bounds.auc_drop}"
            )
