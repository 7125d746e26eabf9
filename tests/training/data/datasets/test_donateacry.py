"""The Donate-a-cry corpus reads as published."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile

from device.errors import RecordingError
from training.data.datasets.donateacry import read_donateacry

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
