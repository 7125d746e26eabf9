"""What is left to do when the epochs have ended: choose on validation, read the test part once, write everything."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from training.networks.networks_command import multiplications
from training.train.judging.chosen_thresholds import Choice, choose
from training.train.judging.learning_pictures import draw_learning_curves
from training.train.judging.part_verdict import judge_part
from training.train.judging.prediction_file import predictions_of
from training.train.judging.score_pictures import Judged, draw_scores
from training.train.judging.task_measures import measure_name
from training.train.system.converter_folder import (
    AGREEMENT_WINDOWS,
    CALIBRATION_WINDOWS,
    write_converter_folder,
)
from training.train.system.epoch_loop import logits_alone, logits_of
from training.train.system.run_record import code_version, thread_count, write_record

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import numpy as np
    import numpy.typing as npt

    from training.networks.network_form import NetworkForm
    from training.train.judging.prediction_file import Predictions
    from training.train.system.prepared_parts import PreparedData, PreparedPart
    from training.train.system.training_state import Progress

    Float32 = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class FinishedRun:
    """What a run folder is written of.

    Attributes:
        folder: of the run.
        network: of any weights; the best ones are loaded.
        form: with the task's labels and the specs as learned.
        task: name of it.
        data: all parts.
        progress: the history, and why it ended.
        settings: further members of `run.json`: seed, recipe, command.
        smoke: neither pictures nor the converter's files are wanted.
    """

    folder: Path
    network: Any
    form: NetworkForm
    task: str
    data: PreparedData
    progress: Progress
    settings: Mapping[str, Any]
    smoke: bool


def finish(run: FinishedRun) -> dict[str, Any]:
    """Write predictions, tables, pictures, the converter's files and `run.json`, which is returned."""
    scored = _load_best(run)
    val_logits = logits_of(scored, run.data.val.inputs)
    choice = choose(run.data.val.targets, val_logits, run.form.activation)
    test = run.data.test()
    predictions = {
        "val": _predictions(run.data.val, choice, val_logits),
        "test": _predictions(test, choice, logits_of(scored, test.inputs)),
    }
    verdicts = {part: judge_part(run.folder, part, one, choice, run.form.labels) for part, one in predictions.items()}
    title = f"{run.form.name}, {run.task}, seed {run.settings['seed']}"
    if not run.smoke:
        _draw(run, Judged(title, run.form.labels, choice, predictions))
    record = _record(run, choice, verdicts)
    if not run.smoke:
        card = {name: record[name] for name in ("commit", "recipe", "data_hashes", "val", "official_split")}
        parts = (_enough(run, "train", CALIBRATION_WINDOWS), _enough(run, "val", AGREEMENT_WINDOWS))
        seed = int(run.settings["seed"])
        write_converter_folder(
            run.folder, run.network, run.form, choice, task=run.task, parts=parts, seed=seed, card=card
        )
    write_record(run.folder, record)
    return record


def _enough(run: FinishedRun, part: str, count: int) -> PreparedPart:
    """A part with as many windows as the converter wants, if the form is one that it converts."""
    held = run.data.train if part == "train" else run.data.val
    streamable = all(spec.streamable for spec in run.form.specs)
    return run.data.dense(part, count) if run.data.dense and streamable and len(held) < count else held


def _load_best(run: FinishedRun) -> Any:
    import keras

    best = keras.saving.load_model(run.folder / "best.keras", compile=False)
    run.network.set_weights(best.get_weights())
    return logits_alone(run.network)


def _predictions(part: PreparedPart, choice: Choice, logits: Float32) -> Predictions:
    return predictions_of(part.places, part.targets, choice.scores(logits))


def _draw(run: FinishedRun, judged: Judged) -> None:
    plots = run.folder / "plots"
    draw_scores(plots, judged)
    best = run.progress.best
    if best is not None:
        measure = measure_name(run.form.labels, run.form.activation)
        draw_learning_curves(plots / "learning.png", run.progress.lines, best.epoch, measure, judged.title)


def _record(run: FinishedRun, choice: Choice, parts: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    """`run.json`, as JSON types."""
    progress, form = run.progress, run.form
    best = progress.best
    return {
        "system": form.system,
        "form": form.form,
        "task": run.task,
        "labels": list(form.labels),
        "activation": form.activation,
        **run.settings,
        **code_version(),
        "data_hashes": run.data.hashes,
        "excluded": run.data.excluded,
        "official_split": run.data.official_split,
        "examples": {"train": len(run.data.train), **{name: found["windows"] for name, found in parts.items()}},
        "parameters": int(run.network.count_params()),
        "macs": None if run.smoke else multiplications(run.network),
        "epochs": len(progress.lines),
        "best_epoch": best.epoch if best else 0,
        "seconds": round(progress.seconds, 3),
        "core_seconds": round(progress.core_seconds, 3),
        "threads": thread_count(),
        "ended": progress.ended,
        "measure": measure_name(form.labels, form.activation),
        **choice.to_dict(form.labels),
        **parts,
    }
