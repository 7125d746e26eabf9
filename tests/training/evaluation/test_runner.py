"""What counts for a clip, and that a figure hangs on seed and file alone."""

from __future__ import annotations

import dataclasses
from collections import Counter
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pytest

from device.errors import RecordingError
from device.hearing.decision import OperatingPoint
from training.data.split_list import CRY_LIST, read_list, write_list
from training.evaluation.detectors import INT8, Listened, System
from training.evaluation.runner import SNRS_DB, Bench, Judged, Outcome, Task, bench, hear_all, tasks

if TYPE_CHECKING:
    from pathlib import Path

    from tests.training.conftest import Collection

Float32 = npt.NDArray[np.float32]

POINT = OperatingPoint(on=0.5, off=0.25, confirm_s=1.0, confirm_of_s=1.5, min_length_s=0.0, hold_s=1.0, cooldown_s=2.0)


class _FixedEar:
    """Says what it was told to say, whatever it hears."""

    def __init__(self, begun_s: tuple[float, ...] = (), loud: tuple[int, ...] = ()) -> None:
        self._begun_s = begun_s
        self._loud = loud
        self.systems = (System("fixed", 2.0, POINT),)

    def hear(self, samples: Float32, stream_id: str) -> dict[str, Listened]:
        assert stream_id
        count = 1 + (len(samples) - 32_000) // 8_000
        probabilities = np.full(count, 0.1, np.float32)
        probabilities[list(self._loud)] = 0.9
        return {"fixed": Listened(2.0 + np.arange(count) / 2, probabilities, self._begun_s)}


@pytest.fixture
def judged(collection: Collection, tiny_bundle_path: Path) -> Judged:
    return Judged(bundle=tiny_bundle_path, data=collection.data, part="test", split=collection.split, seed=1)


def one(judged: Judged, file: str) -> Task:
    return next(task for task in tasks(judged, only=[file]) if task.name == file)


def heard(judged: Judged, *, begun_s: tuple[float, ...] = (), loud: tuple[int, ...] = ()) -> Outcome:
    """A clip of 3 s that starts between 4 and 4.5 s of its scene, and ends between 7 and 7.5 s."""
    outcomes = Bench([_FixedEar(begun_s, loud)], [], seed=1).hear(one(judged, "esc50/dog/1.wav"))
    assert len(outcomes) == 1
    return outcomes[0]


def test_a_part_is_clips_recordings_and_one_stream_for_each_speaker(judged: Judged) -> None:
    streams = Counter((task.is_stream, task.listed[0].set) for task in tasks(judged))
    assert streams == {
        (False, "donateacry"): 3,
        (False, "esc50"): 3,
        (False, "speech"): 2,
        (True, "ambient"): 2,
        (True, "speech"): 1,
    }


def test_another_part_is_not_heard(judged: Judged) -> None:
    assert tasks(dataclasses.replace(judged, part="val")) == ()


def test_a_listed_file_without_a_line_in_its_manifest_is_refused(judged: Judged, tmp_path: Path) -> None:
    lines = list(read_list(judged.split))
    lines.append(dataclasses.replace(lines[0], file=f"{lines[0].set}/gone.wav"))
    write_list(tmp_path / "list.csv", lines)
    with pytest.raises(RecordingError, match=r"gone\.wav is listed"):
        tasks(dataclasses.replace(judged, split=tmp_path / "list.csv"))


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
def test_an_alert_counts_if_its_deciding_window_touches_the_clip(
    judged: Judged,
    decided_s: float,
    counts: bool,  # noqa: FBT001 - a parameter
) -> None:
    outcome = heard(judged, begun_s=(decided_s,))
    assert outcome.found is counts
    assert outcome.elsewhere == (not counts)


def test_the_delay_runs_from_the_onset_to_the_first_alert(judged: Judged) -> None:
    outcome = heard(judged, begun_s=(6.5, 8.0))
    assert outcome.delay_s == pytest.approx(6.5 - outcome.onset_s)
    assert heard(judged).delay_s is None


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
def test_the_level_is_that_of_windows_that_touch_the_clip(judged: Judged, loud: tuple[int, ...], level: float) -> None:
    assert heard(judged, loud=loud).level == pytest.approx(level)


def test_cries_are_heard_at_every_level_and_others_at_the_first(judged: Judged) -> None:
    fixed = Bench([_FixedEar()], [], seed=1)
    assert [outcome.snr_db for outcome in fixed.hear(one(judged, "donateacry/cry/a0.wav"))] == list(SNRS_DB)
    assert [outcome.snr_db for outcome in fixed.hear(one(judged, "esc50/cat/2.wav"))] == [SNRS_DB[0]]


def test_a_stream_is_played_through_as_it_is(judged: Judged) -> None:
    (outcome,) = Bench([_FixedEar((3.0, 9.0))], [], seed=1).hear(one(judged, "ambient/loops/fan.wav"))
    assert (outcome.snr_db, outcome.duration_s, outcome.alerts_s) == (None, 20.0, (3.0, 9.0))


def test_a_speaker_is_heard_with_pauses(judged: Judged) -> None:
    task = next(task for task in tasks(judged) if task.is_stream and task.listed[0].set == "speech")
    (outcome,) = Bench([_FixedEar()], [], seed=1).hear(task)
    assert len(task.recordings) == 2
    assert 3 + 2 * 0.5 + 2 < outcome.duration_s < 3 + 2 * 2 + 2.1


def test_the_tiny_bundle_hears_the_tones_and_nothing_else(judged: Judged) -> None:
    _, outcomes = hear_all(judged, tasks(judged))
    found = {(outcome.name, outcome.snr_db) for outcome in outcomes if outcome.found}
    assert {name for name, snr_db in found if snr_db == SNRS_DB[0]} == {
        "donateacry/cry/a0.wav",
        "donateacry/cry/a1.wav",
        "esc50/cat/2.wav",
    }
    assert {name for name, snr_db in found if snr_db is None} == {"ambient/music/flute.wav"}
    assert {outcome.system for outcome in outcomes} == {INT8}


def _key(outcome: Outcome) -> tuple[object, ...]:
    values = dataclasses.asdict(outcome)
    return (*(value for name, value in values.items() if name != "probabilities"), outcome.probabilities.tobytes())


def test_neither_order_nor_processes_change_what_is_heard(judged: Judged) -> None:
    work = tasks(judged)
    _, alone = hear_all(judged, work)
    bench.cache_clear()
    _, backwards = hear_all(judged, work[::-1])
    _, shared = hear_all(judged, work, workers=2)
    assert [_key(outcome) for outcome in shared] == [_key(outcome) for outcome in alone]
    assert {_key(outcome) for outcome in backwards} == {_key(outcome) for outcome in alone}


def test_another_seed_draws_other_backgrounds(judged: Judged) -> None:
    work = tasks(judged, only=["donateacry/cry/a0.wav"])
    _, first = hear_all(judged, work)
    _, second = hear_all(dataclasses.replace(judged, seed=2), work)
    assert not np.array_equal(first[0].probabilities, second[0].probabilities)


@pytest.mark.real_audio
@pytest.mark.parametrize("part", ["val", "test"])
def test_every_listed_clip_of_a_part_is_work_and_the_part_has_rooms(
    data_dir: Path,
    tiny_bundle_path: Path,
    part: str,
) -> None:
    real = Judged(tiny_bundle_path, data_dir, "val" if part == "val" else "test", CRY_LIST, seed=1)
    work = tasks(real)
    listed = {clip.file for clip in read_list() if clip.part == part and clip.label in ("cry", "other")}
    assert {task.name for task in work if task.listed[0].set != "speech" or not task.is_stream} == listed
    assert "rooms)" in repr(bench(real))
    assert int(repr(bench(real)).split("; ")[1].split()[0]) >= 5
