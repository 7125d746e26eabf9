"""The operations that the device runs, and the numbers that each may be given.

A list of what is allowed, not of what is forbidden: plain arithmetic whose time does not depend on the sound, and whose
memory is known from the shapes. There is no loop, branch, call, variable, table, random number or custom operation in
it, nothing that makes a tensor of a size that data decide (FILL, TILE, RANGE, BROADCAST_TO), and no look-up by index
(GATHER). Convolutional networks, their usual activations, attention, and recurrent networks unrolled by the converter
need no more. Numbers and names are those of TensorFlow Lite's `schema.fbs`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from device.errors import BundleError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from device.hearing.network.flatbuffer import Table

MAX_STEP = 65536
"""Of a stride, a dilation, a pooling window or a number of parts: longer than any axis of features."""

_TYPE_NAMES = (
    "FLOAT32 FLOAT16 INT32 UINT8 INT64 STRING BOOL INT16 COMPLEX64 INT8 FLOAT64 COMPLEX128 UINT64 RESOURCE "
    "VARIANT UINT32 UINT16 INT4 BFLOAT16 INT2 UINT4 FLOAT8_E4M3FN FLOAT8_E5M2 "
)
TENSOR_TYPES = tuple(_TYPE_NAMES.split())
"""Names of the schema's tensor types, in its order."""

_OPERATOR_NAMES = (
    "ADD AVERAGE_POOL_2D CONCATENATION CONV_2D DEPTHWISE_CONV_2D DEPTH_TO_SPACE DEQUANTIZE EMBEDDING_LOOKUP FLOOR "
    "FULLY_CONNECTED HASHTABLE_LOOKUP L2_NORMALIZATION L2_POOL_2D LOCAL_RESPONSE_NORMALIZATION LOGISTIC "
    "LSH_PROJECTION LSTM MAX_POOL_2D MUL RELU RELU_N1_TO_1 RELU6 RESHAPE RESIZE_BILINEAR RNN SOFTMAX "
    "SPACE_TO_DEPTH SVDF TANH CONCAT_EMBEDDINGS SKIP_GRAM CALL CUSTOM EMBEDDING_LOOKUP_SPARSE PAD "
    "UNIDIRECTIONAL_SEQUENCE_RNN GATHER BATCH_TO_SPACE_ND SPACE_TO_BATCH_ND TRANSPOSE MEAN SUB DIV SQUEEZE "
    "UNIDIRECTIONAL_SEQUENCE_LSTM STRIDED_SLICE BIDIRECTIONAL_SEQUENCE_RNN EXP TOPK_V2 SPLIT LOG_SOFTMAX DELEGATE "
    "BIDIRECTIONAL_SEQUENCE_LSTM CAST PRELU MAXIMUM ARG_MAX MINIMUM LESS NEG PADV2 GREATER GREATER_EQUAL "
    "LESS_EQUAL SELECT SLICE SIN TRANSPOSE_CONV SPARSE_TO_DENSE TILE EXPAND_DIMS EQUAL NOT_EQUAL LOG SUM SQRT "
    "RSQRT SHAPE POW ARG_MIN FAKE_QUANT REDUCE_PROD REDUCE_MAX PACK LOGICAL_OR ONE_HOT LOGICAL_AND LOGICAL_NOT "
    "UNPACK REDUCE_MIN FLOOR_DIV REDUCE_ANY SQUARE ZEROS_LIKE FILL FLOOR_MOD RANGE RESIZE_NEAREST_NEIGHBOR "
    "LEAKY_RELU SQUARED_DIFFERENCE MIRROR_PAD ABS SPLIT_V UNIQUE CEIL REVERSE_V2 ADD_N GATHER_ND COS WHERE RANK "
    "ELU REVERSE_SEQUENCE MATRIX_DIAG QUANTIZE MATRIX_SET_DIAG ROUND HARD_SWISH IF WHILE NON_MAX_SUPPRESSION_V4 "
    "NON_MAX_SUPPRESSION_V5 SCATTER_ND SELECT_V2 DENSIFY SEGMENT_SUM BATCH_MATMUL "
    "PLACEHOLDER_FOR_GREATER_OP_CODES CUMSUM CALL_ONCE BROADCAST_TO RFFT2D CONV_3D IMAG REAL COMPLEX_ABS "
    "HASHTABLE HASHTABLE_FIND HASHTABLE_IMPORT HASHTABLE_SIZE REDUCE_ALL CONV_3D_TRANSPOSE VAR_HANDLE "
    "READ_VARIABLE ASSIGN_VARIABLE BROADCAST_ARGS RANDOM_STANDARD_NORMAL BUCKETIZE RANDOM_UNIFORM MULTINOMIAL "
    "GELU DYNAMIC_UPDATE_SLICE RELU_0_TO_1 UNSORTED_SEGMENT_PROD UNSORTED_SEGMENT_MAX UNSORTED_SEGMENT_SUM ATAN2 "
    "UNSORTED_SEGMENT_MIN SIGN BITCAST BITWISE_XOR RIGHT_SHIFT "
)
OPERATORS = tuple(_OPERATOR_NAMES.split())
"""Names of the schema's builtin operations, in its order; those that follow, StableHLO's, are left out."""


@dataclass(frozen=True, slots=True)
class _Number:
    """One number of an operation's options: its code as in `struct`, its default and its range."""

    name: str
    code: str
    default: float = 0
    least: float = 0
    most: float = 1


@dataclass(frozen=True, slots=True)
class _Options:
    """The options of one operation.

    Attributes:
        table: number of their type in the schema; 0 for an operation without any.
        numbers: the fields of that type; None stands for a vector of small whole numbers.
    """

    table: int = 0
    numbers: tuple[_Number | None, ...] = ()


def _flag(name: str) -> _Number:
    return _Number(name, "?")


def _step(name: str, default: int = 0) -> _Number:
    return _Number(name, "i", default, least=1, most=MAX_STEP)


def _whole(name: str) -> _Number:
    return _Number(name, "i", least=-(2**31), most=2**31 - 1)


_PADDING = _Number("padding", "b")
_ACTIVATION = _Number("fused_activation", "b", most=5)
_BIAS_TYPE = _Number("bias_type", "b", most=len(TENSOR_TYPES) - 1)
_STRIDES = (_step("stride_w"), _step("stride_h"))
_DILATIONS = (_step("dilation_w", 1), _step("dilation_h", 1))
_AXIS = _whole("axis")
_ANY_FLOAT = 3.4e38
_POOL = _Options(5, (_PADDING, *_STRIDES, _step("filter_w"), _step("filter_h"), _ACTIVATION))
_REDUCER = _Options(27, (_flag("keep_dims"),))
_SUM = (_ACTIVATION, _flag("pot_scale_int16"))
_MASKS = ("begin_mask", "end_mask", "ellipsis_mask", "new_axis_mask", "shrink_axis_mask")

OPERATORS_RUN: Mapping[str, _Options] = {
    "ABS": _Options(78),
    "ADD": _Options(11, _SUM),
    "AVERAGE_POOL_2D": _POOL,
    "BATCH_MATMUL": _Options(101, (_flag("adj_x"), _flag("adj_y"), _flag("asymmetric_inputs"))),
    "CONCATENATION": _Options(10, (_AXIS, _ACTIVATION)),
    "CONV_2D": _Options(1, (_PADDING, *_STRIDES, _ACTIVATION, *_DILATIONS, _BIAS_TYPE)),
    "DEPTHWISE_CONV_2D": _Options(
        2, (_PADDING, *_STRIDES, _Number("depth_multiplier", "i", most=MAX_STEP), _ACTIVATION, *_DILATIONS)
    ),
    "DEQUANTIZE": _Options(38),
    "DIV": _Options(29, (_ACTIVATION,)),
    "ELU": _Options(),
    "EXP": _Options(33),
    "EXPAND_DIMS": _Options(52),
    "FULLY_CONNECTED": _Options(
        8,
        (
            _ACTIVATION,
            _Number("weights_format", "b", most=0),
            _flag("keep_num_dims"),
            _flag("asymmetric_inputs"),
            _BIAS_TYPE,
        ),
    ),
    "GELU": _Options(116, (_flag("approximate"),)),
    "HARD_SWISH": _Options(91),
    "LEAKY_RELU": _Options(75, (_Number("alpha", "f", least=-_ANY_FLOAT, most=_ANY_FLOAT),)),
    "LOGISTIC": _Options(),
    "LOG": _Options(),
    "MAXIMUM": _Options(39),
    "MAX_POOL_2D": _POOL,
    "MEAN": _REDUCER,
    "MINIMUM": _Options(39),
    "MUL": _Options(21, (_ACTIVATION,)),
    "NEG": _Options(42),
    "PACK": _Options(59, (_step("count"), _AXIS)),
    "PAD": _Options(22),
    "PADV2": _Options(43),
    "PRELU": _Options(),
    "QUANTIZE": _Options(89),
    "REDUCE_MAX": _REDUCER,
    "REDUCE_MIN": _REDUCER,
    "RELU": _Options(),
    "RELU6": _Options(),
    "RELU_0_TO_1": _Options(),
    "RELU_N1_TO_1": _Options(),
    "RESHAPE": _Options(17, (None,)),
    "RSQRT": _Options(),
    "SLICE": _Options(48),
    "SOFTMAX": _Options(9, (_Number("beta", "f", least=0, most=_ANY_FLOAT),)),
    "SPLIT": _Options(35, (_step("parts"),)),
    "SPLIT_V": _Options(79, (_step("parts"),)),
    "SQRT": _Options(),
    "SQUARE": _Options(66),
    "SQUARED_DIFFERENCE": _Options(76),
    "SQUEEZE": _Options(30, (None,)),
    "STRIDED_SLICE": _Options(32, (*(_whole(name) for name in _MASKS), _flag("offset"))),
    "SUB": _Options(28, _SUM),
    "SUM": _REDUCER,
    "TANH": _Options(),
    "TRANSPOSE": _Options(26),
    "UNPACK": _Options(64, (_step("count"), _AXIS)),
}
"""Each operation that the device runs, and its options."""

WITH_BIAS = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")
"""Operations whose third input, the bias, may be omitted; kernels read any other without asking whether it is there."""

_OPTIONS_TYPE, _OPTIONS = 3, 4
_OPTIONAL = ("RESHAPE", "SQUEEZE")  # which a tensor says too, or the shape


def read_options(name: str, operation: Table) -> dict[str, float]:
    """The numbers of an operation that the device runs, each in its range.

    Args:
        name: of the operation, a key of `OPERATORS_RUN`.
        operation: its table.

    Raises:
        BundleError: its options are of another type, or a number is out of range.
    """
    wanted, kind = OPERATORS_RUN[name], operation.integer(_OPTIONS_TYPE, "B")
    table = operation.table(_OPTIONS, len(wanted.numbers)) if kind == wanted.table and kind else None
    if kind not in (0, wanted.table) or (table is None) != (kind == 0) or (not kind and operation.has(_OPTIONS)):
        raise BundleError(f"the network's {name} operation has options of another operation")
    if table is None:
        if wanted.numbers and name not in _OPTIONAL:
            raise BundleError(f"the network's {name} operation lacks its options")
        return {}
    found = {}
    for place, number in enumerate(wanted.numbers):
        if number is None:
            table.integers(place)
            continue
        value = table.number(place, number.code, number.default)
        if not (number.least <= value <= number.most and math.isfinite(value)):
            raise BundleError(
                f"the network's {name} operation has {number.name} {value:g}, must be {number.least:g} to "
                f"{number.most:g}"
            )
        found[number.name] = value
    return found
