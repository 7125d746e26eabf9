"""Scenes through detectors: what is scored, and that a figure depends on seed and file alone."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pytest

from device.hearing.decision import OperatingPoint
from tests.training.conftest import score_windows
from training.evaluation.detectors import INT8, Detections, System
from training.evaluation.runner import EvaluationSettings, SceneScorer, ScoredScene, open_scorer, score_plans
from training.mixing.clip_in_background import SNRS_DB

if TYPE_CHECKING:
    from pathlib import Path

    from tests.training.conftest import Collection
    from training.mixing.scenes import ScenePlan

Float32 = npt.NDArray[np.float32]

POINT = OperatingPoint(on=0.5, off=0.25, confirm_s=1.0, confirm_of_s=1.5, min_length_s=0.0, hold_s=1.0, cooldown_s=2.0)


class _FixedDetector:
    """Returns fixed alarms and scores, whatever the samples."""

    def __init__(self, alarms_s: tuple[float, ...] = (), loud: tuple[int, ...] = ()) -> None:
        self._alarms_s = alarms_s
        self._loud = loud
        self.systems = (System("fixed", 2.0, POINT),)

    def detect(self, samples: Float32, stream_id: str) -> dict[str, Detections]:
        assert stream_id
        probabilities = np.full(1 + (len(samples) - 32_000) // 8_000, 0.1, np.float32)
        probabilities[list(self._loud)] = 0.9
        return {"fixed": Detections(score_windows(probabilities), self._alarms_s)}


@pytest.fixture
def settings(collection: Collection, tiny_bundle_path: Path) -> EvaluationSettings:
    return EvaluationSettings(model=tiny_bundle_path, data=collection.data, part="test", split=collection.split, seed=1)


def plan_of(settings: EvaluationSettings, file: str) -> ScenePlan:
    return next(plan for plan in settings.plans(only=[file]) if plan.name == file)


def scored_dog(
    settings: EvaluationSettings, *, alarms_s: tuple[float, ...] = (), loud: tuple[int, ...] = ()
) -> ScoredScene:
    """A clip of 3 s that starts between 4 and 4.5 s of its scene, and ends between 7 and 7.5 s."""
    scorer = SceneScorer([_FixedDetector(alarms_s, loud)], [], seed=1)
    (scored,) = scorer.score(plan_of(settings, "esc50/dog/1.wav"))
    return scored


@pytest.mark.parametrize(
    ("decided_s", "counts"),
    [
        (4.0, False),  # before the clip
        (5.0, True),  # its window covers 3 to 5 s
        (7.0, True),
        (9.0, True),  # the window still holds the clip's end
        (10.0, False),  # the window began after it
    ],
)
def test_an_alarm_counts_if_its_deciding_window_touches_the_clip(
    settings: EvaluationSettings,
    decided_s: float,
    counts: bool,  # noqa: FBT001 - a parameter
) -> None:
    scored = scored_dog(settings, alarms_s=(decided_s,))
    assert scored.found is counts
    assert scored.background_alarms == (not counts)


def test_the_delay_runs_from_the_onset_to_the_first_alarm(settings: EvaluationSettings) -> None:
    scored = scored_dog(settings, alarms_s=(6.5, 8.0))
    assert scored.delay_s == pytest.approx(6.5 - scored.scene.onset_s)
    assert scored_dog(settings).delay_s is None


@pytest.mark.parametrize(
    ("loud", "level"),
    [
        ((8, 9), 0.9),  # both touch the clip
        ((0, 1), 0.1),  # both lie before it
        ((4, 5), 0.9),  # one reaches into it, and it decides
        ((8,), 0.1),  # one is not enough
        ((8, 10), 0.9),  # two of three
        ((8, 11), 0.1),
        ((16, 17), 0.1),  # both lie behind it
    ],
)
def test_the_level_is_that_of_windows_that_touch_the_clip(
    settings: EvaluationSettings, loud: tuple[int, ...], level: float
) -> None:
    assert scored_dog(settings, loud=loud).level == pytest.approx(level)


def test_cries_are_scored_at_every_level_and_others_at_the_first(settings: EvaluationSettings) -> None:
    scorer = SceneScorer([_FixedDetector()], [], seed=1)
    cries = scorer.score(plan_of(settings, "donateacry/cry/a0.wav"))
    assert [scored.scene.snr_db for scored in cries] == list(SNRS_DB)
    (other,) = scorer.score(plan_of(settings, "esc50/cat/2.wav"))
    assert other.scene.snr_db == SNRS_DB[0]


def test_every_alarm_of_a_stream_counts(settings: EvaluationSettings) -> None:
    (scored,) = SceneScorer([_FixedDetector((3.0, 9.0))], [], seed=1).score(plan_of(settings, "ambient/loops/fan.wav"))
    assert (scored.scene.snr_db, scored.scene.duration_s, scored.alarms_s) == (None, 20.0, (3.0, 9.0))


def test_the_tiny_bundle_detects_the_tones_and_nothing_else(settings: EvaluationSettings) -> None:
    _, scored = score_plans(settings, settings.plans())
    found = {(one.scene.name, one.scene.snr_db) for one in scored if one.found}
    assert {name for name, snr_db in found if snr_db == SNRS_DB[0]} == {
        "donateacry/cry/a0.wav",
        "donateacry/cry/a1.wav",
        "esc50/cat/2.wav",
    }
    assert {name for name, snr_db in found if snr_db is None} == {"ambient/music/flute.wav", "hard/esc50/cat"}
    assert {one.system for one in scored} == {INT8}


def _key(scored: ScoredScene) -> tuple[object, ...]:
    windows = scored.windows
    arrays = (windows.starts_s.tobytes(), windows.ends_s.tobytes(), windows.probabilities.tobytes())
    alarms = (scored.alarms_s, scored.background_alarms, scored.level, scored.faults)
    return (scored.system, scored.scene, *alarms, *arrays)


def test_neither_order_nor_processes_change_what_is_scored(settings: EvaluationSettings) -> None:
    plans = settings.plans()
    _, alone = score_plans(settings, plans)
    open_scorer.cache_clear()
    _, backwards = score_plans(settings, plans[::-1])
    _, shared = score_plans(settings, plans, workers=2)
    assert [_key(one) for one in shared] == [_key(one) for one in alone]
    assert {_key(one) for one in backwards} == {_key(one) for one in alone}


def test_another_seed_draws_other_backgrounds(settings: EvaluationSettings) -> None:
    plans = settings.plans(only=["donateacry/cry/a0.wav"])
    _, first = score_plans(settings, plans)
    _, second = score_plans(dataclasses.replace(settings, seed=2), plans)
    assert not np.array_equal(first[0].windows.probabilities, second[0].windows.probabilities)


def test_a_scorer_names_its_systems_and_counts_its_backgrounds(settings: EvaluationSettings) -> None:
    assert repr(open_scorer(settings)) == "SceneScorer(int8; 1 backgrounds)"
