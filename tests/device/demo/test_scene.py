"""The scene is reproducible, of a bedroom's levels, and convinces a network that its authors never met."""

from __future__ import annotations

import itertools
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pytest

from device.demo.scene import DURATION_S, SEED, Scene, SceneItem, bedside

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Listen = Callable[[int], npt.NDArray[np.float32]]

OTHER_SEEDS = (1, 2, 3)
SPEECH, INFANT_CRY, DOOR, KNOCK, TAP = 0, 20, 348, 353, 354
YAMNET_SAMPLES, YAMNET_HOP = 15_600, 7_680


@cache
def scene_of(seed: int) -> Scene:
    return bedside(np.random.default_rng(seed))


def the(what: str, scene: Scene) -> SceneItem:
    return next(item for item in scene.items if what in item.what)


def level_dbfs(scene: Scene, start_s: float, end_s: float) -> float:
    stretch = scene.samples[round(start_s * scene.sample_rate_hz) : round(end_s * scene.sample_rate_hz)]
    return 10 * float(np.log10(np.mean(stretch.astype(np.float64) ** 2)))


def test_a_scene_is_one_minute_of_mono_float_within_full_scale() -> None:
    scene = scene_of(SEED)
    assert scene.samples.shape == (round(DURATION_S * 16_000),)
    assert scene.samples.dtype == np.float32
    assert scene.sample_rate_hz == 16_000


@pytest.mark.parametrize("seed", [SEED, *OTHER_SEEDS])
def test_nothing_clips_and_nothing_is_silence(seed: int) -> None:
    samples = scene_of(seed).samples
    assert np.abs(samples).max() < 0.9
    assert np.abs(samples).reshape(-1, 1_600).max(axis=1).min() > 1 / 32_768


def test_the_same_generator_state_gives_the_same_samples_bit_for_bit() -> None:
    assert bedside(np.random.default_rng(SEED)).samples.tobytes() == scene_of(SEED).samples.tobytes()


def test_another_seed_gives_another_scene() -> None:
    assert not np.array_equal(scene_of(1).samples, scene_of(SEED).samples)


@pytest.mark.parametrize("seed", [SEED, *OTHER_SEEDS])
def test_items_are_in_time_order_and_do_not_overlap(seed: int) -> None:
    items = scene_of(seed).items
    assert [item.label for item in items] == [None, None, None, "cry", None]
    assert items[0].start_s == 0.0
    assert items[-1].end_s == DURATION_S
    assert all(before.end_s <= after.start_s for before, after in itertools.pairwise(items))


def test_the_cry_lasts_twelve_seconds_or_more_and_a_quiet_room_follows() -> None:
    scene = scene_of(SEED)
    cry = the("infant", scene)
    assert cry.start_s == 28.0
    assert 12.0 <= cry.end_s - cry.start_s <= 14.0
    assert the("quiet", scene).start_s == cry.end_s


def test_levels_are_those_of_a_bedroom() -> None:
    scene = scene_of(SEED)
    assert level_dbfs(scene, 0.0, 6.0) == pytest.approx(-60.0, abs=1.0)
    assert level_dbfs(scene, 50.0, 60.0) == pytest.approx(-72.0, abs=1.0)
    assert level_dbfs(scene, 6.0, 18.0) == pytest.approx(-29.0, abs=2.0)
    assert level_dbfs(scene, 28.0, 42.0) == pytest.approx(-25.0, abs=2.0)


def test_a_sound_goes_on_echoing_after_it_has_ended() -> None:
    scene = scene_of(SEED)
    end_s = the("infant", scene).end_s
    assert level_dbfs(scene, end_s, end_s + 0.1) > level_dbfs(scene, end_s + 0.5, end_s + 1.0) + 6


@pytest.fixture(scope="module")
def yamnet(peers_dir: Path) -> Listen:
    """A network trained by others on real recordings: seed of a scene -> scores (windows, 521), every 0.48 s."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(peers_dir / "yamnet.tflite"), num_threads=1)
    interpreter.allocate_tensors()
    model_input, model_output = (
        interpreter.get_input_details()[0]["index"],
        interpreter.get_output_details()[0]["index"],
    )

    def scores(window: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        interpreter.set_tensor(model_input, window)
        interpreter.invoke()
        scores: npt.NDArray[np.float32] = interpreter.get_tensor(model_output)[0].copy()
        return scores

    @cache
    def listen(seed: int) -> npt.NDArray[np.float32]:
        samples = scene_of(seed).samples
        starts = range(0, len(samples) - YAMNET_SAMPLES + 1, YAMNET_HOP)
        return np.stack([scores(samples[start : start + YAMNET_SAMPLES]) for start in starts])

    return listen


def windows(scores: npt.NDArray[np.float32], start_s: float, end_s: float) -> npt.NDArray[np.float32]:
    """Scores of the windows that lie within a stretch."""
    begins_s = np.arange(len(scores)) * YAMNET_HOP / 16_000
    return scores[(begins_s >= start_s) & (begins_s + YAMNET_SAMPLES / 16_000 <= end_s)]


@pytest.mark.real_audio
@pytest.mark.parametrize("seed", [SEED, *OTHER_SEEDS])
def test_a_network_trained_on_real_infants_hears_the_cry_and_no_other(seed: int, yamnet: Listen) -> None:
    scene = scene_of(seed)
    scores, cry = yamnet(seed), the("infant", scene)
    within = windows(scores, cry.start_s, cry.end_s)[:, INFANT_CRY]
    assert np.median(within) > 0.7
    assert np.mean(within > 0.5) > 0.7
    assert windows(scores, 0.0, cry.start_s)[:, INFANT_CRY].max() < 0.1
    assert windows(scores, cry.end_s + 0.5, DURATION_S)[:, INFANT_CRY].max() < 0.1


@pytest.mark.real_audio
@pytest.mark.parametrize("seed", [SEED, *OTHER_SEEDS])
def test_the_same_network_takes_the_talkers_for_speech(seed: int, yamnet: Listen) -> None:
    scene = scene_of(seed)
    talking = the("talking", scene)
    within = windows(yamnet(seed), talking.start_s, talking.end_s)
    assert within.mean(axis=0).argmax() == SPEECH
    assert np.mean(within.argmax(axis=1) == SPEECH) > 0.5


@pytest.mark.real_audio
@pytest.mark.parametrize("seed", [SEED, *OTHER_SEEDS])
def test_the_same_network_takes_the_knock_for_one_at_a_door(seed: int, yamnet: Listen) -> None:
    scene = scene_of(seed)
    knock = the("knock", scene)
    highest = windows(yamnet(seed), knock.start_s - 0.9, knock.end_s + 0.9).max(axis=0)
    assert highest[[DOOR, KNOCK, TAP]].max() > 0.2
