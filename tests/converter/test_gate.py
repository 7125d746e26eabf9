"""Each bound of the gate refuses what lies just beyond it and lets pass what lies within."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from converter.gate import (
    Bounds,
    check_agreement,
    check_finite,
    check_graph,
    check_past,
    check_plain_kernels,
    check_saturation,
    check_translation,
    check_windows,
)
from converter.score_agreement import LabelFigures
from device.errors import BundleError
from device.hearing.network.graph import Graph, Operation, Signature, Tensor

BOUNDS = Bounds()
GOOD = LabelFigures(
    label="cry",
    mean_difference=0.01,
    p99_difference=0.1,
    largest_difference=0.3,
    same_side=0.99,
    auc_float=0.995,
    auc_int8=0.993,
    least=0.0,
    most=1.0,
)


def _tensor(kind: str) -> Tensor:
    return Tensor(name=kind, kind=kind, shape=(1,), scales=(0.1,), zero_points=(0,), constant_bytes=0)


def _graph(
    *operations: Operation, kinds: tuple[str, ...] = ("INT8", "INT8", "INT8"), outputs: tuple[int, ...] = (2,)
) -> Graph:
    return Graph(operations, tuple(map(_tensor, kinds)), inputs=(0,), outputs=outputs)


CONV = Operation("CONV_2D", "", (0,), (1,))
DENSE = Operation("FULLY_CONNECTED", "", (1,), (2,))


def test_a_graph_in_int8_passes() -> None:
    check_graph(_graph(CONV, DENSE))


def test_float_at_the_edges_is_allowed_but_no_float_between_them() -> None:
    quantize = Operation("QUANTIZE", "", (0,), (1,))
    dequantize = Operation("DEQUANTIZE", "", (1,), (2,))
    check_graph(_graph(quantize, dequantize, kinds=("FLOAT32", "INT8", "FLOAT32")))
    with pytest.raises(BundleError, match="still computes FULLY_CONNECTED in float"):
        check_graph(_graph(CONV, DENSE, kinds=("INT8", "INT8", "FLOAT32")))
    inner = Operation("DEQUANTIZE", "", (1,), (3,))
    with pytest.raises(BundleError, match="still computes DEQUANTIZE in float"):
        check_graph(_graph(CONV, inner, DENSE, kinds=("INT8", "INT8", "INT8", "FLOAT32")))


@pytest.mark.parametrize("name", ["VAR_HANDLE", "READ_VARIABLE", "ASSIGN_VARIABLE", "WHILE", "CUSTOM"])
def test_what_the_device_does_not_run_is_refused(name: str) -> None:
    with pytest.raises(BundleError, match=f"holds a {name} operation"):
        check_graph(_graph(CONV, Operation(name, "", (1,), (2,))))


def test_a_custom_operation_is_called_by_its_name() -> None:
    with pytest.raises(BundleError, match="holds a FlexErf operation"):
        check_graph(_graph(Operation("CUSTOM", "FlexErf", (0,), (2,))))


def test_an_input_of_another_type_is_refused() -> None:
    with pytest.raises(BundleError, match="tensor INT16 is INT16, must be INT8 or FLOAT32"):
        check_graph(_graph(CONV, DENSE, kinds=("INT16", "INT8", "INT8")))


def test_too_few_calibration_windows_are_refused() -> None:
    check_windows(256, 500, BOUNDS)
    with pytest.raises(BundleError, match="255 windows of calibration, must be at least 256"):
        check_windows(255, 500, BOUNDS)
    with pytest.raises(BundleError, match="499 windows of agreement, must be at least 500"):
        check_windows(256, 499, BOUNDS)


def test_an_answer_that_is_no_number_is_refused() -> None:
    answers = np.array([[0.5], [np.nan], [np.inf]], np.float32)
    check_finite(answers[:1], "Keras")
    with pytest.raises(BundleError, match="the Keras network answers 2 of 3 windows with no finite number"):
        check_finite(answers, "Keras")


@pytest.mark.parametrize("difference", [0.0011, float("nan")])
def test_a_wrong_translation_is_told_apart_from_a_wrong_quantization(difference: float) -> None:
    check_translation(0.001, BOUNDS)
    with pytest.raises(BundleError, match="the translation is wrong, not the quantization"):
        check_translation(difference, BOUNDS)


@pytest.mark.parametrize("difference", [0.101, float("nan")])
def test_a_golden_answer_that_hangs_on_one_runtime_is_refused(difference: float) -> None:
    check_plain_kernels("silence", 0.1, BOUNDS)
    with pytest.raises(BundleError, match=r"golden case 'silence' differs by .* without XNNPACK, may by 0\.1"):
        check_plain_kernels("silence", difference, BOUNDS)


def test_good_figures_pass_and_so_do_those_of_one_class_only() -> None:
    check_agreement([GOOD, replace(GOOD, auc_float=None, auc_int8=None)], BOUNDS)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"mean_difference": 0.021}, "cry: mean difference between float and int8 is 0.0210, may be 0.02"),
        ({"mean_difference": float("nan")}, "mean difference"),
        ({"p99_difference": 0.16}, "99th percentile of the difference"),
        ({"auc_int8": 0.989}, "ROC AUC lost between float and int8 is 0.0060"),
        ({"same_side": 0.979}, "97.90% of windows stay on their side"),
        ({"least": 0.5, "most": 0.52}, "int8 gives every window 0.500 to 0.520"),
    ],
)
def test_each_bound_refuses_by_itself(change: dict[str, Any], sentence: str) -> None:
    with pytest.raises(BundleError, match=sentence):
        check_agreement([GOOD, replace(GOOD, **change)], BOUNDS)


def test_an_input_that_cuts_off_loud_values_is_refused() -> None:
    check_saturation([0.0, 0.001], BOUNDS)
    with pytest.raises(BundleError, match=r"range of input_1 cuts off 0\.20% of the values of loud windows, may 0\.1%"):
        check_saturation([0.0, 0.002], BOUNDS)


def test_a_past_that_is_handed_on_in_other_steps_is_refused() -> None:
    """It would be rounded anew at every window, and drift through the night."""

    def head(after: Tensor) -> Graph:
        signature = Signature((("embedding", 0), ("past", 1)), (("scores", 2), ("next_past", 3)))
        return Graph((), (*[_tensor("INT8")] * 3, after), (0, 1), (2, 3), (signature,))

    check_past(head(_tensor("INT8")))
    for other in (replace(_tensor("INT8"), scales=(0.101,)), replace(_tensor("INT8"), zero_points=(1,))):
        with pytest.raises(BundleError, match=r"the head takes its past in steps of .* they must be equal"):
            check_past(head(other))
