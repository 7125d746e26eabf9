"""One input or output of a loaded network: numbers in and out of its int8 steps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from device.errors import BundleError

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt

    Float32 = npt.NDArray[np.float32]

_PICTURE_AXES = 4
"""Batch, frames, bins and channel: features, whose last axis has one channel."""


class EdgeTensor:
    """One input or output: its index, and how its int8 steps map to numbers (q = x / scale + zero point).

    Args:
        where: begins an error's sentence, such as `model cry: the network's`.
        detail: what the runtime says of the tensor.
        name: of the tensor.
        shape: that it must have; None for any.

    Attributes:
        name: as given.
        index: by which the runtime knows it.
        shape: with the batch axis.

    Raises:
        BundleError: it has another shape, or a type or scale that the device does not support.
    """

    def __init__(self, where: str, detail: Mapping[str, Any], name: str, shape: tuple[int, ...] | None = None) -> None:
        self.name = name
        self.index: int = detail["index"]
        self.shape: tuple[int, ...] = tuple(int(size) for size in detail["shape"])
        where = f"{where} {name}"
        if shape is not None and self.shape != shape:
            raise BundleError(f"{where} has shape {self.shape}, labels and specs need {shape}")
        if detail["dtype"] not in (np.int8, np.float32):
            raise BundleError(f"{where} is {np.dtype(detail['dtype'])}, must be int8 or float32")
        self._is_float = detail["dtype"] is np.float32
        scales = detail["quantization_parameters"]["scales"]
        zero_points = detail["quantization_parameters"]["zero_points"]
        if not self._is_float and (len(scales) != 1 or not np.isfinite(scales[0]) or scales[0] <= 0):
            raise BundleError(f"{where} has scales {list(scales)}, must have one above 0")
        self._scale = np.float32(1.0 if self._is_float else scales[0])
        self._zero_point = np.float32(0 if self._is_float else zero_points[0])
        self._is_picture = len(self.shape) == _PICTURE_AXES
        self._steps = np.empty(self.shape, np.float32)
        self._bytes = np.empty(self.shape, np.int8)

    def __repr__(self) -> str:
        return f"EdgeTensor({self.name}, {self.shape})"

    def quantized(self, values: Float32) -> npt.NDArray[Any]:
        """Numbers in the tensor's type; halves are rounded to even, and values out of range are clipped.

        Args:
            values: without the batch axis, and features (frame_count, bins) without that of the channel.

        Returns:
            An array that the next call writes over.

        Raises:
            ValueError: another shape, or a number that is not finite.
        """
        wanted = self.shape[1:-1] if self._is_picture else self.shape[1:]
        if values.shape != wanted:
            raise ValueError(f"{self.name} has shape {values.shape}, must be {wanted}")
        steps = self._steps
        np.divide(values.reshape(self.shape), self._scale, out=steps)
        if not np.isfinite(steps).all():
            raise ValueError(
                f"{self.name} holds a {'feature' if self._is_picture else 'value'} that is no finite number"
            )
        if self._is_float:
            return steps
        np.rint(steps, out=steps)
        steps += self._zero_point
        np.clip(steps, -128, 127, out=steps)
        np.copyto(self._bytes, steps, casting="unsafe")
        return self._bytes

    def values(self, interpreter: Any) -> Float32:
        """The tensor's numbers, without the batch axis."""
        steps = interpreter.get_tensor(self.index)[0]
        if self._is_float:
            return np.asarray(steps, np.float32)
        numbers: Float32 = (steps.astype(np.float32) - self._zero_point) * self._scale
        return numbers
