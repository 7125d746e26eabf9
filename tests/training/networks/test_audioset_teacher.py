"""The teacher's rebuild against the numbers that its publishers' code gave."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import soxr

from training.networks import audioset_teacher
from training.networks.audioset import mn04

if TYPE_CHECKING:
    import numpy.typing as npt

PEERS = Path(__file__).resolve().parents[4] / "shared" / "peers"


@pytest.fixture(scope="module")
def check() -> dict[str, npt.NDArray[np.float32]]:
    with np.load(PEERS / "audioset_mn04_check.npz") as archive:
        return {name: archive[name] for name in archive.files}


@pytest.mark.real_audio
def test_the_rebuild_gives_the_published_embedding_and_logits(check: dict[str, npt.NDArray[np.float32]]) -> None:
    embedding, logits = audioset_teacher.build(PEERS / "audioset_mn04.npz")(check["mel"].T[None, :, :, None])
    assert np.abs(np.asarray(embedding)[0] - check["embedding"]).max() < 3e-5
    assert np.abs(np.asarray(logits)[0] - check["logits"]).max() < 3e-5


@pytest.mark.real_audio
def test_half_the_rate_gives_the_same_bands(check: dict[str, npt.NDArray[np.float32]]) -> None:
    heard = audioset_teacher.log_mel(soxr.resample(check["waveform"], 32_000, 16_000)[None].astype(np.float32))[0].T
    assert heard.shape == check["mel"].shape
    # Bands up to 7.2 kHz; above, the resampler's own slope begins. The mean differs by a tenth of a dB.
    assert np.abs(heard - check["mel"])[:100].mean() < 0.03


@pytest.mark.real_audio
@pytest.mark.slow
def test_the_converted_teacher_gives_the_same_description_at_any_level(
    tmp_path: Path, check: dict[str, npt.NDArray[np.float32]]
) -> None:
    path = tmp_path / "teacher.tflite"
    path.write_bytes(audioset_teacher.convert(PEERS / "audioset_mn04.npz", frames=200))
    samples = soxr.resample(check["waveform"], 32_000, 16_000)[None].astype(np.float32)
    teacher = audioset_teacher.LiteTeacher(path)
    loud, quiet = (teacher.infer(np.float32(gain) * samples) for gain in (1.0, 0.001))
    assert loud[0].shape == (1, mn04.EMBEDDING_SIZE)
    assert loud[1].shape == (1, mn04.CLASS_COUNT)
    assert np.abs(loud[0] - quiet[0]).max() < 1e-3


def test_silence_lies_at_the_floor() -> None:
    heard = audioset_teacher.log_mel(np.zeros((2, 16_000), np.float32))
    assert heard.shape == (2, 100, 128)
    assert np.allclose(heard, (np.log(1e-5) + 4.5) / 5)
