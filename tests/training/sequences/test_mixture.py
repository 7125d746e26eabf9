"""Mixed sequences: what sounds in them is what their truth says, and nothing depends on more than the generator."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest

from training.mixing.augment import AugmentSettings
from training.mixing.signal import STEP_SAMPLES, loud_steps
from training.sequences.drawing import hop_targets, seconds_of
from training.sequences.material import SequenceMaterial, SequenceSound, SoundGroup
from training.sequences.mixture import MixtureSettings, mix_sequence
from training.sequences.sound_kinds import EVENTS, LABELS

RATE_HZ = 16_000
PLAIN = AugmentSettings(
    room_share=0.0, narrow_sound_share=0.0, narrow_share=0.0, highpass_share=0.0, lowpass_share=0.0,
    tilt_db_per_octave=0.0, level_range_dbfs=(-6.0, -6.0), clipped_share=0.0, mu_law_share=0.0,
)  # fmt: skip


def tone(hz: float, seconds: float) -> npt.NDArray[np.float32]:
    at = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    return (0.3 * np.sin(2 * np.pi * hz * at)).astype(np.float32)


def sound(samples: npt.NDArray[np.float32], *, event: str = "", label: str = "", unsure: bool = False) -> SequenceSound:
    steps = len(samples) // STEP_SAMPLES
    present, unknown = np.zeros((2, len(EVENTS), steps), np.bool_)
    if event:
        present[EVENTS.index(event)] = True
    return SequenceSound(
        event or label or "other",
        samples,
        present,
        unknown,
        loud_steps(samples),
        LABELS.index(label) if label else None,
        is_unsure=unsure,
        is_narrow=False,
    )


def group(*sounds: SequenceSound) -> SoundGroup:
    return SoundGroup(1.0, sounds, tuple([1 / len(sounds)] * len(sounds)))


def material() -> SequenceMaterial:
    noise = np.random.default_rng(0).standard_normal(30 * RATE_HZ).astype(np.float32) * 0.05
    cry, scream = sound(tone(450, 3.0), event="cry"), sound(tone(1500, 2.0), event="scream")
    return SequenceMaterial(
        ((group(cry),), (group(scream),)),
        (group(sound(tone(800, 2.0), label="cat")),),
        (group(sound(noise, unsure=True)),),
        (),
    )


def settings(cry: float = 1.0, scream: float = 0.0, **changes: object) -> MixtureSettings:
    base = MixtureSettings(event_shares=(cry, scream), foreground_share=0.0, synthetic_share=0.0, channel=PLAIN)
    return replace(base, event_db=(20.0, 20.0), colour_db=0.0, **changes)  # type: ignore[arg-type]


def test_an_event_of_which_there_is_no_recording_is_not_mixed() -> None:
    without = replace(material(), events=(material().events[0], ()))
    assert material().labels == ("cry", "scream", "cat")
    assert without.labels == ("cry", "cat")
    for seed in range(4):
        mixed = mix_sequence(np.random.default_rng(seed), without, settings(cry=1.0, scream=1.0))
        assert mixed.present[LABELS.index("cry")].any()
        assert not mixed.present[LABELS.index("scream")].any()


def test_equal_generators_give_equal_sequences() -> None:
    first, second = (mix_sequence(np.random.default_rng(7), material(), MixtureSettings()) for _ in range(2))
    assert np.array_equal(first.samples, second.samples)
    assert np.array_equal(first.present, second.present)


@pytest.mark.parametrize("seed", range(8))
def test_sequences_are_finite_recordings_of_sixteen_bits(seed: int) -> None:
    mixed = mix_sequence(np.random.default_rng(seed), material(), MixtureSettings())
    assert mixed.samples.shape == (12 * RATE_HZ,)
    assert mixed.present.shape == mixed.unknown.shape == (len(LABELS), 1200)
    assert np.isfinite(mixed.samples).all()
    assert np.abs(mixed.samples).max() <= 1.0
    assert np.array_equal(mixed.samples * 32768, np.round(mixed.samples * 32768))


def test_a_cry_is_claimed_where_its_tone_sounds() -> None:
    mixed = mix_sequence(np.random.default_rng(3), material(), settings(ambient_share=0.0, joined_share=0.0))
    claimed = mixed.present[0]
    assert 50 < claimed.sum() < 1200
    steps = mixed.samples.reshape(-1, STEP_SAMPLES)
    power = (steps * steps).mean(axis=1)
    assert np.median(power[claimed]) > 20 * np.median(power[~claimed])


def pitches_hz(samples: npt.NDArray[np.float32], claimed: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
    """The loudest frequency of each claimed tenth of a second."""
    tenths = np.flatnonzero(claimed.reshape(-1, 10).all(axis=1))
    spectra = np.abs(np.fft.rfft(samples.reshape(-1, RATE_HZ // 10)[tenths], n=RATE_HZ, axis=1))
    return np.asarray(spectra.argmax(axis=1), np.float64)


@pytest.mark.parametrize(("wander", "least", "most"), [(0.0, 1.0, 1.01), (0.12, 1.02, 1.28)])
def test_one_recorded_tone_becomes_many_contours_and_its_truth_follows(
    wander: float, least: float, most: float
) -> None:
    ratios = []
    for seed in range(6):
        drawn = settings(ambient_share=0.0, joined_share=0.0, repeat_share=0.0, cut_share=0.0, wander=wander)
        mixed = mix_sequence(np.random.default_rng(seed), material(), drawn)
        hz = pitches_hz(mixed.samples, mixed.present[0])
        assert (hz > 450 * 0.85 * 0.88 - 15).all()
        assert (hz < 450 * 1.18 * 1.12 + 15).all()
        ratios.append(hz.max() / hz.min())
    assert least <= max(ratios) <= most


def test_an_event_that_nobody_could_hear_is_unknown_and_neither_learned_nor_denied() -> None:
    loud_ground = replace(
        settings(ambient_share=1.0), event_db=(-25.0, -25.0), background_dbfs=(-30.0, -30.0), quiet_share=0.0
    )
    unlearned = 0
    for seed in range(6):
        mixed = mix_sequence(np.random.default_rng(seed), material(), loud_ground)
        assert not mixed.present[0].any()
        assert mixed.unknown[0].any()
        _, weights = hop_targets(mixed.present, mixed.unknown, 21)
        heard = [mixed.unknown[0, 100 + 50 * hop : 200 + 50 * hop].mean() >= 0.05 for hop in range(21)]
        assert (weights[:, 0] == 0).tolist() == heard
        unlearned += sum(heard)
    assert unlearned


def test_without_events_no_event_is_claimed() -> None:
    for seed in range(10):
        mixed = mix_sequence(np.random.default_rng(seed), material(), settings(cry=0.0))
        assert not mixed.present[: len(EVENTS)].any()


def test_what_an_unsure_background_holds_is_not_learned_as_absent() -> None:
    mixed = mix_sequence(np.random.default_rng(1), material(), settings(cry=0.0, ambient_share=1.0))
    assert mixed.unknown[LABELS.index("cat")].all()
    assert not mixed.unknown[: len(EVENTS)].any()


def test_a_hop_is_judged_by_its_last_second() -> None:
    present, unknown = np.zeros((2, 1, 1200), np.bool_)
    present[0, 200:240] = True  # 0.4 s after 2 s
    targets, weights = hop_targets(present, unknown, 21)
    assert targets[:, 0].nonzero()[0].tolist() == [1, 2]  # windows that end at 2.5 and 3 s hear 1.5 to 3 s
    assert weights.all()


@pytest.mark.parametrize(("steps", "target", "weight"), [(4, 0.0, 1.0), (20, 0.0, 0.0), (40, 1.0, 1.0)])
def test_a_second_with_a_little_of_an_event_is_not_learned(steps: int, target: float, weight: float) -> None:
    present, unknown = np.zeros((2, 1, 200), np.bool_)
    present[0, 120 : 120 + steps] = True
    targets, weights = hop_targets(present, unknown, 1)
    assert (targets[0, 0], weights[0, 0]) == (target, weight)


def test_the_backbone_hears_a_second_for_each_hop_of_the_device() -> None:
    seconds = list(seconds_of(np.zeros(12 * RATE_HZ, np.float32)))
    assert len(seconds) == 21  # windows of 2 s each half second
    assert {second.shape for second in seconds} == {(100, 128)}
