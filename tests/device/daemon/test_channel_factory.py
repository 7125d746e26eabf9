"""What the channel factory draws for clips; which channels it opens is tested with the outputs."""

from __future__ import annotations

import numpy as np
import pytest

from device.daemon.channel_factory import clip_picture


def test_a_picture_is_a_png_and_too_little_sound_makes_none() -> None:
    noise = np.random.default_rng(1).normal(0, 0.1, 48000).astype(np.float32)
    assert clip_picture(noise, 48000).startswith(b"\x89PNG")
    with pytest.raises(ValueError, match="too few for a picture"):
        clip_picture(noise[:10], 48000)
