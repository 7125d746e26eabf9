"""Which scenes a part is scored on, and that a scene depends on seed and file alone."""

from __future__ import annotations

import dataclasses
from collections import Counter
from typing import TYPE_CHECKING

import numpy as np
import pytest

from device.errors import RecordingError
from training.data.clips import SAMPLE_RATE_HZ
from training.data.split_list import SCREAM_LIST, read_list, write_list
from training.mixing.clip_in_background import LEAD_S, MARGIN_S, SNRS_DB
from training.mixing.scenes import hard_clips, home_backgrounds, mix_scenes, plan_scenes

if TYPE_CHECKING:
    from pathlib import Path

    from tests.training.conftest import Collection
    from training.mixing.scenes import HeldOutPart, SceneAnnotation, ScenePlan
    from training.mixing.signal import Float32


@pytest.fixture
def plans(collection: Collection) -> tuple[ScenePlan, ...]:
    return plan_scenes(collection.data, "test", split=collection.split)


def mixed(plans: tuple[ScenePlan, ...], name: str, *, seed: int = 1) -> list[tuple[SceneAnnotation, Float32]]:
    plan = next(plan for plan in plans if plan.name == name)
    return list(mix_scenes(plan, [], seed=seed))


def test_a_part_is_clips_recordings_and_one_stream_for_each_speaker(plans: tuple[ScenePlan, ...]) -> None:
    assert Counter((plan.is_stream, plan.listed[0].set) for plan in plans) == {
        (False, "donateacry"): 3,
        (False, "esc50"): 3,
        (False, "speech"): 2,
        (True, "ambient"): 2,
        (True, "speech"): 1,
    }


def test_another_part_is_not_planned(collection: Collection) -> None:
    assert plan_scenes(collection.data, "val", split=collection.split) == ()


def test_only_named_files_are_planned_if_any_are_named(collection: Collection) -> None:
    (plan,) = plan_scenes(collection.data, "test", split=collection.split, only=["esc50/cat/2.wav"])
    assert plan.name == "esc50/cat/2.wav"


def test_a_listed_file_without_a_line_in_its_manifest_is_refused(collection: Collection, tmp_path: Path) -> None:
    lines = list(read_list(collection.split))
    lines.append(dataclasses.replace(lines[0], file=f"{lines[0].set}/gone.wav"))
    write_list(tmp_path / "list.csv", lines)
    with pytest.raises(RecordingError, match=r"gone\.wav is listed"):
        plan_scenes(collection.data, "test", split=tmp_path / "list.csv")


def test_a_sound_may_be_the_event_instead_of_what_the_list_names(collection: Collection, with_siren: Path) -> None:
    plans = plan_scenes(with_siren, "test", split=collection.split, sound="siren")
    assert [plan.name for plan in plans if plan.is_event] == ["esc50/rain/3.wav"]
    named = {plan.name for plan in plans}
    assert "donateacry/cry/a0.wav" in named  # to a siren a cry is another sound
    assert {plan.name for plan in plan_scenes(with_siren, "test", split=collection.split)} - named == {
        "ambient/loops/fan.wav"  # what only names the sound is neither it nor free of it
    }


def test_a_sound_that_no_recording_holds_is_refused(collection: Collection) -> None:
    with pytest.raises(RecordingError, match="no recording of the part is labelled glass_breaking"):
        plan_scenes(collection.data, "test", split=collection.split, sound="glass_breaking")


def test_only_home_sounds_are_backgrounds(collection: Collection) -> None:
    (fan,) = home_backgrounds(collection.data, "test", split=collection.split)
    assert len(fan) == 20 * SAMPLE_RATE_HZ


def test_cries_are_mixed_at_every_level_and_others_at_the_first(plans: tuple[ScenePlan, ...]) -> None:
    assert [scene.snr_db for scene, _ in mixed(plans, "donateacry/cry/a0.wav")] == list(SNRS_DB)
    assert [scene.snr_db for scene, _ in mixed(plans, "esc50/cat/2.wav")] == [SNRS_DB[0]]


def test_a_scene_states_where_its_clip_lies(plans: tuple[ScenePlan, ...]) -> None:
    ((scene, samples),) = mixed(plans, "esc50/cat/2.wav")
    assert MARGIN_S <= scene.start_s < MARGIN_S + LEAD_S
    assert scene.end_s - scene.start_s == pytest.approx(3.0)
    assert scene.onset_s == scene.start_s
    assert scene.duration_s == len(samples) / SAMPLE_RATE_HZ == pytest.approx(scene.end_s + MARGIN_S)
    assert (scene.set, scene.kind, scene.subject, scene.is_event) == ("esc50", "cat", "esc50:cat-2", False)


def test_a_stream_is_played_through_as_it_is(plans: tuple[ScenePlan, ...]) -> None:
    ((scene, samples),) = mixed(plans, "ambient/loops/fan.wav")
    assert scene.is_stream
    assert (scene.snr_db, scene.duration_s, scene.start_s, scene.end_s) == (None, 20.0, 0.0, 20.0)
    assert len(samples) == 20 * SAMPLE_RATE_HZ


def test_a_speaker_is_played_with_pauses(plans: tuple[ScenePlan, ...]) -> None:
    plan = next(plan for plan in plans if plan.is_stream and plan.listed[0].set == "speech")
    ((scene, _),) = mix_scenes(plan, [], seed=1)
    assert len(plan.recordings) == 2
    assert 3 + 2 * 0.5 + 2 < scene.duration_s < 3 + 2 * 2 + 2.1


def test_equal_seeds_mix_equal_scenes_and_other_seeds_others(plans: tuple[ScenePlan, ...]) -> None:
    first, again, other = (mixed(plans, "donateacry/cry/a0.wav", seed=seed) for seed in (1, 1, 2))
    assert [scene for scene, _ in first] == [scene for scene, _ in again]
    assert all(np.array_equal(*pair) for pair in zip([s for _, s in first], [s for _, s in again], strict=True))
    assert not np.array_equal(first[0][1][:SAMPLE_RATE_HZ], other[0][1][:SAMPLE_RATE_HZ])


def test_hard_clips_are_those_of_kinds_that_are_taken_for_the_event(collection: Collection) -> None:
    plans = hard_clips(collection.data, "test", split=collection.split)
    assert sorted(plan.name for plan in plans) == ["esc50/cat/2.wav", "esc50/dog/1.wav"]
    assert not any(plan.is_stream or plan.is_event for plan in plans)


def test_a_part_without_hard_clips_is_refused(collection: Collection) -> None:
    with pytest.raises(RecordingError, match="lists no clip of val that is hard"):
        hard_clips(collection.data, "val", split=collection.split)


@pytest.mark.real_audio
def test_the_hard_clips_of_cries_hold_pets_animals_children_and_screams_of_the_part_alone(data_dir: Path) -> None:
    found = {plan.name: plan for plan in hard_clips(data_dir, "test")}
    parts = {clip.file: clip.part for clip in (*read_list(), *read_list(SCREAM_LIST))}
    assert {parts[name] for name in found} == {"test"}
    sets = Counter(plan.listed[0].set for plan in found.values())
    assert set(sets) >= {"pets", "animals", "esc50", "speech", "scream", "scream_audioset"}
    assert not any(plan.is_event for plan in found.values())


@pytest.mark.real_audio
@pytest.mark.parametrize("part", ["val", "test"])
def test_every_listed_clip_of_a_part_is_planned_and_the_part_has_backgrounds(data_dir: Path, part: HeldOutPart) -> None:

    real = plan_scenes(data_dir, part)
    listed = {clip.file for clip in read_list() if clip.part == part and clip.label in ("cry", "other")}
    assert {plan.name for plan in real if plan.listed[0].set != "speech" or not plan.is_stream} == listed
    assert len(home_backgrounds(data_dir, part)) >= 5
