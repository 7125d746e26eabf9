"""The command: every system takes two steps, and a run folder holds what it should."""

from __future__ import annotations

import json
import os
import signal
from dataclasses import replace
from typing import TYPE_CHECKING

import keras
import numpy as np
import pytest

from converter.training_output import read_training_output
from device.hearing.network.probabilities import sigmoid
from tests.training.train.system.small_collection import write_collection
from training.__main__ import main
from training.networks.catalog import all_forms
from training.train.judging.prediction_file import load_predictions
from training.train.system import train_command
from training.train.system.epoch_loop import compiled
from training.train.system.prepared_parts import PreparedPart
from training.train.system.system_recipes import RECIPES, rate_at, recipe_of

if TYPE_CHECKING:
    from pathlib import Path

# Keras's own, of numpy's interface.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

FORMS = all_forms()
THROUGH_THE_COMMAND = (
    "cnn_bilstm/streaming",
    "residual_dual/streaming",
    "han/single",
    "transfer/dual",
    "resnet34/streaming",
    "baseline/cry",
    "audioset/frozen-4k",
)
"""One form of each system; the others take their two steps without the files around them."""

ALIKE = (
    "resnet34/published-picture",
    "audioset/frozen",
    "audioset/fine-tuned",
    "baseline/scream",
    "baseline/cry-reason",
)
"""Forms that differ from another one in their features or labels alone."""

_WRITTEN_ANYWAY = ("best.keras", "history.csv", "predictions-test.npz", "predictions-val.npz", "run.json")


@pytest.fixture(scope="module")
def collection(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return write_collection(tmp_path_factory.mktemp("small"))


def train(collection: tuple[Path, Path], name: str, out: Path, *options: str) -> int:
    sounds, split = map(str, collection)
    words = [
        "--data",
        sounds,
        "--split",
        split,
        "--out",
        str(out),
        "--workers",
        "1",
        "--cache",
        str(out.parent / "cache"),
    ]
    return main(["train", "--system", name, *words, *options])


@pytest.mark.parametrize("name", THROUGH_THE_COMMAND)
def test_every_system_takes_two_steps(name: str, collection: tuple[Path, Path], tmp_path: Path) -> None:
    assert train(collection, name, tmp_path / "run", "--smoke") == 0
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    assert (record["system"], record["form"]) == tuple(name.split("/"))
    assert record["examples"] == {"train": 8, "val": 4, "test": 4}
    lines = (tmp_path / "run" / "history.csv").read_text().splitlines()
    assert lines[1].split(",")[5] == "2"
    files = {path.name for path in (tmp_path / "run").iterdir()}
    assert files.issuperset(_WRITTEN_ANYWAY)
    assert (tmp_path / "RUNS.csv").read_text().count("\n") == 2


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in FORMS if name not in (*THROUGH_THE_COMMAND, *ALIKE)])
def test_every_form_takes_two_steps(name: str) -> None:
    """With the plainest optimizer: for the deepest backbones Adam's updates take longer than the network."""
    form, rng = FORMS[name], np.random.default_rng(0)
    targets = np.zeros((2, len(form.labels)), np.float32)
    targets[[0, 1], [0, -1]] = 1
    part = PreparedPart(tuple(rng.random((2, *spec.shape, 1), np.float32) for spec in form.specs), targets, ())
    trained = compiled(form.build(1), form, replace(recipe_of(name), optimizer="sgd"), part, eager=True)
    before = [np.asarray(one) for one in trained.trainable_variables]
    losses = [trained.train_on_batch(list(part.inputs), targets, return_dict=True)["loss"] for _ in range(2)]
    assert np.isfinite(losses).all()
    assert any(not np.array_equal(one, two) for one, two in zip(before, trained.trainable_variables, strict=True))


@pytest.mark.slow
def test_a_run_folder_is_whole_and_what_the_converter_reads(collection: tuple[Path, Path], tmp_path: Path) -> None:
    assert train(collection, "cnn_bilstm/cnn", tmp_path / "run", "--epochs", "2") == 0
    run = tmp_path / "run"
    record = json.loads((run / "run.json").read_text())
    assert (record["ended"], record["epochs"], record["labels"]) == ("finished", 2, ["wheeze", "crackle"])
    assert record["parameters"] == FORMS["cnn_bilstm/cnn"].build(1).count_params()
    assert record["macs"] > 1e6
    assert sorted(path.name for path in (run / "plots").iterdir()) == [
        "calibration.png",
        "confusion.png",
        "learning.png",
        "roc_pr.png",
        "thresholds.png",
    ]
    predictions = load_predictions(run / "predictions-val.npz")
    assert len(predictions.file) == 8
    network = keras.saving.load_model(run / "model.keras")
    scores = sigmoid(np.asarray(network(_val_inputs(collection))))
    assert scores == pytest.approx(predictions.probability, abs=1e-5)


def _val_inputs(collection: tuple[Path, Path]) -> np.ndarray:
    from training.data.tasks import find_task
    from training.train.system.collection_source import read_source
    from training.train.system.prepared_data import prepare

    source = read_source([collection[0]], [collection[1]], "breath_sounds", official=False)
    data = prepare(source, find_task("breath_sounds"), FORMS["cnn_bilstm/cnn"].specs, recipe_of("cnn_bilstm"), seed=1)
    return data.val.inputs[0]


@pytest.mark.slow
def test_a_streaming_form_leaves_a_folder_that_the_converter_accepts(
    collection: tuple[Path, Path], tmp_path: Path
) -> None:
    assert train(collection, "baseline/cry-reason", tmp_path / "run", "--epochs", "1") == 0
    trained = read_training_output(tmp_path / "run")
    assert [label.name for label in trained.labels] == ["hungry", "other"]
    assert [label.role for label in trained.labels] == ["info", "reject"]
    assert trained.output == "probabilities"
    network = keras.saving.load_model(tmp_path / "run" / "model.keras")
    scores = np.asarray(network(trained.agreement[0]))
    assert scores.sum(axis=1) == pytest.approx(np.ones(512), abs=1e-5)  # 64 windows of each of 8 examples
    probability = load_predictions(tmp_path / "run" / "predictions-val.npz").probability
    nearest = np.abs(scores.reshape(8, 64, 2) - probability[:, None]).max(axis=2).min(axis=1)
    assert nearest.max() < 0.01  # the example's own window lies at most some milliseconds from one of them


def test_a_finished_run_is_not_trained_again(
    collection: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "run.json").write_text("{}")
    assert train(collection, "han", tmp_path / "run") == 2
    assert capsys.readouterr().err.endswith("holds a finished run; name another folder, or remove this one\n")


def test_a_signal_is_one_sentence_and_the_exit_code_of_its_number(
    collection: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(train_command, "read_source", lambda *_given, **_named: os.kill(os.getpid(), signal.SIGTERM))
    assert train(collection, "han", tmp_path / "run") == 128 + signal.SIGTERM
    printed = capsys.readouterr().err
    assert printed == "training train: stopped before an epoch was under way; the same command goes on\n"


def test_audioset_without_its_weights_is_one_sentence(
    collection: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train(collection, "audioset/frozen-4k", tmp_path / "run") == 2
    assert "name audioset_mn04.npz with --weights" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--task", "own"), "--task own needs --labels"),
        (("--task", "sneezes"), 'no task is called "sneezes"; there are breath_sounds'),
        (("--epochs", "0"), "--epochs is 0, must be at least 1"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(
    options: tuple[str, ...],
    sentence: str,
    collection: tuple[Path, Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert train(collection, "baseline/cry", tmp_path / "run", *options) == 2
    printed = capsys.readouterr().err
    assert sentence in printed
    assert printed.count("\n") == 1


def test_every_form_has_a_recipe_and_every_recipe_a_form() -> None:
    assert all(recipe_of(name) for name in FORMS)
    systems = {form.system for form in FORMS.values()}
    assert set(RECIPES) <= systems | set(FORMS)


def test_recipes_are_the_published_ones_where_the_designs_state_them() -> None:
    cnn_bilstm, han, mlp, raw = map(
        recipe_of, ("cnn_bilstm/published", "han/published", "cnn_bilstm/mlp", "cnn_bilstm/mlp-raw")
    )
    assert (cnn_bilstm.optimizer, cnn_bilstm.learning_rate, cnn_bilstm.batch) == ("adam", 1e-3, 32)
    assert (han.optimizer, han.learning_rate) == ("adamw", 1e-3)
    assert (mlp.learning_rate, raw.learning_rate) == (1e-4, 1e-3)


def test_a_cosine_falls_from_the_rate_to_almost_none() -> None:
    recipe = recipe_of("baseline/lung")
    rates = [rate_at(recipe, epoch, 10) for epoch in range(1, 12)]
    assert rates[0] == recipe.learning_rate
    assert rates[-1] == pytest.approx(recipe.learning_rate / 100)
    assert rates == sorted(rates, reverse=True)
