"""Long scenes: equal for equal generators, events apart and at their level, every sound used before one repeats."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile

from training.data.clips import SAMPLE_RATE_HZ
from training.data.datasets.annotated_recording import AnnotatedRecording
from training.mixing.clip_in_background import clip_over
from training.mixing.long_scenes import EVENT_PAUSE_S, LongScene, compose_scenes
from training.mixing.scene_material import SceneMaterial, SceneSound, Shuffled
from training.mixing.signal import loud_power

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def material(tmp_path_factory: pytest.TempPathFactory) -> SceneMaterial:
    """Four cries, six loops of a minute, eight sounds of a household, twenty cats, one room."""
    folder = tmp_path_factory.mktemp("material")
    rng = np.random.default_rng(7)

    def sounds(name: str, count: int, seconds: float) -> tuple[SceneSound, ...]:
        return tuple(_sound(folder, f"{name}{one}", seconds, rng) for one in range(count))

    return SceneMaterial(
        event="cry",
        events=sounds("cry", 4, 3.0),
        ambient=sounds("loop", 6, 60.0),
        household=sounds("cup", 8, 1.0),
        hard=sounds("cat", 20, 2.0),
        rooms=sounds("room", 1, 0.2),
    )


def _sound(folder: Path, name: str, seconds: float, rng: np.random.Generator) -> SceneSound:
    file = folder / f"{name}.wav"
    samples = 0.1 * rng.standard_normal(round(seconds * SAMPLE_RATE_HZ))
    soundfile.write(file, samples, SAMPLE_RATE_HZ, subtype="PCM_16")
    recording = AnnotatedRecording(file, "made", (), name, "", "", SAMPLE_RATE_HZ, seconds, (), "")
    return SceneSound(f"made/{name}.wav", f"made:{name}", recording)


def composed(material: SceneMaterial, seed: int = 1) -> list[LongScene]:
    rng = np.random.default_rng(seed)
    return list(compose_scenes(material, hours=0.1, snrs_db=(20.0, 0.0), rng=rng, scene_s=180.0))


def test_equal_generators_give_equal_scenes(material: SceneMaterial) -> None:
    first, again, other = composed(material), composed(material), composed(material, seed=2)
    assert [one.events for one in first] == [one.events for one in again]
    assert all(np.array_equal(one.samples, two.samples) for one, two in zip(first, again, strict=True))
    assert first[0].events != other[0].events


def test_both_grounds_take_turns_and_fill_the_hours(material: SceneMaterial) -> None:
    scenes = composed(material)
    assert [one.ground for one in scenes] == ["ordinary", "hard"]
    assert [len(one.samples) / SAMPLE_RATE_HZ for one in scenes] == [180.0, 180.0]
    assert {sound.file[5:8] for sound in scenes[0].background} == {"loo", "cup"}
    assert {sound.file[5:8] for sound in scenes[1].background} == {"cat"}
    (short, _) = compose_scenes(material, hours=0.02, snrs_db=(20.0,), rng=np.random.default_rng(0))
    assert len(short.samples) == 36 * SAMPLE_RATE_HZ


def test_events_are_far_enough_apart_for_an_alarm_each_and_their_levels_take_turns(material: SceneMaterial) -> None:
    for scene in composed(material):
        ends = [0.0, *(one.end_s for one in scene.events)]
        pauses = [one.start_s - end_s for one, end_s in zip(scene.events, ends, strict=False)]
        assert pauses
        assert min(pauses) >= EVENT_PAUSE_S[0]
        assert all(one.start_s <= one.onset_s < one.end_s for one in scene.events)
    levels = [one.snr_db for scene in composed(material) for one in scene.events]
    assert levels == [20.0, 0.0] * (len(levels) // 2) + [20.0] * (len(levels) % 2)


def test_the_quiet_ground_is_where_no_event_is(material: SceneMaterial) -> None:
    """An event at 20 dB raises the power of its stretch by about 20 dB over what lies before it."""
    scene = composed(material)[0]
    loud = next(one for one in scene.events if one.snr_db == 20.0 and not one.room)
    start, end = round(loud.start_s * SAMPLE_RATE_HZ), round(loud.end_s * SAMPLE_RATE_HZ)
    gain_db = 10 * np.log10(loud_power(scene.samples[start:end]) / loud_power(scene.samples[2 * start - end : start]))
    assert 10 < gain_db < 35


def test_a_clip_lies_at_its_level_over_a_background_that_keeps_its_own() -> None:
    rng = np.random.default_rng(0)
    clip, under = (rng.standard_normal(32_000).astype(np.float32) * level for level in (0.3, 0.01))
    for snr_db in (20.0, 0.0):
        placed = clip_over(clip, under, snr_db)
        assert 10 * np.log10(loud_power(placed) / loud_power(under)) == pytest.approx(snr_db, abs=0.2)


def test_every_sound_is_drawn_once_before_any_is_drawn_again(material: SceneMaterial) -> None:
    queue = Shuffled(material.hard, np.random.default_rng(3))
    drawn = [queue.draw().file for _ in range(40)]
    assert set(drawn[:20]) == set(drawn[20:]) == {one.file for one in material.hard}
    assert drawn[:20] != drawn[20:]


def test_repeats_within_a_scene_are_counted(material: SceneMaterial) -> None:
    ordinary = composed(material)[0]
    files = [one.file for one in (*ordinary.events, *ordinary.background)]
    assert ordinary.repeats == len(files) - len(set(files))
    few = SceneMaterial("cry", material.events[:1], material.ambient, material.household, material.hard, ())
    (scene, *_) = compose_scenes(few, hours=0.1, snrs_db=(20.0,), rng=np.random.default_rng(1), scene_s=180.0)
    assert scene.repeats >= len(scene.events) - 1 > 0
