"""Label tracks as Audacity writes them, and a sentence with file and line for all that is wrong in one."""

from __future__ import annotations

from pathlib import Path

import pytest

from device.errors import ConfigError
from device.tools.evaluate.night_labels import LabelledRecording, beyond, pair_recordings, read_track

KNOWN = {"cry", "scream"}


def track(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "a.txt"
    path.write_text(text)
    return path


def test_labels_are_read_in_time_order_with_their_lines(tmp_path: Path) -> None:
    text = "20.000000\t30.500000\tcry\n\\\t100.0\t2000.0\n\n1.5\t1.5\tscream\r\n"
    sounds, problems = read_track(track(tmp_path, text), KNOWN)
    assert problems == []
    assert [(sound.start_s, sound.end_s, sound.label, sound.place.rpartition(":")[2]) for sound in sounds] == [
        (1.5, 1.5, "scream", "4"),
        (20.0, 30.5, "cry", "1"),
    ]


@pytest.mark.parametrize(("line", "sentence"), [
    ("5\t3\tcry", "the label ends at 3 s, before it starts at 5 s: exchange them"),
    ("1\t2\tcyr", 'no model has a label "cyr"; it must be cry or scream'),
    ("1\t2\t", 'no model has a label ""; it must be cry or scream'),
    ("1,5\t2\tcry", '"1,5" is no time; it must be a number of seconds such as 12.5'),
    ("\u0661\t2\tcry", '"\u0661" is no time; it must be a number of seconds such as 12.5'),
    ("-1\t2\tcry", '"-1" is no time; it must be a number of seconds such as 12.5'),
    ("1\tinf\tcry", '"inf" is no time; it must be a number of seconds such as 12.5'),
    ("1 2 cry", "a label is a start, a tab, an end, a tab and a name, such as 12.5<TAB>20.25<TAB>cry"),
])  # fmt: skip
def test_a_bad_line_is_one_sentence_with_file_and_line(tmp_path: Path, line: str, sentence: str) -> None:
    path = track(tmp_path, f"1\t2\tcry\n{line}\n")
    sounds, problems = read_track(path, KNOWN)
    assert len(sounds) == 1
    assert problems == [f"{path}:2: {sentence}"]


def test_a_track_that_is_no_text_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"\xff\xfe\x00")
    assert read_track(path, KNOWN)[1][0].startswith(f"{path} cannot be read (it is no UTF-8): export it again")


def test_each_recording_has_its_track_and_each_track_its_recording(tmp_path: Path) -> None:
    for stem in ("a", "other"):
        (tmp_path / f"{stem}.txt").write_text("1\t2\tcry\n")
    recordings, problems = pair_recordings(tmp_path, ["x/a.wav", "b.flac"], KNOWN, unlabelled_is_quiet=False)
    assert [len(each.sounds) for each in recordings] == [1, 0]
    assert len(problems) == 2
    assert problems[0].startswith(f"b.flac has no label track {tmp_path}/b.txt: label it, write an empty file if ")
    assert problems[1].startswith(f"{tmp_path}/other.txt has no recording other among those given")
    (tmp_path / "other.txt").unlink()
    assert pair_recordings(tmp_path, ["x/a.wav", "b.flac"], KNOWN, unlabelled_is_quiet=True)[1] == []


def test_two_recordings_of_one_stem_are_refused(tmp_path: Path) -> None:
    track(tmp_path, "")
    problems = pair_recordings(tmp_path, ["x/a.wav", "y/a.flac"], KNOWN, unlabelled_is_quiet=True)[1]
    assert problems == ["y/a.flac and x/a.wav would have one label track, a.txt: rename one of them"]


def test_a_label_beyond_its_recording_is_named(tmp_path: Path) -> None:
    path = track(tmp_path, "1\t10.04\tcry\n9\t11\tcry\n")
    recording = LabelledRecording("a.wav", tuple(read_track(path, KNOWN)[0]))
    (sentence,) = beyond(recording, 10.0)
    assert sentence.startswith(f"{path}:2: the label ends at 11 s, a.wav at 10.000 s: correct it")


def test_a_folder_without_tracks_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="holds no label track"):
        pair_recordings(tmp_path, ["a.wav"], KNOWN, unlabelled_is_quiet=True)
    with pytest.raises(ConfigError, match="cannot be listed"):
        pair_recordings(Path("/no/such"), ["a.wav"], KNOWN, unlabelled_is_quiet=True)
