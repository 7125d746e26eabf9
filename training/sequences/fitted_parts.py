"""The two files that a fit leaves: the backbone and the head, each with the weights of the best validation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from device.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

BACKBONE, HEAD = "backbone.keras", "head.keras"


def save_parts(run: Path, backbone: Any, head: Any) -> None:
    """Write both into an existing folder."""
    backbone.save(run / BACKBONE)
    head.save(run / HEAD)


def load_parts(run: Path) -> tuple[Any, Any]:
    """Backbone and head of a fit, as Keras models.

    Raises:
        ConfigError: the folder holds none, or one is damaged.
    """
    import keras

    try:
        backbone, head = (keras.saving.load_model(run / name, compile=False) for name in (BACKBONE, HEAD))
    except (OSError, ValueError) as error:
        raise ConfigError(f"{run} holds no fitted network ({error}): run `python -m training fit` first") from None
    return backbone, head
