"""What a page remembers of a replay, and how little memory that takes."""

from __future__ import annotations

import tracemalloc
from typing import TYPE_CHECKING

import numpy as np
import pytest

from device.errors import MissingExtraError, RecordingError
from device.messages import AudioBlock, Event, Fault, Heard, Scores
from device.report.page_content import ListedLabel, ListedModel, PageRecorder

if TYPE_CHECKING:
    import numpy.typing as npt

    from device.report.page_content import PageContent

RATE_HZ = 8000
CRY = ListedModel(
    name="cry",
    version="0.1.0",
    sample_rate_hz=16_000,
    window_s=2.0,
    terms="CC BY-NC 3.0",
    sha256="ab" * 32,
    labels=(ListedLabel("cry", "alarm", "high", 0.6, 0.4), ListedLabel("other", "info", "low", 0.5, 0.5)),
)
NIGHT_S = 36_000


def _block(start_s: float, seconds: float, *, after_gap: bool = False) -> AudioBlock:
    samples = np.random.default_rng(0).normal(0, 0.01, round(seconds * RATE_HZ)).astype(np.float32)
    return AudioBlock(samples, RATE_HZ, round(start_s * RATE_HZ), after_gap)


def _scores(start_s: float, probability: float) -> Heard:
    return Heard(scores=[Scores("cry", {"cry": probability, "other": 1 - probability}, start_s, start_s + 2)])


def _begin(start_s: float, number: int = 1) -> Event:
    return Event(f"s-cry-cry-{number}", 0, "cry", "cry", "begin", 0.9, start_s, None, start_s + 3, "confirmed")


def _sound(start_s: float, end_s: float) -> tuple[npt.NDArray[np.float32], int]:
    return np.zeros(round(end_s * RATE_HZ) - round(start_s * RATE_HZ), np.float32), RATE_HZ


def _minute() -> PageRecorder:
    recorder = PageRecorder("a.wav", [CRY])
    recorder.block(_block(0, 60))
    for number in range(117):
        recorder.heard(_scores(number / 2, 0.9 if 20 <= number < 40 else 0.1))
    return recorder


def test_everything_that_was_heard_stands_in_the_content() -> None:
    recorder = _minute()
    fault = Fault("clipping", begins=True, since_s=30.0, at_s=30.5, detail="2 % at full scale")
    recorder.heard(Heard(events=[_begin(10.0)], faults=[fault]))
    content = recorder.finish(_sound, notes=["The file ends early."])
    assert (content.source, content.duration_s, content.sample_rate_hz) == ("a.wav", 60.0, RATE_HZ)
    assert [(curve.label, curve.on, curve.off, len(curve.probability)) for curve in content.curves] == [
        ("cry", 0.6, 0.4, 117),
        ("other", 0.5, 0.5, 117),
    ]
    assert [(span.start_s, span.end_s) for span in content.events] == [(10.0, 60.0)]
    assert [(fault.kind, fault.start_s, fault.end_s, fault.lasted) for fault in content.faults] == [
        ("clipping", 30.0, 60.0, True)
    ]
    assert [(clip.start_s, clip.end_s) for clip in content.clips] == [(0.0, 60.0)]
    assert content.priorities["cry", "cry"] == "high"
    assert content.picture is not None
    assert content.notes == ("The file ends early.",)


def test_scores_of_a_label_that_is_not_listed_are_left_out() -> None:
    recorder = PageRecorder("a.wav", [CRY])
    recorder.heard(Heard(scores=[Scores("stranger", {"cry": 0.9}, 0, 2), Scores("cry", {"yell": 0.9}, 0, 2)]))
    assert all(len(curve.probability) == 0 for curve in recorder.finish().curves)


def test_a_recording_without_sound_has_content_too() -> None:
    content = PageRecorder("empty.wav", [CRY]).finish(_sound)
    assert (content.duration_s, content.picture, list(content.clips)) == (0.0, None, [])


def test_a_file_that_cannot_be_read_again_is_said_and_costs_only_the_sound() -> None:
    def gone(_start_s: float, _end_s: float) -> tuple[npt.NDArray[np.float32], int]:
        raise RecordingError("a.wav is gone")

    content = _minute().finish(gone)
    assert content.picture is not None
    assert list(content.clips) == []
    assert content.notes == ("The sound could not be read again for this page: a.wav is gone",)


def test_a_missing_library_is_not_mistaken_for_a_damaged_file() -> None:
    def no_library(_start_s: float, _end_s: float) -> tuple[npt.NDArray[np.float32], int]:
        raise MissingExtraError("install auricle[device]")

    with pytest.raises(MissingExtraError):
        _minute().finish(no_library)


def test_two_replays_give_the_same_picture_and_sound() -> None:
    first, second = (_minute().finish(_sound) for _ in range(2))
    assert first.picture is not None
    assert second.picture is not None
    assert first.picture.png == second.picture.png
    assert first.clips[0].data == second.clips[0].data


def _hear_until(recorder: PageRecorder, from_s: int, until_s: int) -> None:
    """Two seconds of sound a minute, the rest lost in gaps; scores all the time; an event an hour."""
    for second in range(from_s, until_s):
        if second % 60 == 0:
            recorder.block(_block(second, 2.0, after_gap=second > 0))
        if second % 3600 == 600:
            recorder.heard(Heard(events=[_begin(float(second), second)]))
        recorder.heard(_scores(float(second), 0.1))
        recorder.heard(_scores(second + 0.5, 0.2))


def _night_content(recorder: PageRecorder) -> PageContent:
    recorder.block(_block(NIGHT_S - 2, 2.0, after_gap=True))
    return recorder.finish(_sound)


def test_ten_hours_take_no_more_memory_than_one() -> None:
    recorder = PageRecorder("night.flac", [CRY])
    tracemalloc.start()
    try:
        _hear_until(recorder, 0, 3600)
        after_an_hour_bytes, _ = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        _hear_until(recorder, 3600, NIGHT_S)
        after_ten_bytes, highest_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after_ten_bytes - after_an_hour_bytes < 100_000
    assert highest_bytes < 12e6
    content = _night_content(recorder)
    assert content.duration_s == NIGHT_S
    assert all(len(curve.probability) <= 2000 for curve in content.curves)
    assert sum(clip.end_s - clip.start_s for clip in content.clips) <= 600
    assert len(content.events) == 10


def test_what_is_decided_about_beside_the_models_has_a_curve_and_a_priority_and_is_no_model() -> None:
    recorder = PageRecorder("a.wav", [CRY], [("loudness", ListedLabel("loud", "alarm", "medium", 0.7, 0.64))])
    recorder.block(_block(0, 2))
    recorder.heard(Heard(scores=[Scores("loudness", {"loud": 0.5}, 0.0, 0.5)]))
    content = recorder.finish()
    assert [label.name for _, label in content.labels] == ["cry", "other", "loud"]
    curve = content.curves[-1]
    assert (curve.model, curve.label, curve.on, curve.off, curve.is_drawn) == ("loudness", "loud", 0.7, 0.64, True)
    assert curve.probability.tolist() == [0.5]
    assert content.priorities["loudness", "loud"] == "medium"
    assert [model.name for model in content.models] == ["cry"]
