"""What a recording needs of a decoder."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import numpy.typing as npt


class DecodingError(Exception):
    """The decoder cannot open the sound, or cannot decode what follows; the message is the decoder's own."""


class SoundDecoder(Protocol):
    """Decodes one stream from its start.

    Attributes:
        sample_rate_hz: of the samples that it gives.
        channels: of the samples that it gives.
        frames: samples per channel as far as the header says; None if it does not.
    """

    sample_rate_hz: int
    channels: int
    frames: int | None

    def read(self, most: int) -> npt.NDArray[Any]:
        """The next frames, float (n, channels) with n of 1 to `most`, or of 0 at the end; a later read may reuse them.

        Raises:
            DecodingError: what follows cannot be decoded.
        """

    def close(self) -> None:
        """Free what the decoder holds; a second call does nothing."""
