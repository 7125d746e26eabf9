"""The fit: its loss, its rate, and that one that was stopped ends where it would have ended."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from device.errors import RecordingError
from device.hearing.features import window_features
from device.hearing.spec import FeatureSpec
from training.breath import band_frames, breath_fit
from training.breath.band_frames import KEPT_BANDS, SPEC, BandFrames, frames_of, load_frames, normalize
from training.breath.breath_fit import BreathFitSettings, findings_loss, fit_breath, rate_at, record_scores
from training.breath.breath_folder import AGREEMENT_WINDOWS, balanced_choice
from training.breath.window_targets import LABELS
from training.data.datasets.annotated_recording import AnnotatedRecording, AnnotatedSpan, load_audio
from training.data.datasets.manifest_csv import read_manifest
from training.data.split_list import ListedClip
from training.networks.audioset import reference_forms
from training.networks.audioset.reference_forms import LUNG_LOG_MEL
from training.train.fit_progress import PROGRESS, FitProgress, read_progress

if TYPE_CHECKING:
    from training.data.split_list import Part

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

SETTINGS = BreathFitSettings(steps=6, batch=4, judge_every=3)
DATA = Path(__file__).resolve().parents[4] / "shared" / "data"


def held(part: str, number: int) -> BandFrames:
    """Four seconds: a crackle, then a normal breath; SPRSound's labels."""
    kind, label = (("Fine Crackle", "DAS"), ("Normal", "Normal"))[number % 2]
    frames = np.random.default_rng([number, len(part)]).normal(-30, 8, (400, KEPT_BANDS)).astype(np.float32)
    spans = (AnnotatedSpan(0.5, 2.5, kind), AnnotatedSpan(2.5, 3.5, "Normal"))
    one = AnnotatedRecording(Path(f"{number}.wav"), "sprsound", (label,), f"p{number}", "", "", 4000, 4.0, spans, "")
    return BandFrames(one, f"p{number}", frames)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """A small network and a few recordings; AudioSet's takes a minute to compile."""
    import keras

    def build(_spec: FeatureSpec, labels: tuple[str, ...], seed: int, _learning: str) -> Any:
        keras.utils.set_random_seed(seed)
        inputs = keras.Input((SPEC.frame_count, KEPT_BANDS, 1))
        pooled = keras.layers.Flatten()(keras.layers.AveragePooling2D((49, 8))(inputs))
        return keras.Model(inputs, keras.layers.Dense(len(labels), name="logits")(pooled))

    def load(_data: Path, part: Part, _sets: object) -> list[BandFrames]:
        return [held(part, number) for number in range(6)]

    monkeypatch.setattr(reference_forms, "build", build)
    monkeypatch.setattr(reference_forms, "start_from", lambda *_: None)
    monkeypatch.setattr(breath_fit, "load_frames", load)


@pytest.mark.usefixtures("small")
def test_a_stopped_fit_ends_where_it_would_have_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import keras

    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    for folder in (whole, stopped):
        folder.mkdir()
    fit_breath(DATA, Path("weights"), whole, SETTINGS)

    class PowerError(Exception):
        """Stands for the power cut."""

    save = FitProgress.save

    def save_and_stop(progress: FitProgress, run: Path) -> None:
        save(progress, run)
        raise PowerError

    with monkeypatch.context() as patched:
        patched.setattr(FitProgress, "save", save_and_stop)
        with pytest.raises(PowerError):
            fit_breath(DATA, Path("weights"), stopped, SETTINGS)
    assert (progress := read_progress(stopped)) is not None
    assert progress.step == 3
    fit_breath(DATA, Path("weights"), stopped, SETTINGS)
    ends = [keras.saving.load_model(folder / "model.keras", compile=False).get_weights() for folder in (whole, stopped)]
    assert all(np.array_equal(*pair) for pair in zip(*ends, strict=True))
    rows = [json.loads((folder / "fit.json").read_text())["validations"] for folder in (whole, stopped)]
    assert rows[0] == rows[1]
    assert [row["step"] for row in rows[0]] == [3, 6]
    assert not (stopped / PROGRESS).exists()


@pytest.mark.usefixtures("small")
def test_the_folder_holds_what_the_converter_reads(tmp_path: Path) -> None:
    fit_breath(DATA, Path("weights"), tmp_path, SETTINGS)
    told = json.loads((tmp_path / "description.json").read_text())
    assert [label["name"] for label in told["labels"] if label["role"] == "info"] == ["wheeze", "crackle"]
    assert {label["role"] for label in told["labels"]} == {"info", "reject"}
    assert FeatureSpec.from_dict(told["specs"][0]) == SPEC
    for name in ("calibration", "agreement"):
        with np.load(tmp_path / f"{name}.npz") as archive:
            assert archive["input_0"].shape[1:] == (*SPEC.shape, 1)
            assert len(archive["target"]) == len(archive["input_0"]) > 8
            assert np.isfinite(archive["target"]).all()


def test_windows_that_compare_networks_hold_the_rare_labels_and_no_window_twice() -> None:
    targets = np.zeros((5000, 3), np.float32)
    targets[:, 0] = 1
    targets[10:15, 1] = 1
    chosen = balanced_choice(targets, np.random.default_rng(1))
    assert len(chosen) == len(set(chosen.tolist())) == AGREEMENT_WINDOWS
    assert set(range(10, 15)) <= set(chosen.tolist())
    assert (np.diff(chosen) > 0).all()
    assert balanced_choice(targets[:40], np.random.default_rng(1)).tolist() == list(range(40))


def test_the_loss_reads_no_open_target() -> None:
    logits = np.linspace(-1, 1, 2 * len(LABELS), dtype=np.float32).reshape(2, -1)
    known = np.zeros_like(logits)
    loss = float(findings_loss(known, logits))
    is_open = known.copy()
    is_open[1] = np.nan
    first = float(findings_loss(known[:1], logits[:1]))
    assert float(findings_loss(is_open, logits)) == pytest.approx(first, rel=1e-6)
    assert loss != pytest.approx(first, rel=1e-3)
    assert float(findings_loss(np.full_like(known, np.nan), logits)) == 0.0


def test_the_rate_rises_then_falls_to_a_hundredth() -> None:
    settings = BreathFitSettings(steps=1000, rate=1e-3)
    rates = [rate_at(step, settings) for step in range(1000)]
    assert rates[0] < 2e-5
    assert max(rates) == pytest.approx(rates[99], rel=0.01)
    assert rates[-1] == pytest.approx(1e-5, rel=0.01)
    assert all(math.isfinite(rate) and rate > 0 for rate in rates)


def test_the_kept_bands_are_the_lowest_of_the_published_ones() -> None:
    samples = np.random.default_rng(1).normal(0, 0.1, SPEC.window_samples).astype(np.float32)
    samples *= np.sin(2 * np.pi * 400 * np.arange(len(samples)) / SPEC.sample_rate_hz).astype(np.float32)
    whole, kept = window_features(LUNG_LOG_MEL, samples), window_features(SPEC, samples)
    assert np.abs(whole[:, :KEPT_BANDS] - kept).max() < 1e-3
    assert (whole[:, KEPT_BANDS:] == whole.min()).all(), "nothing above half the rate is lost"


def test_frames_of_a_real_recording_give_the_windows_of_the_device() -> None:
    recording = read_manifest(DATA / "sprsound")[0]
    held = BandFrames(recording, recording.subject, frames_of(recording))
    samples = load_audio(recording, SPEC.sample_rate_hz)
    for frame in (0, 50, min(200, held.last_start)):
        window = samples[frame * SPEC.hop : frame * SPEC.hop + SPEC.window_samples]
        assert np.abs(normalize(held.window(frame)[None])[0] - window_features(SPEC, window)).max() < 1e-3


def test_a_recording_of_the_list_that_is_not_there_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clip = ListedClip("sprsound/gone.flac", "sprsound", "p", "val", "lung", doubtful=False, reason="")
    monkeypatch.setattr(band_frames, "read_list", lambda _path: (clip,))
    monkeypatch.setattr(band_frames, "read_manifest", lambda _folder: ())
    with pytest.raises(RecordingError, match=r"sprsound/gone.flac of lung.csv is not below"):
        load_frames(tmp_path, "val", {"sprsound"})


def test_scores_stand_where_the_device_has_its_windows() -> None:
    class Level:
        def predict_on_batch(self, windows: Any) -> Any:
            return np.repeat(windows.mean(axis=(1, 2)), len(LABELS), axis=1)

    (scores,) = record_scores(Level(), [held("val", 1)])
    assert scores.starts_s.tolist() == [0.0, 0.5, 1.0, 1.5, 2.0]
    assert scores.probabilities.shape == (5, len(LABELS))
