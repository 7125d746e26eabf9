"""Trains the two networks of each seed: one judged by clips at random, one by patients whom it has not seen.

Both learn from the same clips of the pool, in the same order, from the same first weights. They differ in what chooses
their checkpoint and thresholds, and in what judges them.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from training.data.tasks import BREATH_SOUNDS
from training.networks.catalog import find_form
from training.results.leak.leak_clips import split_at_random
from training.results.leak.leak_figures import Judged
from training.train.judging.chosen_thresholds import choose
from training.train.system.durable_files import replacing, write_json
from training.train.system.epoch_loop import LoopSettings, logits_alone, logits_of, train_epochs
from training.train.system.system_recipes import recipe_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from training.networks.network_form import NetworkForm
    from training.results.leak.leak_clips import LeakClips
    from training.train.system.prepared_parts import PreparedPart
    from training.train.system.stop_request import StopRequest

SYSTEM = "cnn_bilstm/published"


@dataclass(frozen=True, slots=True)
class Budget:
    """What each network may take: `epochs` at most, fewer if its own validation no longer gains for `patience`."""

    epochs: int
    patience: int


@dataclass(frozen=True, slots=True, eq=False)
class TrainedArm:
    """What a network decided on each set of clips that judges it, and how long it was trained."""

    judged: Mapping[str, Judged]
    training: Mapping[str, Any]


def leak_form() -> NetworkForm:
    """The network of the experiment."""
    return find_form(SYSTEM).with_labels(BREATH_SOUNDS.labels, BREATH_SOUNDS.activation)


def train_seed(clips: LeakClips, seed: int, budget: Budget, folder: Path, stop: StopRequest) -> dict[str, TrainedArm]:
    """Both networks of a seed; what is in the folder already is not trained again.

    Raises:
        TrainingStopped: a signal came; the next call goes on.
    """
    train, val, test = (clips.pool.taken(indices) for indices in split_at_random(len(clips.pool), seed))
    leaking = {"random": test, "random_unseen": clips.unseen}
    honest = {"by_patient": clips.unseen, "by_patient_augmented": clips.unseen_augmented}
    return {
        "leaking": _arm((train, val), leaking, seed, budget, folder / f"leaking-{seed}", stop),
        "honest": _arm((train, clips.val), honest, seed, budget, folder / f"honest-{seed}", stop),
    }


def _arm(
    parts: tuple[PreparedPart, PreparedPart],
    judges: Mapping[str, PreparedPart],
    seed: int,
    budget: Budget,
    folder: Path,
    stop: StopRequest,
) -> TrainedArm:
    form = leak_form()
    recipe = replace(recipe_of(form.name), epochs=budget.epochs, patience=budget.patience)
    identity = {"recipe": asdict(recipe), "seed": seed, "specs": [spec.spec_hash for spec in form.specs]}
    identity["clips"] = [_fingerprint(part) for part in (*parts, *judges.values())]
    if (done := _read_arm(folder, identity, judges)) is not None:
        return done
    folder.mkdir(parents=True, exist_ok=True)
    network = form.build(seed)
    settings = LoopSettings(seed, budget.epochs, folder, budget_s=None, eager=False, identity=identity)
    progress = train_epochs(network, form, recipe, parts, settings, stop)
    trained = _best(network, folder)
    choice = choose(parts[1].targets, logits_of(trained, parts[1].inputs), form.activation)
    judged = {name: _judge(trained, choice, part, seed) for name, part in judges.items()}
    training = {
        "epochs": len(progress.lines),
        "ended": progress.ended,
        "core_seconds": round(progress.core_seconds, 1),
        **choice.to_dict(form.labels),
    }
    _write_arm(folder, TrainedArm(judged, training), identity)
    return TrainedArm(judged, training)


def _best(network: Any, folder: Path) -> Any:
    import keras

    network.set_weights(keras.saving.load_model(folder / "best.keras", compile=False).get_weights())
    return logits_alone(network)


def _judge(trained: Any, choice: Any, part: PreparedPart, seed: int) -> Judged:
    decided = choice.decided(choice.scores(logits_of(trained, part.inputs)))
    subjects = np.array([place.subject for place in part.places], np.str_)
    return Judged(seed, subjects, part.targets > 0.5, decided)


def _fingerprint(part: PreparedPart) -> list[float]:
    """Few numbers that differ where clips do."""
    return [len(part), float(part.targets.sum()), *(float(array.astype(np.float64).sum()) for array in part.inputs)]


def _write_arm(folder: Path, arm: TrainedArm, identity: Mapping[str, Any]) -> None:
    for name, judged in arm.judged.items():
        with replacing(folder / f"{name}.npz") as partial, partial.open("wb") as out:
            np.savez_compressed(out, subjects=judged.subjects, truth=judged.truth, found=judged.found)
    write_json(folder / "arm.json", {"identity": identity, "training": dict(arm.training)})


def _read_arm(folder: Path, identity: Mapping[str, Any], judges: Mapping[str, Any]) -> TrainedArm | None:
    """What an earlier call left; None if it was another experiment's, or is not finished."""
    try:
        kept = json.loads((folder / "arm.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    if kept["identity"] != json.loads(json.dumps(identity)):
        return None
    judged = {}
    for name in judges:
        with np.load(folder / f"{name}.npz", allow_pickle=False) as held:
            judged[name] = Judged(int(identity["seed"]), held["subjects"], held["truth"], held["found"])
    return TrainedArm(judged, kept["training"])
