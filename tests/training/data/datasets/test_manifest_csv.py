"""A folder with a manifest becomes recordings, and each fault of a manifest names its line."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest

from device.errors import RecordingError
from training.data.datasets.annotated_recording import AnnotatedSpan, audio_format
from training.data.datasets.manifest_csv import read_manifest

if TYPE_CHECKING:
    from pathlib import Path

HEAD = "file,set,labels,subject,session,split,sr,duration,source_file,events,note\n"


def write(folder: Path, text: str) -> Path:
    (folder / "manifest.csv").write_text(text, encoding="utf-8")
    return folder


def test_every_column_arrives_in_its_field(tmp_path: Path) -> None:
    line = 'a/b.ogg,mine,cry|hungry,s1,t1,train,8000,6.940,x.wav,"[[0.5,1.25,""Wheeze""]]","two, words"\n'
    (one,) = read_manifest(write(tmp_path, HEAD + line))
    assert one.file == tmp_path / "a" / "b.ogg"
    assert (one.set, one.labels, one.subject, one.session) == ("mine", ("cry", "hungry"), "s1", "t1")
    assert (one.official_split, one.sample_rate_hz, one.duration_s) == ("train", 8000, 6.94)
    assert one.events == (AnnotatedSpan(0.5, 1.25, "Wheeze"),)
    assert one.note == "two, words"


def test_an_empty_subject_stays_unknown(tmp_path: Path) -> None:
    (one,) = read_manifest(write(tmp_path, HEAD + "a.ogg,mine,snoring,,,,16000,1.0,,,\n"))
    assert (one.subject, one.events) == ("", ())


def test_a_missing_manifest_says_what_folder_is_wanted(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match=r"manifest\.csv is missing: give the folder"):
        read_manifest(tmp_path)


def test_missing_columns_are_named(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match=r"lacks the column\(s\) labels, sr"):
        read_manifest(write(tmp_path, HEAD.replace("labels,", "").replace(",sr", "")))


@pytest.mark.parametrize(
    "line",
    [
        "a.ogg,mine,cry,s,t,,sixteen,1.0,,,",
        "a.ogg,mine,cry,s,t,,16000,long,,,",
        'a.ogg,mine,cry,s,t,,16000,1.0,,"[[1]]",',
        "a.ogg,mine,cry,s,t,,16000,1.0,,{,",
        "a.ogg,mine",
    ],
)
def test_a_line_that_makes_no_sense_is_named_by_its_number(tmp_path: Path, line: str) -> None:
    good = "b.ogg,mine,cry,s,t,,16000,1.0,,,\n"
    with pytest.raises(RecordingError, match=r"manifest\.csv, line 3 cannot be understood"):
        read_manifest(write(tmp_path, HEAD + good + line + "\n"))


@pytest.mark.real_audio
def test_the_collections_read_as_their_readme_counts_them(data_dir: Path) -> None:
    files = {
        "donateacry": 368,
        "babycry": 113,
        "esc50": 1600,
        "scream": 104,
        "speech": 1543,
        "rir": 18,
        "sprsound": 2328,
    }
    subjects = {"donateacry": 173, "babycry": 4, "sprsound": 251}
    for name, count in files.items():
        recordings = read_manifest(data_dir / name)
        assert len(recordings) == count
        assert {recording.set for recording in recordings} == {name}
        if name in subjects:
            assert len({recording.subject for recording in recordings}) == subjects[name]
    assert Counter(recording.labels[0] for recording in read_manifest(data_dir / "esc50"))["crying_baby"] == 32


@pytest.mark.real_audio
def test_events_lie_inside_their_recordings(data_dir: Path) -> None:
    spans = [(one, span) for one in read_manifest(data_dir / "sprsound") for span in one.events]
    assert len(spans) > 1000
    assert all(0 <= span.start_s <= span.end_s <= one.duration_s + 0.1 for one, span in spans)


@pytest.mark.real_audio
def test_stated_lengths_are_those_of_the_files(data_dir: Path) -> None:
    for recording in read_manifest(data_dir / "babycry")[::10]:
        assert audio_format(recording.file)[1] == pytest.approx(recording.duration_s, abs=0.01)
