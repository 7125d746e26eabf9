"""The Donate-a-cry corpus reads as published."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile

from device.errors import RecordingError
from training.data.datasets.annotated_recording import AnnotatedSpan
from training.data.datasets.annotation_checks import UNUSABLE
from training.data.datasets.donateacry import read_donateacry
from training.data.datasets.layouts import read_dataset

if TYPE_CHECKING:
    from pathlib import Path

ANDROID = "02c3b725-26e4-4a2c-9336-04ddc58836d9-1430726196216-1.7-m-04-hu"
IPHONE = "643D64AD-B711-469A-AF69-55C0D5D3E30F-1430138545-1.0-f-72-bp"


def publish(root: Path, *files: str) -> Path:
    for file in files:
        (root / file).parent.mkdir(exist_ok=True)
        soundfile.write(root / file, np.zeros(4_000, np.float32), 8_000)
    return root


def test_names_tell_installation_time_age_and_reason(tmp_path: Path) -> None:
    pain, hungry = read_donateacry(publish(tmp_path, f"hungry/{ANDROID}.wav", f"belly_pain/{IPHONE}.wav"))
    assert hungry.subject == "02c3b725-26e4-4a2c-9336-04ddc58836d9"
    assert (hungry.session, hungry.labels) == ("1430726196216", ("cry", "hungry"))
    assert hungry.note == "gender=m age=0 to 4 weeks app=1.7"
    assert (hungry.sample_rate_hz, hungry.duration_s) == (8_000, 0.5)
    assert pain.subject == "643D64AD-B711-469A-AF69-55C0D5D3E30F"
    assert (pain.labels, pain.note) == (("cry", "belly_pain"), "gender=f age=7 months to 2 years app=1.0")


def test_two_uploads_of_one_installation_share_a_subject(tmp_path: Path) -> None:
    later = ANDROID.replace("1430726196216", "1430726200000").replace("-hu", "-ti")
    recordings = read_donateacry(publish(tmp_path, f"hungry/{ANDROID}.wav", f"tired/{later}.wav"))
    assert len({recording.subject for recording in recordings}) == 1
    assert len({recording.session for recording in recordings}) == 2


def test_a_folder_without_the_corpus_says_so(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="holds no reason folders with WAV files"):
        read_donateacry(tmp_path)


def test_a_foreign_file_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match=r"cry\.wav is not named like the corpus"):
        read_donateacry(publish(tmp_path, "hungry/cry.wav"))


def test_marked_cries_and_foreign_names_are_read_and_told(tmp_path: Path) -> None:
    publish(tmp_path, f"hungry/{ANDROID}.wav", f"belly_pain/{IPHONE.replace('-bp', '-zz')}.wav", "hungry/cry.wav")
    (tmp_path / "cry_intervals.csv").write_text(
        f"file,start_s,end_s\ncry/{ANDROID}.ogg,0.1,0.3\ncry/{ANDROID}.ogg,0.4,0.6\ncry/gone.ogg,0,1\n,0,1\n",
        encoding="utf-8",
    )
    dataset = read_dataset(tmp_path)
    assert [one.sentence.partition(":")[0] for one in dataset.problems] == [
        "names no file",
        'the reason "zz" is unknown',
        "ends at 0.6 s, beyond the end of its recording at 0.500 s",
        "is not named installation-time-version-gender-age-reason",
        "its audio gone is missing (1 intervals)",
    ]
    spans = dataset.recordings[1].events
    assert spans == (AnnotatedSpan(0.1, 0.3, "cry"), AnnotatedSpan(0.4, 0.5, UNUSABLE))


@pytest.mark.real_audio
def test_the_real_cries_are_read_with_all_their_intervals(data_dir: Path) -> None:
    by_names, by_manifest = (read_dataset(data_dir / "donateacry", layout) for layout in ("donateacry", "manifest"))
    assert by_names.problems == by_manifest.problems == ()
    for dataset in (by_names, by_manifest):
        assert len(dataset.recordings) == 368
        assert sum(len(one.events) for one in dataset.recordings) == 1552
    manifest = {one.file: one for one in by_manifest.recordings}
    for one in by_names.recordings:
        assert one.subject.lower() == manifest[one.file].subject
