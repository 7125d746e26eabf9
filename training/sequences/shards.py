"""Reads the shards that `mix` wrote, as arrays of whole sequences."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from device.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

    Float16 = npt.NDArray[np.float16]
    Float32 = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Sequences:
    """Mixed sequences.

    Attributes:
        early: what the early blocks gave, float16 (n, hops, time, frequency, channels).
        embedding: of the frozen backbone, float32 (n, hops, 384).
        targets: 0 or 1, float32 (n, hops, labels).
        weights: 0 where a target is not learned, float32 (n, hops, labels).
    """

    early: Float16
    embedding: Float32
    targets: Float32
    weights: Float32

    @property
    def hops(self) -> int:
        """Of each sequence."""
        return int(self.embedding.shape[1])


def read_shards(work: Path, part: str) -> Sequences:
    """All shards of a part.

    Raises:
        ConfigError: there is none, or one is damaged.
    """
    paths = sorted(work.glob(f"{part}-*.npz"))
    if not paths:
        raise ConfigError(f"{work} holds no sequences of {part}: run `python -m training mix --part {part}` first")
    held: dict[str, list[npt.NDArray[np.generic]]] = {"early": [], "embedding": [], "targets": [], "weights": []}
    for path in paths:
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as shard:
                for name, arrays in held.items():
                    arrays.append(shard[name])
        except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
            raise ConfigError(f"{path} is no shard of sequences ({error}): delete it and run mix again") from error
    return Sequences(
        np.concatenate(held["early"]).astype(np.float16, copy=False),
        np.concatenate(held["embedding"]).astype(np.float32, copy=False),
        np.concatenate(held["targets"]).astype(np.float32),
        np.concatenate(held["weights"]).astype(np.float32),
    )
