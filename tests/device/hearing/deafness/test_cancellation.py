"""Channels that cancel in their mean are found out, whatever they hold; other stereo never is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device.hearing.deafness.detector import DeafnessDetector
from device.messages import AudioBlock
from device.sources.channel_mix import ChannelMixer

if TYPE_CHECKING:
    import numpy.typing as npt

    from device.messages import Fault

    Float32 = npt.NDArray[np.float32]

RATE_HZ = 16000


def noise(seconds: float, channels: int = 1, seed: int = 0) -> Float32:
    """Independent noise, (n, channels)."""
    return np.random.default_rng(seed).normal(0, 0.05, (round(seconds * RATE_HZ), channels)).astype(np.float32)


def faults_of(frames: Float32, *, block: int = 4000) -> list[Fault]:
    """What a mix of these frames (n, channels) is said to be."""
    mixer, detector, faults = ChannelMixer(None), DeafnessDetector(RATE_HZ), []
    for first in range(0, len(frames), block):
        some = frames[first : first + block]
        mixed, power = mixer.mix(some), mixer.independent_power(some)
        faults += detector.push(AudioBlock(mixed, RATE_HZ, first, independent_power=power))
    return faults


def kinds(frames: Float32) -> list[str]:
    return [fault.kind for fault in faults_of(frames) if fault.begins]


@pytest.mark.parametrize("rest", [0.0, 0.01, 0.1])
def test_channels_of_opposite_sign_cancel_even_if_a_little_is_left(rest: float) -> None:
    sound = noise(6)
    assert kinds(np.concatenate([sound, -(1 - rest) * sound], axis=1)) == ["cancellation"]


def test_six_channels_of_which_halves_are_opposed_cancel() -> None:
    sound = noise(6, 3)
    assert kinds(np.concatenate([sound, -sound], axis=1)) == ["cancellation"]


def test_the_fault_is_found_within_3_s_and_over_once_the_channels_agree() -> None:
    sound = noise(12)
    other = np.where(np.arange(len(sound))[:, None] < 6 * RATE_HZ, -sound, sound)
    begin, end = faults_of(np.concatenate([sound, other], axis=1))
    assert (begin.kind, begin.begins, end.begins) == ("cancellation", True, False)
    assert begin.at_s - begin.since_s <= 3.0
    assert 6.0 <= end.at_s <= 7.2


@pytest.mark.parametrize("channels", [2, 8, 64])
def test_independent_channels_do_not_cancel_however_many_they_are(channels: int) -> None:
    assert kinds(noise(6, channels)) == []


def test_stereo_with_one_silent_channel_or_two_equal_ones_does_not_cancel() -> None:
    sound = noise(6)
    assert kinds(np.concatenate([sound, 0 * sound], axis=1)) == []
    assert kinds(np.concatenate([sound, sound], axis=1)) == []


def test_offsets_of_opposite_sign_are_no_cancelling_sound() -> None:
    # Cheap sound cards have an offset of up to 0.03 on each channel, over a room at -80 dBFS.
    assert kinds(0.002 * noise(6, 2) + np.array([0.03, -0.03], np.float32)) == []


def test_silence_in_all_channels_is_silence() -> None:
    assert kinds(np.zeros((6 * RATE_HZ, 2), np.float32)) == ["silence"]


@given(block=st.integers(1, 3 * RATE_HZ))
@settings(deadline=None, max_examples=25)
def test_blocks_change_nothing(block: int) -> None:
    sound = noise(4)
    frames = np.concatenate([sound, -0.99 * sound], axis=1)
    assert faults_of(frames, block=max(block, 37)) == faults_of(frames)
