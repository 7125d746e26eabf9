"""Channels to one: the chosen one, or the mean of all, with the power that the mean should have.

Channels of opposite sign (a cable with swapped wires, a balanced source recorded as stereo) cancel in their mean, which
then is silent while every channel is not. `deafness` finds that by comparing both powers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from device.hearing.resample import Resampler

if TYPE_CHECKING:
    import numpy.typing as npt

    Float32 = npt.NDArray[np.float32]


class ChannelMixer:
    """Makes one channel of several, over all blocks of one stream.

    Args:
        channel: from 0; None for the mean of all.
    """

    def __init__(self, channel: int | None) -> None:
        self._channel = channel
        self._last: npt.NDArray[Any] | None = None

    def mix(self, frames: npt.NDArray[Any]) -> Float32:
        """The channel, or the mean: (n, channels) -> float32 (n,)."""
        chosen = frames.mean(axis=1) if self._channel is None else frames[:, self._channel]
        mono: Float32 = chosen.astype(np.float32, copy=False)
        return mono

    def independent_power(self, frames: npt.NDArray[Any]) -> Float32:
        """What the squared step of the mean from sample to sample would be if the channels were independent.

        Steps, since a constant offset is no sound. Channels that are independent have a mean of 1/n of their power.

        Args:
            frames: (n, channels), which follow those of the last call.

        Returns:
            float32 (n,); zeros if one channel is chosen or there is only one: nothing can cancel then.
        """
        count = frames.shape[1]
        if self._channel is not None or count == 1:
            return np.zeros(len(frames), np.float32)
        first = frames[:1] if self._last is None or self._last.shape[1] != count else self._last
        self._last = frames[-1:].copy()
        steps = np.diff(frames, axis=0, prepend=first)
        power: Float32 = (np.einsum("nc,nc->n", steps, steps) / count**2).astype(np.float32)
        return power


class MixResampler:
    """Resamples a mix, and holds the power beside it: (n, 1 or 2) at one rate to (m, 1 or 2) at another."""

    def __init__(self, from_hz: int, to_hz: int) -> None:
        self._resampler = Resampler(from_hz, to_hz)
        self._ratio = from_hz / to_hz
        self._held: Float32 = np.zeros(0, np.float32)
        self._held_from = 0  # number of the first sample that is held
        self._given = 0

    def push(self, mixed: Float32) -> Float32:
        """The next samples; m may be 0 while the filter fills."""
        if self._ratio == 1.0:
            return mixed
        if mixed.shape[1] == 2:
            self._held = np.concatenate([self._held, mixed[:, 1]])
        return self._beside(self._resampler.push(mixed[:, 0]), mixed.shape[1])

    def finish(self, columns: int) -> Float32:
        """What the filter still holds."""
        if self._ratio == 1.0:
            return np.empty((0, columns), np.float32)
        return self._beside(self._resampler.finish(), columns)

    def _beside(self, samples: Float32, columns: int) -> Float32:
        if columns == 1 or not len(samples):
            return np.resize(samples, (len(samples), columns))
        at = ((self._given + np.arange(len(samples))) * self._ratio).astype(np.int64) - self._held_from
        power = self._held[np.clip(at, 0, len(self._held) - 1)]
        self._given += len(samples)
        used = min(int(self._given * self._ratio) - self._held_from, len(self._held) - 1)
        self._held, self._held_from = self._held[used:], self._held_from + used
        return np.stack([samples, power], axis=1)
