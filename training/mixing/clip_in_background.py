"""Clips over backgrounds, as a microphone by the cot records them: the one way to mix a clip into a background.

Validation and evaluation score the same mixtures, of other subjects (see `scenes`); training draws its backgrounds
and its levels over them here too. A clip that starts out of digital silence, at the first sample of a file, occurs
in no home. Here it keeps its own level, lies over a background that begins at least `MARGIN_S` before it and goes on
as long after it, and fades in and out, so that no click marks where it was cut. Every function depends on its
arguments and on the generator that is passed in alone.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from training.data.clips import SAMPLE_RATE_HZ
from training.mixing.signal import (
    LARGEST_SAMPLE,
    STEP_SAMPLES,
    gain_to_snr,
    loud_power,
    noise,
    quantized,
    step_power,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from training.mixing.signal import Float32, Rng

SNRS_DB = (20.0, 10.0, 5.0, 0.0)
"""Of cries over their background; single figures are stated for the first, the only one of other clips."""

MARGIN_S = 4.0
"""Background before and behind a clip, at least."""

LEAD_S = 0.5
"""A clip begins up to this much later than the margin's end, so that it begins anywhere between two windows."""

RECORDED_SHARE = 0.5
"""Of backgrounds: those that are recordings; all others are synthesized room tones."""

ONSET_DB = 20.0
"""A clip is audible from the first frame on that is at most this far below its loud part."""

SPEECH_OVER_ROOM_DB = 30.0
"""Level of people who talk over the tone of their room."""

PAUSE_S = (0.5, 2.0)
"""Between two sentences of a speaker, drawn evenly."""

_HOME = re.compile(
    r"\b(fan|dryer|washing machine|white noise|clock|rain|thunder|campfire|boiling water|dishes|tap|night|vinyl|"
    r"cat purring|typewriter|conversation|vacuum|fridge|air conditioner|heartbeat)\b"
)
_FADE_SAMPLES = SAMPLE_RATE_HZ // 100
_FRAME_STEPS = 5  # an onset is sought in frames of 50 ms
_QUIETEST_POWER = 1e-7  # -70 dBFS: no microphone in a room records less


@dataclass(frozen=True, slots=True, eq=False)
class MixedClip:
    """A clip over its background.

    Attributes:
        samples: float32 (n,) at `SAMPLE_RATE_HZ`, in [-1, 1], on the grid of 16 bits.
        start_s: where the clip starts.
        end_s: where it ends.
        onset_s: where it is first audible, see `onset_sample`.
    """

    samples: Float32
    start_s: float
    end_s: float
    onset_s: float


def is_home_sound(subject: str) -> bool:
    """Whether a listed ambient sound (`ambient:ceiling fan`) may go on for minutes beside a cot."""
    return not subject.startswith("ambient:music") and _HOME.search(subject) is not None


def background(rng: Rng, recordings: Sequence[Float32], count: int) -> Float32:
    """A stretch of one of the recordings or, as often, a synthesized room tone: float32 (count,).

    Args:
        rng: chooses.
        recordings: one shorter than `count` is repeated. None at all: always a tone.
        count: samples wanted.
    """
    if not recordings or rng.random() >= RECORDED_SHARE:
        return noise(rng, count)
    samples = recordings[int(rng.integers(len(recordings)))]
    start = int(rng.integers(max(1, len(samples) - count)))
    return np.resize(samples[start : start + count], count)


def place_clip(clip: Float32, under: Float32, *, lead_samples: int, snr_db: float) -> MixedClip:
    """Place a clip over a background.

    The clip keeps its level, unless both together would exceed full scale: then both are turned down alike.

    Args:
        clip: float32 (n,) at `SAMPLE_RATE_HZ`.
        under: the background, float32 (m,), long enough for lead, clip and what follows.
        lead_samples: of background before the clip.
        snr_db: level of the clip's loud part over the background's.
    """
    mixed = under * _background_gain(clip, under, snr_db)
    mixed[lead_samples : lead_samples + len(clip)] += _with_faded_ends(clip)
    return MixedClip(
        samples=as_16_bit_recording(mixed),
        start_s=lead_samples / SAMPLE_RATE_HZ,
        end_s=(lead_samples + len(clip)) / SAMPLE_RATE_HZ,
        onset_s=(lead_samples + onset_sample(clip)) / SAMPLE_RATE_HZ,
    )


def clip_over(clip: Float32, under: Float32, snr_db: float) -> Float32:
    """A clip scaled to lie above a background that keeps its level, with faded ends: (n,), (m,) -> (n,).

    The ratio is that of `place_clip`: loud part over loud part, the background's being no lower than what a microphone
    records.
    """
    gain = gain_to_snr(loud_power(clip), max(loud_power(under), _QUIETEST_POWER), snr_db)
    return _with_faded_ends(clip) / gain


def mix_clip(rng: Rng, clip: Float32, recordings: Sequence[Float32], *, snrs_db: Sequence[float]) -> list[MixedClip]:
    """A clip over one drawn background, at each of some levels."""
    margin = round(MARGIN_S * SAMPLE_RATE_HZ)
    lead = margin + int(rng.integers(round(LEAD_S * SAMPLE_RATE_HZ)))
    under = background(rng, recordings, lead + len(clip) + margin)
    return [place_clip(clip, under, lead_samples=lead, snr_db=snr_db) for snr_db in snrs_db]


def mix_speech(rng: Rng, sentences: Sequence[Float32]) -> Float32:
    """Sentences of one speaker with pauses, over the tone of a room: float32 (n,)."""
    parts: list[Float32] = []
    for sentence in sentences:
        pause = int(rng.uniform(*PAUSE_S) * SAMPLE_RATE_HZ)
        parts += [np.zeros(pause, np.float32), _with_faded_ends(sentence)]
    speech = np.concatenate([*parts, np.zeros(round(PAUSE_S[1] * SAMPLE_RATE_HZ), np.float32)])
    tone = noise(rng, len(speech))
    return as_16_bit_recording(speech + tone * _background_gain(speech, tone, SPEECH_OVER_ROOM_DB))


def onset_sample(clip: Float32) -> int:
    """Where a clip becomes audible: the start of the first 50 ms within `ONSET_DB` of its loud part.

    The loud part is the mean power of what is within 20 dB of the loudest 10 ms. This is the one definition of an
    onset. It follows from the signal alone: no network has to mark the clip first, so that the figures of a network
    depend on no other one, and it holds for every part, also for test cries, which are never marked. A parent's word
    or a hand on the telephone before the cry counts as its onset too: delays from here are rather too long than too
    short.
    """
    steps = step_power(clip)
    frames = steps[: len(steps) // _FRAME_STEPS * _FRAME_STEPS].reshape(-1, _FRAME_STEPS).mean(axis=1)
    audible = np.flatnonzero(frames >= max(loud_power(clip) * 10 ** (-ONSET_DB / 10), 1e-20))
    return int(audible[0]) * _FRAME_STEPS * STEP_SAMPLES if len(audible) else 0


def as_16_bit_recording(samples: Float32) -> Float32:
    """As a recording of 16 bits stores it: turned down to full scale if it exceeds it, and rounded."""
    peak = float(np.abs(samples).max(initial=0.0))
    return quantized(samples * np.float32(min(1.0, LARGEST_SAMPLE / max(peak, 1e-20))))


def _background_gain(clip: Float32, under: Float32, snr_db: float) -> np.float32:
    """Gain of a background that lies `snr_db` below a clip, or at the quietest level that a microphone records."""
    return gain_to_snr(max(loud_power(clip), _QUIETEST_POWER * 10 ** (snr_db / 10)), loud_power(under), snr_db)


def _with_faded_ends(clip: Float32) -> Float32:
    """The clip with ends of ten milliseconds that rise and fall as a raised cosine."""
    length = min(_FADE_SAMPLES, len(clip) // 2)
    rise = (0.5 - 0.5 * np.cos(np.pi * (np.arange(length) + 0.5) / max(length, 1))).astype(np.float32)
    faded = clip.copy()
    faded[:length] *= rise
    faded[len(clip) - length :] *= rise[::-1]
    return faded
