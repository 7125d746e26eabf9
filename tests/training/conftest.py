"""A made-up collection for the evaluation: its "cries" are tones that the tiny bundle hears."""

from __future__ import annotations

import csv
import dataclasses
import functools
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import soundfile

from training.data.split_list import ListedClip, write_list
from training.evaluation.alarm_counting import WindowScores
from training.evaluation.runner import ScoredScene
from training.mixing.scenes import SceneAnnotation

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import numpy.typing as npt

    Float32 = npt.NDArray[np.float32]

RATE_HZ = 16_000
_COLUMNS = ("file", "set", "labels", "subject", "session", "split", "sr", "duration", "source_file", "events", "note")


@dataclass(frozen=True, slots=True)
class Collection:
    """A folder of collections, and the list that says who is in which part."""

    data: Path
    split: Path


@pytest.fixture(scope="session")
def collection(tmp_path_factory: pytest.TempPathFactory) -> Collection:
    """Tones of 1 kHz as cries of two infants, noise and low tones as others, two loops, one speaker."""
    folder = tmp_path_factory.mktemp("collection")
    rng = np.random.default_rng(5)
    sounds: dict[str, dict[str, tuple[str, str, Float32]]] = {
        "donateacry": {
            "cry/a0.wav": ("cry|hungry", "infant-a", _tone(4, 0.3)),
            "cry/a1.wav": ("cry|tired", "infant-a", _tone(3, 0.1)),
            "cry/b0.wav": ("cry|hungry", "infant-b", _noise(rng, 3, 0.1)),  # no tone: it will be missed
        },
        "esc50": {
            "dog/1.wav": ("dog", "dog-1", _noise(rng, 3, 0.2)),
            "cat/2.wav": ("cat", "cat-2", _tone(3, 0.2)),  # sounds like a cry: it will raise an alert
            "rain/3.wav": ("rain", "rain-3", _noise(rng, 5, 0.05)),
        },
        "ambient": {
            "loops/fan.wav": ("ambient|fan", "fan", _noise(rng, 20, 0.05)),
            "music/flute.wav": ("music|flute", "flute", _tone(6, 0.1)),
        },
        "speech": {
            "adult/x0.wav": ("speech|adult", "x", _tone(2, 0.2, hz=200)),
            "adult/x1.wav": ("speech|adult", "x", _tone(1, 0.2, hz=300)),
        },
    }
    listed = []
    for name, held in sounds.items():
        _write_set(folder / name, held)
        listed += [_line(name, file, labels, subject) for file, (labels, subject, _) in held.items()]
    write_list(folder / "list.csv", listed)
    return Collection(folder, folder / "list.csv")


@pytest.fixture
def with_siren(collection: Collection, tmp_path: Path) -> Path:
    """The same collections, the rain of which is labelled as a siren and the fan as the loop of one."""
    data = tmp_path / "with siren"
    shutil.copytree(collection.data, data)
    for manifest in data.glob("*/manifest.csv"):
        text = manifest.read_text(encoding="utf-8").replace(",esc50,rain,", ",esc50,siren,")
        manifest.write_text(text.replace(",ambient|fan,", ",ambient|ambulance-siren,"), encoding="utf-8")
    return data


def score_windows(probabilities: Float32) -> WindowScores:
    """Windows of two seconds, half a second apart."""
    starts_s = np.arange(len(probabilities)) / 2
    return WindowScores(starts_s, starts_s + 2, probabilities)


_SCENE = SceneAnnotation(
    name="esc50/dog/1.wav",
    set="esc50",
    kind="dog",
    subject="esc50:1",
    is_event=False,
    doubtful=False,
    sample_rate_hz=16_000,
    snr_db=20.0,
    duration_s=14.0,
    start_s=4.25,
    end_s=9.25,
    onset_s=4.5,
)
_SCORED = ScoredScene(
    scene=_SCENE,
    alarms_s=(),
    background_alarms=0,
    system="int8",
    windows=score_windows(np.zeros(25, np.float32)),
    level=0.1,
    faults=(),
)


def change_scored(scored: ScoredScene, **changed: Any) -> ScoredScene:
    """A scored scene with other values of its own or of its scene."""
    of_scene = {name: changed.pop(name) for name in tuple(changed) if hasattr(scored.scene, name)}
    return dataclasses.replace(scored, scene=dataclasses.replace(scored.scene, **of_scene), **changed)


@pytest.fixture(scope="session")
def make_scored() -> Callable[..., ScoredScene]:
    """A scored clip of 5 s within 14 s of background; named values differ from that."""
    return functools.partial(change_scored, _SCORED)


def _tone(seconds: float, peak: float, hz: float = 1000.0) -> Float32:
    time_s = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    return (peak * np.sin(2 * np.pi * hz * time_s)).astype(np.float32)


def _noise(rng: np.random.Generator, seconds: float, level: float) -> Float32:
    return (level * rng.standard_normal(round(seconds * RATE_HZ))).clip(-1, 1).astype(np.float32)


def _write_set(folder: Path, held: dict[str, tuple[str, str, Float32]]) -> None:
    folder.mkdir()
    with (folder / "manifest.csv").open("w", newline="", encoding="utf-8") as lines:
        writer = csv.DictWriter(lines, _COLUMNS)
        writer.writeheader()
        for file, (labels, subject, samples) in held.items():
            (folder / file).parent.mkdir(exist_ok=True)
            soundfile.write(folder / file, samples, RATE_HZ, subtype="PCM_16")
            row = {"file": file, "set": folder.name, "labels": labels, "subject": subject, "sr": RATE_HZ}
            writer.writerow(row | {"duration": len(samples) / RATE_HZ, "events": ""})


def _line(name: str, file: str, labels: str, subject: str) -> ListedClip:
    return ListedClip(
        file=f"{name}/{file}",
        set=name,
        subject=f"{name}:{subject}",
        part="test",
        label="cry" if labels.startswith("cry") else "other",
        doubtful=file == "cry/b0.wav",
        reason="hiss" if file == "cry/b0.wav" else "",
    )
