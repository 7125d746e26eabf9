"""A folder is read by what lies in it, and nothing that is wrong in it disappears."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest

from device.errors import RecordingError
from tests.training.data.datasets.written_audio import write_audio
from training.data.datasets.annotated_recording import AnnotatedSpan
from training.data.datasets.annotation_checks import UNUSABLE
from training.data.datasets.layouts import LAYOUTS, read_dataset

if TYPE_CHECKING:
    from pathlib import Path

HEAD = "file,set,labels,subject,session,split,sr,duration,source_file,events,note\n"


def manifest_of(folder: Path, *lines: str) -> Path:
    (folder / "manifest.csv").write_text(HEAD + "".join(f"{line}\n" for line in lines), encoding="utf-8")
    return folder


def test_a_manifest_is_recognized_and_names_files_relative_to_the_folder(tmp_path: Path) -> None:
    write_audio(tmp_path / "a" / "b.wav")
    dataset = read_dataset(manifest_of(tmp_path, 'a/b.wav,mine,cry,s1,,,8000,2.0,,"[[0.5,1,""cry""]]",'))
    assert (dataset.name, dataset.problems) == (tmp_path.name, ())
    assert [dataset.file_name(one) for one in dataset.recordings] == ["a/b.wav"]
    assert dataset.recordings[0].events == (AnnotatedSpan(0.5, 1.0, "cry"),)
    assert read_dataset(tmp_path, "manifest") == dataset


@pytest.mark.parametrize(
    ("event", "sentence", "spoiled"),
    [
        ('[1.5,0.5,""cry""]', "ends at 0.5 s, before it begins at 1.5 s", (0.5, 1.5)),
        ('[0.5,2.5,""cry""]', "ends at 2.5 s, beyond the end of its recording at 2.000 s", (0.5, 2.0)),
        ('[-0.5,0.5,""cry""]', "begins at -0.5 s, before its recording", (0.0, 0.5)),
        ('[NaN,1,""cry""]', '"nan" to "1" are no times in seconds', (0.0, 2.0)),
        ('[""soon"",1,""cry""]', '"soon" to "1" are no times in seconds', (0.0, 2.0)),
        ("[1]", '"[1]" is no annotation', (0.0, 2.0)),
        ('[0.5,1,"" ""]', "has no label", (0.5, 1.0)),
    ],
)
def test_a_wrong_event_is_told_with_its_line_and_spoils_its_stretch(
    tmp_path: Path, event: str, sentence: str, spoiled: tuple[float, float]
) -> None:
    write_audio(tmp_path / "a.wav")
    lines = ("missing.wav,mine,cry,s1,,,8000,2,,,", f'a.wav,mine,cry,s1,,,8000,2,,"[{event},[1.25,1.75,""ok""]]",')
    dataset = read_dataset(manifest_of(tmp_path, *lines))
    missing, wrong = dataset.problems
    assert str(missing) == f"{tmp_path / 'manifest.csv'}, line 2: its audio missing.wav is missing"
    assert (wrong.line, wrong.sentence) == (3, sentence)
    (one,) = dataset.recordings
    assert one.events == (AnnotatedSpan(*spoiled, UNUSABLE), AnnotatedSpan(1.25, 1.75, "ok"))


def test_an_end_that_was_rounded_up_is_cut_off_without_a_word(tmp_path: Path) -> None:
    write_audio(tmp_path / "a.wav")
    dataset = read_dataset(manifest_of(tmp_path, 'a.wav,mine,cry,s1,,,8000,2,,"[[0.5,2.04,""cry""]]",'))
    assert (dataset.problems, dataset.recordings[0].events[0].end_s) == ((), 2.0)


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("a.wav,mine,cry,s1,,,8000,2,,,", "a.wav is listed already in line 2"),
        ("b.wav,mine,cry,s1,,,fast,2,,,", "it cannot be understood (invalid literal for int() with base 10: 'fast')"),
        ("b.wav,mine", "it cannot be understood"),
        ("text.wav,mine,cry,s1,,,8000,2,,,", "its audio text.wav cannot be read"),
        ("empty.wav,mine,cry,s1,,,8000,2,,,", "its audio empty.wav holds no samples"),
        ('b.wav,mine,cry,s1,,,8000,2,,"[[0,1,""x""],[0,1,""x""]]",', 'repeats "x" from 0 s to 1 s'),
    ],
)
def test_a_wrong_line_is_told_and_the_others_are_read(tmp_path: Path, line: str, sentence: str) -> None:
    for name, duration_s in (("a.wav", 2.0), ("b.wav", 2.0), ("empty.wav", 0.0)):
        write_audio(tmp_path / name, duration_s)
    (tmp_path / "text.wav").write_text("no audio", encoding="utf-8")
    dataset = read_dataset(manifest_of(tmp_path, "a.wav,mine,cry,s1,,,8000,2,,,", line))
    (problem,) = dataset.problems
    assert (problem.line, problem.sentence.startswith(sentence)) == (3, True), problem
    assert dataset.file_name(dataset.recordings[0]) == "a.wav"


def test_a_folder_of_no_layout_and_a_layout_of_no_name_list_what_there_is(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match=r"follows no known layout \(manifest: a manifest\.csv"):
        read_dataset(tmp_path)
    with pytest.raises(RecordingError, match=f'no layout is called "coco": there are {", ".join(LAYOUTS)}'):
        read_dataset(tmp_path, "coco")
    with pytest.raises(RecordingError, match="is no folder"):
        read_dataset(tmp_path / "gone")


@pytest.mark.real_audio
def test_sprsound_s_manifest_holds_no_problem(data_dir: Path) -> None:
    dataset = read_dataset(data_dir / "sprsound")
    assert (len(dataset.recordings), dataset.problems) == (2328, ())
    assert all(math.isfinite(span.end_s) for one in dataset.recordings for span in one.events)
