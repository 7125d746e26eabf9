"""Resizing layers as products with constant matrices, because the device does not run RESIZE_BILINEAR.

The size that such an operation makes stands in a tensor beside its shape, so the device would have to trust a number
that its bounds do not see; two small matrix products need no trust. Between fixed sizes every interpolation that
Keras offers is linear and works along one axis at a time: a row of the matrix holds the weights of one new place.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from converter import toolchain

if TYPE_CHECKING:
    import numpy.typing as npt

    Float32 = npt.NDArray[np.float32]

_HEIGHT, _WIDTH = 1, 2


def is_resizing(layer: Any) -> bool:
    """Whether a layer resizes pictures of a known size, channels last, without cutting or padding them."""
    if type(layer).__name__ != "Resizing" or layer.data_format != "channels_last":
        return False
    return not (layer.crop_to_aspect_ratio or getattr(layer, "pad_to_aspect_ratio", False))


def resized(layer: Any) -> Any:
    """A layer without weights that computes what a resizing layer computes, of the same name.

    Args:
        layer: built, on (height, width, channels).
    """
    module = toolchain.keras()
    ops = module.ops
    height, width = layer.input.shape[_HEIGHT : _WIDTH + 1]
    matrices = {
        axis: interpolation_matrix(before, after, layer.interpolation)
        for axis, before, after in ((_HEIGHT, height, layer.height), (_WIDTH, width, layer.width))
        if before != after
    }

    class Resized(module.layers.Layer):  # type: ignore[misc, name-defined]
        """Lives in the converter alone; it is never saved."""

        def call(self, picture: Any, **_: Any) -> Any:
            for axis, matrix in matrices.items():
                picture = _along(ops, picture, axis, matrix)
            return picture

    return Resized(name=layer.name)


def interpolation_matrix(before: int, after: int, interpolation: str) -> Float32:
    """The weights of the places before, for each place after: (after, before), as Keras interpolates."""
    ops = toolchain.keras().ops
    unit = np.eye(before, dtype=np.float32)[None, :, :, None]  # each place alone, side by side
    found = np.asarray(ops.image.resize(unit, (after, before), interpolation=interpolation), np.float32)
    return np.ascontiguousarray(found[0, :, :, 0])


def _along(ops: Any, picture: Any, axis: int, matrix: Float32) -> Any:
    """(batch, height, width, channels), one axis of which becomes `len(matrix)` long."""
    order = [place for place in range(4) if place != axis] + [axis]
    product = ops.matmul(ops.transpose(picture, order), matrix.T)
    return ops.transpose(product, np.argsort(order).tolist())
