"""Recordings of one's own: label tracks, a folder for each class, a CSV of file and label."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from device.errors import RecordingError
from tests.training.data.datasets.written_audio import write_audio, write_text
from training.data.datasets.annotated_recording import AnnotatedSpan
from training.data.datasets.annotation_checks import UNUSABLE
from training.data.datasets.layouts import read_dataset

if TYPE_CHECKING:
    from pathlib import Path

    from training.data.datasets.dataset import Dataset


def told(dataset: Dataset) -> list[tuple[str, int | None, str]]:
    return [(one.file.relative_to(dataset.folder).as_posix(), one.line, one.sentence) for one in dataset.problems]


def test_a_label_track_beside_a_recording_is_read_with_points_and_without_frequencies(tmp_path: Path) -> None:
    write_audio(tmp_path / "ada" / "night.wav")
    write_text(
        tmp_path / "ada" / "night.txt",
        "\ufeff0.500000\t1.250000\tcry\n\\\t1484.669312\t2969.338523\n\n1.500000\t1.500000\tdoor, slammed\n",
    )
    write_audio(tmp_path / "quiet" / "night.wav")
    write_text(tmp_path / "quiet" / "night.txt", "")
    dataset = read_dataset(tmp_path)
    ada, quiet = dataset.recordings
    assert ada.events == (AnnotatedSpan(0.5, 1.25, "cry"), AnnotatedSpan(1.5, 1.5, "door, slammed"))
    assert (ada.labels, ada.subject, ada.set) == (("cry", "door, slammed"), "ada", tmp_path.name)
    assert (quiet.events, quiet.labels, quiet.subject) == ((), (), "quiet")
    assert dataset.problems == ()


def test_what_is_wrong_with_a_track_is_told_by_its_line(tmp_path: Path) -> None:
    write_audio(tmp_path / "ada__1.wav")
    write_text(tmp_path / "ada__1.txt", "0.0\t0.5\tcry\n0,5\t1.0\tcry\nhello\n1.0\t1.5\n0.0\t0.5\tcry\n")
    write_audio(tmp_path / "bo__2.wav")
    write_text(tmp_path / "gone.txt", "0.0\t0.5\tcry\n")
    write_text(tmp_path / "notes.txt", "recorded in May\n")
    dataset = read_dataset(tmp_path)
    assert told(dataset) == [
        ("ada__1.txt", 2, '"0,5" to "1.0" are no times in seconds'),
        ("ada__1.txt", 3, '"hello" is no annotation'),
        ("ada__1.txt", 4, "has no label"),
        ("ada__1.txt", 5, 'repeats "cry" from 0 s to 0.5 s'),
        ("bo__2.wav", None, "no label track bo__2.txt lies beside it: an empty one says that it holds none"),
        ("gone.txt", None, "a label track beside no recording of its name: its audio is missing"),
    ]
    (ada,) = dataset.recordings
    assert ada.subject == "ada"
    assert ada.events == (
        AnnotatedSpan(0.0, 0.5, "cry"),
        AnnotatedSpan(0.0, 2.0, UNUSABLE),
        AnnotatedSpan(1.0, 1.5, UNUSABLE),
    )


def test_labels_txt_says_which_labels_there_are(tmp_path: Path) -> None:
    write_audio(tmp_path / "a.wav")
    write_text(tmp_path / "a.txt", "0\t1\tcry\n1\t2\tcyr\n")
    write_text(tmp_path / "labels.txt", "cry\nscream\n")
    assert told(read_dataset(tmp_path)) == [("a.txt", 2, 'the label "cyr" is unknown: there are cry, scream')]


def test_a_folder_for_each_class_takes_subjects_from_folders_or_names(tmp_path: Path) -> None:
    for name in ("cry/ada/1.wav", "cry/bo__2.wav", "other/3.flac"):
        write_audio(tmp_path / name)
    write_text(tmp_path / "cry" / "broken.wav", "no audio")
    dataset = read_dataset(tmp_path)
    assert [(one.labels, one.subject) for one in dataset.recordings] == [
        (("cry",), "ada"),
        (("cry",), "bo"),
        (("other",), ""),
    ]
    assert told(dataset) == [("cry/broken.wav", None, "its audio broken.wav cannot be read")]


def test_a_folder_that_is_no_label_of_labels_txt_and_a_file_in_no_folder_are_told(tmp_path: Path) -> None:
    for name in ("cry/1.wav", "cyr/2.wav", "loose.wav"):
        write_audio(tmp_path / name)
    write_text(tmp_path / "labels.txt", "cry\nother\n")
    assert told(read_dataset(tmp_path, "classes")) == [
        ("cyr/2.wav", None, 'its folder "cyr" is no known label: there are cry, other'),
        ("loose.wav", None, "lies in no class folder"),
    ]


def test_a_csv_of_cries_and_labels_finds_its_audio_by_bare_name(tmp_path: Path) -> None:
    write_audio(tmp_path / "audio" / "1.wav")
    write_audio(tmp_path / "audio" / "ada__2.wav")
    for folder in ("a", "b"):
        write_audio(tmp_path / folder / "twice.wav")
    write_text(
        tmp_path / "cries.csv",
        "Cry_Audio_File,Label\n/content/drive/1.wav,hungry\naudio/ada__2.wav,tired|cry\ngone.wav,hungry\n"
        "twice.wav,hungry\n/content/drive/1.wav,tired\nb/twice.wav,\n,hungry\n",
    )
    dataset = read_dataset(tmp_path)
    assert [(dataset.file_name(one), one.labels, one.subject) for one in dataset.recordings] == [
        ("audio/1.wav", ("hungry",), ""),
        ("audio/ada__2.wav", ("tired", "cry"), "ada"),
    ]
    assert told(dataset) == [
        ("cries.csv", 6, "/content/drive/1.wav is listed already in line 2"),
        ("cries.csv", 4, "its audio gone.wav is missing"),
        ("cries.csv", 5, "twice.wav may be any of 2 files of that name: name its folder too"),
        ("cries.csv", 7, "b/twice.wav has no label"),
        ("cries.csv", 8, "names no file"),
    ]


def test_a_csv_with_times_holds_an_event_a_line(tmp_path: Path) -> None:
    write_audio(tmp_path / "1.wav")
    write_text(
        tmp_path / "events.csv",
        "file,start_s,end_s,label,subject,split\n1.wav,0,0.5,cry,ada,test\n1.wav,1,2.5,cry,ada,test\n",
    )
    dataset = read_dataset(tmp_path)
    (one,) = dataset.recordings
    assert (one.subject, one.official_split) == ("ada", "test")
    assert one.events == (AnnotatedSpan(0.0, 0.5, "cry"), AnnotatedSpan(1.0, 2.0, UNUSABLE))
    assert told(dataset) == [("events.csv", 3, "ends at 2.5 s, beyond the end of its recording at 2.000 s")]


def test_a_folder_without_such_a_csv_says_so(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="no CSV with a column for the file and one for its label"):
        read_dataset(tmp_path, "table")


def test_collections_side_by_side_are_read_as_one_and_keep_their_subjects_apart(tmp_path: Path) -> None:
    head = "file,set,labels,subject,session,split,sr,duration,source_file,events,note\n"
    for name in ("first", "second"):
        write_audio(tmp_path / name / "a.wav")
        lines = f"a.wav,{name},cry,1,,,8000,2,,,\n" + (f"b.wav,{name},cry,1,,,8000,2,,,\n" if name == "first" else "")
        write_text(tmp_path / name / "manifest.csv", head + lines)
    (tmp_path / "empty").mkdir()
    dataset = read_dataset(tmp_path)
    assert [(dataset.file_name(one), one.subject) for one in dataset.recordings] == [
        ("first/a.wav", "first/1"),
        ("second/a.wav", "second/1"),
    ]
    assert told(dataset) == [("first/manifest.csv", 3, "its audio b.wav is missing")]
