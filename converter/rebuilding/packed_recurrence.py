"""Bidirectional LSTM and GRU layers as straight lines of builtin operations, both directions at once.

A looped recurrence cannot be quantized with calibration data, and one that Keras unrolls has twice the operations that
it needs. Here the state of both directions is one vector, their recurrent weights one block-diagonal matrix, and the
first step, whose state is zero, does without the product. Equal to Keras within 1e-6 in float.

No part of a split is left unused: nothing calibrates that part, and TensorFlow 2.21 then leaves the whole split in
float in about every second conversion of one network.

    z, r = sigmoid(x W + b + h R)    GRU: Cho et al. 2014, with the reset gate behind the product, as Keras has it
    h' = tanh(x W_h + b_h + r (h R_h + c_h));    h = h' + z (h - h')

    i, f, o = sigmoid(x W + b + h R)    LSTM: Hochreiter and Schmidhuber 1997
    c = f c + i tanh(x W_c + b_c + h R_c);    h = o tanh(c)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from converter import toolchain

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    Float32 = npt.NDArray[np.float32]

_GATES = {"GRU": "zrh", "LSTM": "ifco"}
"""As Keras orders them in the columns of its weights; the candidate (h, c) has tanh, the others a sigmoid."""

_CANDIDATES = "hc"


def is_packable(layer: Any) -> bool:
    """Whether a layer is a bidirectional LSTM or GRU of the usual kind."""
    if type(layer).__name__ != "Bidirectional" or layer.merge_mode != "concat":
        return False
    inner = layer.forward_layer
    if type(inner).__name__ not in _GATES or inner.return_state or inner.stateful or inner.go_backwards:
        return False
    config = inner.get_config()
    usual = (config["activation"], config["recurrent_activation"], config["use_bias"]) == ("tanh", "sigmoid", True)
    return usual and config.get("reset_after", True)


def packed(layer: Any) -> Any:
    """A layer without weights that computes what a packable layer computes, of the same name."""
    module = toolchain.keras()
    kind, is_sequence = type(layer.forward_layer).__name__, bool(layer.forward_layer.return_sequences)
    weights = _packed_weights(kind, [np.asarray(weight, np.float32) for weight in layer.get_weights()])
    ops = module.ops

    class Packed(module.layers.Layer):  # type: ignore[misc, name-defined]
        """Lives in the converter alone; it is never saved."""

        def call(self, sequence: Any, **_: Any) -> Any:  # Keras passes on what the other layer was called with
            states = _run(ops, kind, weights, sequence)
            return _both_ways(ops, states) if is_sequence else states[-1]

    return Packed(name=layer.name)


@dataclass(frozen=True, slots=True)
class _Weights:
    """Of one part of the gates, the sigmoid ones or the candidate, for both directions.

    Attributes:
        kernel: (2 x features, gates x 2 x units): features of this step and of the mirrored one.
        bias: (gates x 2 x units,), added to the input's product.
        recurrent: (2 x units, gates x 2 x units).
        recurrent_bias: (gates x 2 x units,), added to the state's product; zero but for a GRU's candidate.
    """

    kernel: Float32
    bias: Float32
    recurrent: Float32
    recurrent_bias: Float32


def _packed_weights(kind: str, weights: Sequence[Float32]) -> tuple[_Weights, _Weights]:
    """(sigmoid gates, candidate) of a layer's weights: kernel, recurrent kernel and bias, forward then backward."""
    forward, backward = weights[:3], weights[3:]
    gates = _GATES[kind]
    sigmoid = [place for place, gate in enumerate(gates) if gate not in _CANDIDATES]
    candidate = [place for place, gate in enumerate(gates) if gate in _CANDIDATES]
    return _part(forward, backward, sigmoid, len(gates)), _part(forward, backward, candidate, len(gates))


def _part(forward: Sequence[Float32], backward: Sequence[Float32], chosen: Sequence[int], gates: int) -> _Weights:
    kernels, recurrents, biases = zip(forward, backward, strict=True)
    is_gru = biases[0].ndim == 2  # (input's, state's)
    is_candidate = len(chosen) == 1
    inputs = [bias[0] if is_gru else bias for bias in biases]
    states = [bias[1] if is_gru else np.zeros_like(bias) for bias in biases]
    if not is_candidate:  # behind the sum it does not matter which product a bias came with
        inputs, states = [a + b for a, b in zip(inputs, states, strict=True)], [np.zeros_like(b) for b in states]
    return _Weights(
        kernel=_block_diagonal(kernels, chosen, gates),
        bias=_side_by_side(inputs, chosen, gates),
        recurrent=_block_diagonal(recurrents, chosen, gates),
        recurrent_bias=_side_by_side(states, chosen, gates),
    )


def _block_diagonal(pair: Sequence[Float32], chosen: Sequence[int], gates: int) -> Float32:
    """Two (n, gates x units) -> (2 n, chosen x 2 x units), in which neither direction sees the other."""
    rows, units = pair[0].shape[0], pair[0].shape[1] // gates
    packed = np.zeros((2 * rows, len(chosen), 2, units), np.float32)
    for direction, matrix in enumerate(pair):
        block = matrix.reshape(rows, gates, units)[:, chosen]
        packed[direction * rows : (direction + 1) * rows, :, direction] = block
    return packed.reshape(2 * rows, -1)


def _side_by_side(pair: Sequence[Float32], chosen: Sequence[int], gates: int) -> Float32:
    """Two (gates x units,) -> (chosen x 2 x units,)."""
    blocks = [vector.reshape(gates, -1)[chosen] for vector in pair]
    return np.stack(blocks, axis=1).reshape(-1)


def _run(ops: Any, kind: str, weights: tuple[_Weights, _Weights], sequence: Any) -> list[Any]:
    """(batch, steps, features) -> the states of each step, (batch, 2 x units): forward, and backward mirrored."""
    mirrored = ops.stack(ops.unstack(sequence, axis=1)[::-1], axis=1)
    both = ops.concatenate([sequence, mirrored], axis=-1)
    sigmoid, candidate = (_projected(ops, both, part) for part in weights)
    step = _gru_step if kind == "GRU" else _lstm_step
    states: list[Any] = []
    memory: Any = None
    for gates, new in zip(sigmoid, candidate, strict=True):
        state, memory = step(ops, weights, gates, new, (states[-1], memory) if states else None)
        states.append(state)
    return states


def _projected(ops: Any, both: Any, part: _Weights) -> list[Any]:
    """The input's part of the gates, for each step: one product for all."""
    batch, steps, features = both.shape
    flat = ops.reshape(both, (batch * steps, features))
    product = ops.add(ops.matmul(flat, part.kernel), part.bias)
    unstacked: list[Any] = ops.unstack(ops.reshape(product, (batch, steps, len(part.bias))), axis=1)
    return unstacked


def _product(ops: Any, state: Any, part: _Weights) -> Any:
    product = ops.matmul(state, part.recurrent)
    return ops.add(product, part.recurrent_bias) if part.recurrent_bias.any() else product


def _gru_step(ops: Any, weights: tuple[_Weights, _Weights], gates: Any, new: Any, past: Any) -> tuple[Any, Any]:
    sigmoid, candidate = weights
    if past is None:
        update, reset = ops.split(ops.sigmoid(gates), 2, axis=-1)
        fresh = ops.tanh(ops.add(new, ops.multiply(reset, candidate.recurrent_bias)))
        return ops.subtract(fresh, ops.multiply(update, fresh)), None
    state, _ = past
    update, reset = ops.split(ops.sigmoid(ops.add(gates, _product(ops, state, sigmoid))), 2, axis=-1)
    fresh = ops.tanh(ops.add(new, ops.multiply(reset, _product(ops, state, candidate))))
    return ops.add(fresh, ops.multiply(update, ops.subtract(state, fresh))), None


def _lstm_step(ops: Any, weights: tuple[_Weights, _Weights], gates: Any, new: Any, past: Any) -> tuple[Any, Any]:
    sigmoid, candidate = weights
    if past is not None:
        gates, new = (
            ops.add(value, _product(ops, past[0], part)) for value, part in ((gates, sigmoid), (new, candidate))
        )
    if past is None:
        units = new.shape[-1]
        write, show = ops.sigmoid(gates[:, :units]), ops.sigmoid(gates[:, 2 * units :])
        memory = ops.multiply(write, ops.tanh(new))
    else:
        write, keep, show = ops.split(ops.sigmoid(gates), 3, axis=-1)
        memory = ops.add(ops.multiply(keep, past[1]), ops.multiply(write, ops.tanh(new)))
    return ops.multiply(show, ops.tanh(memory)), memory


def _both_ways(ops: Any, states: Sequence[Any]) -> Any:
    """(batch, steps, 2 x units): at each step the state forward, and the one backward of the same place."""
    forward, backward = ops.split(ops.stack(states, axis=1), 2, axis=-1)
    return ops.concatenate([forward, ops.stack(ops.unstack(backward, axis=1)[::-1], axis=1)], axis=-1)
