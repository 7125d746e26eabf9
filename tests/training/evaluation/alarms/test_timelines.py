"""Recordings with several events: found, already heard, missed, false; scenes and recordings of one's own."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile

from device.errors import ConfigError, RecordingError
from training.__main__ import main
from training.data.datasets.annotated_recording import AnnotatedRecording
from training.evaluation.alarm_counting import DetectedEvent, WindowScores, match_alarms
from training.evaluation.alarms.timeline_figures import timeline_figures
from training.evaluation.alarms.timelines import Timeline, TimelineEvent, read_own, read_scenes, score_timeline
from training.evaluation.detectors import Detections, System
from training.evaluation.measured import read_measured
from training.evaluation.threshold_search import point

if TYPE_CHECKING:
    from pathlib import Path

RATE_HZ = 16_000
STARTS_S = np.arange(0.0, 120.0, 0.5)
WINDOWS = WindowScores(STARTS_S, STARTS_S + 2.0, np.zeros(len(STARTS_S), np.float32))


def timeline(*events: TimelineEvent, ground: str = "ordinary", name: str = "a.flac") -> Timeline:
    recording = AnnotatedRecording(None, "s", (), name, "", "", RATE_HZ, 122.0, (), "")  # type: ignore[arg-type]  # not opened
    return Timeline(recording, name, name, ground, events)


EVENTS = (
    TimelineEvent(10.0, 14.0, "p", "20 dB"),
    TimelineEvent(50.0, 54.0, "q", "20 dB"),
    TimelineEvent(90.0, 94.0, "q", "0 dB"),
)


def test_an_alarm_counts_for_the_first_stretch_that_its_window_touches() -> None:
    matched, rest = match_alarms([(10.0, 14.0), (15.0, 20.0)], WINDOWS, [12.0, 16.5, 30.0])
    assert matched == ((12.0,), (16.5,))
    assert rest == 1
    assert match_alarms([(10.0, 14.0), (15.0, 20.0)], WINDOWS, [15.5]) == (((15.5,), ()), 0)


def test_an_event_is_found_by_its_alarm_or_by_one_that_lasts_and_else_missed() -> None:
    found = Detections(WINDOWS, (12.0, 40.0), (DetectedEvent(10.5, 15.0), DetectedEvent(38.0, 55.0)))
    scored = score_timeline(timeline(*EVENTS), "int8", found)
    assert scored.delays_s == (2.0, 0.0, None)
    assert scored.in_time == (True, True, False)
    assert scored.false_alarms == 1


def test_figures_stand_on_subjects_and_levels_and_grounds() -> None:
    found = Detections(WINDOWS, (12.0, 40.0), (DetectedEvent(10.5, 15.0),))
    scored = [
        score_timeline(timeline(*EVENTS), "int8", found),
        score_timeline(timeline(ground="hard", name="b.flac"), "int8", Detections(WINDOWS, (5.0,), ())),
    ]
    figures = {
        (one.measure, one.of): one for one in timeline_figures(scored, [System("int8", 2.0, point(0.5, 1, 1))], seed=1)
    }
    assert figures["event recall", "20 dB"].value == 0.5
    assert figures["event recall", "20 dB"].subjects == 2
    assert figures["event recall", "all events"].value == pytest.approx(1 / 3, abs=1e-5)
    assert figures["event recall", "0 dB"].value == 0.0
    assert figures["median delay", "20 dB"].value == 2.0
    assert figures["median delay", "0 dB"].value is None
    for ground in ("ordinary", "hard"):
        rate = figures["false alarms an hour", f"{ground} backgrounds"]
        assert rate.value == pytest.approx(3600 / 122, abs=1e-4)
        assert rate.interval == "exact Poisson"
    assert figures["event F1, collar 2 s", "all recordings"].value == 0.5
    assert figures["event error rate, collar 2 s", "all recordings"].value == pytest.approx(2 / 3, abs=1e-5)


def test_recall_and_delay_are_told_for_each_level_over_each_ground() -> None:
    scored = [
        score_timeline(timeline(*EVENTS), "int8", Detections(WINDOWS, (12.0, 53.0), ())),
        score_timeline(timeline(*EVENTS, ground="hard", name="b.flac"), "int8", Detections(WINDOWS, (13.0,), ())),
    ]
    figures = {
        (one.measure, one.of): one for one in timeline_figures(scored, [System("int8", 2.0, point(0.5, 1, 1))], seed=1)
    }
    assert figures["event recall", "20 dB"].value == 0.75
    assert figures["event recall", "20 dB, ordinary backgrounds"].value == 1.0
    assert figures["event recall", "20 dB, hard backgrounds"].value == 0.5
    assert figures["event recall", "all events, hard backgrounds"].value == pytest.approx(1 / 3, abs=1e-5)
    assert figures["delay of 95 %", "20 dB, ordinary backgrounds"].value == pytest.approx(2.95)  # of 2 and 3 s
    assert figures["delay of 95 %", "20 dB, hard backgrounds"].value == 3.0
    assert figures["delay of 95 %", "0 dB"].value is None


def _write(
    folder: Path, name: str, track: str | None, seconds: float = 20.0, tone_s: tuple[float, float] = (8.0, 13.0)
) -> None:
    rng = np.random.default_rng(len(name))
    samples = 1e-3 * rng.standard_normal(round(seconds * RATE_HZ))
    first, last = (round(one * RATE_HZ) for one in tone_s)
    samples[first:last] += 0.2 * np.sin(2 * np.pi * 1000 * np.arange(last - first) / RATE_HZ)
    folder.mkdir(exist_ok=True)
    soundfile.write(folder / f"{name}.wav", samples, RATE_HZ, subtype="PCM_16")
    if track is not None:
        (folder / f"{name}.txt").write_text(track)


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """Three nights: a tone that is annotated, one that is not, and an annotation where nothing is heard."""
    folder = tmp_path / "nights"
    _write(folder, "heard", "8.0\t13.0\ttone\n")
    _write(folder, "unmarked", "1.0\t2.0\tdog\n")
    _write(folder, "quiet", "8.0\t13.0\tTone\n", tone_s=(0.0, 0.0))
    return folder


def test_recordings_of_ones_own_are_measured_by_their_label_tracks(
    own: Path, tmp_path: Path, tiny_bundle_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [
        "--model",
        tiny_bundle_path,
        "--data",
        own,
        "--task",
        "own",
        "--workers",
        "1",
        "--json",
        tmp_path / "r.json",
    ]
    assert main(["evaluate", *map(str, words)]) == 0
    measured = read_measured(tmp_path / "r.json")
    recall, rate = (
        measured.find(*names) for names in (("event recall", "all events"), ("false alarms an hour", "all recordings"))
    )
    assert recall is not None
    assert rate is not None
    assert (recall.value, recall.items) == (0.5, 2)
    assert rate.value == pytest.approx(1 / (60 / 3600), abs=1e-3)
    assert measured.notes[0] == "3 recordings, 2 events labelled tone; what carries no such label is background."
    assert "2 events, found 50.0 %" in capsys.readouterr().out


def test_only_the_part_of_the_split_is_measured(own: Path, tmp_path: Path) -> None:
    split = tmp_path / "split.csv"
    split.write_text("file,subject,part\nheard.wav,a,test\nquiet.wav,b,val\n")
    assert [one.name for one in read_own(own, label="tone", part="test", split=split)] == ["heard.wav"]
    with pytest.raises(ConfigError, match="no recordings of the part train"):
        read_own(own, label="tone", part="train", split=split)
    split.write_text("file,subject,part\nheard.wav,a,test\nquiet.wav,a,val\n")
    with pytest.raises(RecordingError, match="in two parts"):
        read_own(own, label="tone", part="test", split=split)


def test_a_file_that_scenes_did_not_write_is_refused(tmp_path: Path) -> None:
    (tmp_path / "scenes.json").write_text(json.dumps({"scenes": [{"file": "a.flac"}]}))
    with pytest.raises(ConfigError, match="write the scenes again"):
        read_scenes(tmp_path)


def test_yamnets_classes_must_be_named_for_a_label_of_ones_own(
    own: Path, tmp_path: Path, tiny_bundle_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [
        "--model",
        tiny_bundle_path,
        "--data",
        own,
        "--task",
        "own",
        "--peer",
        "y.tflite",
        "--json",
        tmp_path / "r.json",
    ]
    assert main(["evaluate", *map(str, words)]) == 2
    assert "--peer needs --peer-class here" in capsys.readouterr().err
