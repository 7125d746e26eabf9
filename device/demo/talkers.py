"""Synthesizes people who talk in the room: syllables, phrases and pauses, but no words.

Vowels are those of G. Peterson and H. Barney (J. Acoust. Soc. Am. 24, 1952), consonants the three
that a microphone across the room still distinguishes: a stop (silence, then a burst), a fricative (hiss)
and a voiced one (the voice dips). Three to five syllables a second, phrases of one breath.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from device.synthesis.voice import NOISE_HZ, STEP_S, STEP_SAMPLES, Phonation, Throat, glide, noise, smoothed, speak

if TYPE_CHECKING:
    import numpy.typing as npt

# First three resonances of men's vowels, in Hz; those above are a plain tube's of 17 cm.
_VOWELS_HZ = np.array(
    [
        (270, 2290, 3010),
        (390, 1990, 2550),
        (530, 1840, 2480),
        (660, 1720, 2410),
        (730, 1090, 2440),
        (570, 840, 2410),
        (440, 1020, 2240),
        (300, 870, 2240),
        (640, 1190, 2390),
        (490, 1350, 1690),
    ],
    dtype=np.float64,
)
_TUBE_HZ = 500.0
_UPPER_HZ = _TUBE_HZ * np.array([7.0, 9.0, 11.0, 13.0, 15.0])
_BANDWIDTHS_HZ = np.array([70.0, 90.0, 130.0, 200.0, 250.0, 300.0, 350.0, 400.0])


@dataclass(frozen=True, slots=True)
class Talker:
    """One adult: pitch, size of the throat beside a man's (below 1: longer), syllables in a second."""

    f0_hz: float
    size: float
    syllables_per_s: float

    @classmethod
    def random(cls, rng: np.random.Generator) -> Talker:
        """A random adult of 90 to 220 Hz; a higher pitch has a shorter throat."""
        f0_hz = rng.uniform(95.0, 210.0)
        return cls(f0_hz, 0.97 + 0.18 * (f0_hz - 95) / 115, rng.uniform(3.8, 5.0))


@dataclass(frozen=True, slots=True, eq=False)
class _Syllable:
    """Its start and the lengths of its consonant and vowel, in steps; formants (3,) of the vowel; its stress."""

    start: int
    consonant: int
    vowel: int
    formants_hz: npt.NDArray[np.float64]
    stress: float
    manner: str

    @property
    def end(self) -> int:
        return self.start + self.consonant + self.vowel


def babble(duration_s: float, count: int, rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """`count` people talking at once and in turn: (duration_s * SAMPLE_RATE_HZ,), of no particular level."""
    steps = round(duration_s / STEP_S)
    sound = np.zeros(steps * STEP_SAMPLES)
    for _ in range(count):
        voice = _talk(Talker.random(rng), steps, rng)
        sound += rng.uniform(0.5, 1.0) * voice / np.sqrt(np.mean(voice**2))
    return sound


def _talk(talker: Talker, steps: int, rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """One talker's phrases: (steps * STEP_SAMPLES,)."""
    phrases = _phrases(talker, steps, rng)
    throat = Throat(_TUBE_HZ * talker.size, _BANDWIDTHS_HZ, tilt=1.3)
    return speak(_articulation(talker, phrases, steps, rng), throat, rng) + _friction(phrases, steps, rng)


def _phrases(talker: Talker, steps: int, rng: np.random.Generator) -> list[list[_Syllable]]:
    """Phrases of 4 to 10 syllables, as many as fit, with pauses in which another talker may speak."""
    phrases: list[list[_Syllable]] = []
    position = round(rng.uniform(0.0, 0.6) / STEP_S)
    while True:
        phrase: list[_Syllable] = []
        for _ in range(rng.integers(4, 11)):
            phrase.append(_syllable(talker, phrase[-1].end if phrase else position, rng))
        if phrase[-1].end > steps:
            return phrases
        phrases.append(phrase)
        position = phrase[-1].end + round(rng.uniform(0.3, 1.6) / STEP_S)


def _syllable(talker: Talker, start: int, rng: np.random.Generator) -> _Syllable:
    """A consonant and a vowel; stressed ones are longer and louder."""
    stress = rng.uniform(0.5, 1.0)
    length = (0.7 + 0.4 * stress) / talker.syllables_per_s / STEP_S
    share = rng.uniform(0.3, 0.45)
    vowel_hz = _VOWELS_HZ[rng.integers(len(_VOWELS_HZ))] * talker.size
    manner = rng.choice(["stop", "fricative", "voiced"], p=[0.35, 0.25, 0.4])
    return _Syllable(start, round(length * share), round(length * (1 - share)), vowel_hz, stress, str(manner))


def _articulation(talker: Talker, phrases: list[list[_Syllable]], steps: int, rng: np.random.Generator) -> Phonation:
    """What the larynx and the mouth do over all phrases."""
    pitch, loudness = np.full(steps, talker.f0_hz), np.zeros(steps)
    formants_hz = np.tile(_VOWELS_HZ.mean(axis=0) * talker.size, (steps, 1))
    for phrase in phrases:
        span = slice(phrase[0].start, phrase[-1].end)
        pitch[span] *= _intonation(phrase, rng)
        for syllable in phrase:
            nucleus = slice(syllable.start + syllable.consonant, syllable.end)
            onset = slice(syllable.start, syllable.start + syllable.consonant)
            loudness[nucleus] = syllable.stress
            loudness[onset] = 0.25 * syllable.stress if syllable.manner == "voiced" else 0.0
            formants_hz[syllable.start : syllable.end] = syllable.formants_hz
            formants_hz[onset, 0] = 300.0
    moving = np.apply_along_axis(smoothed, 0, formants_hz, 0.06)
    upper = np.tile(_UPPER_HZ * talker.size, (steps, 1))
    return Phonation(
        f0_hz=smoothed(pitch, 0.06) * (1 + 0.008 * rng.standard_normal(steps)),
        loudness=smoothed(loudness, 0.045) * (1 + 0.04 * rng.standard_normal(steps)),
        breath=np.full(steps, 0.02),
        roughness=np.zeros(steps),
        formants_hz=np.hstack([moving, upper]),
    )


def _intonation(phrase: list[_Syllable], rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """Pitch over a phrase, relative to the talker's: it declines, stress lifts it, its end falls or rises."""
    steps = phrase[-1].end - phrase[0].start
    declination = glide(steps, ((0.0, 1.2), (0.85, 0.92), (1.0, rng.choice([0.75, 1.25], p=[0.7, 0.3]))))
    accent = np.concatenate([np.full(s.consonant + s.vowel, 0.7 + 0.45 * s.stress) for s in phrase])
    return declination * smoothed(accent, 0.12)


def _friction(phrases: list[list[_Syllable]], steps: int, rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """Hiss of the fricatives and bursts of the stops: (steps * STEP_SAMPLES,)."""
    gain = np.zeros((steps, len(NOISE_HZ)))
    for syllable in (s for phrase in phrases for s in phrase):
        if syllable.manner == "fricative":
            centre_hz, width_hz, level = rng.uniform(3_000, 6_000), 1_500.0, 0.12
            span = slice(syllable.start, syllable.start + syllable.consonant)
        elif syllable.manner == "stop":
            centre_hz, width_hz, level = rng.uniform(1_000, 4_500), 1_000.0, 0.3
            span = slice(syllable.start + syllable.consonant - 4, syllable.start + syllable.consonant - 1)
        else:
            continue
        gain[span] = level * syllable.stress * np.exp(-0.5 * ((NOISE_HZ - centre_hz) / width_hz) ** 2)
    return noise(gain, rng)
