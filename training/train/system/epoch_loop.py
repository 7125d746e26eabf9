"""The training loop of every system: epochs of batches, a check on validation after each, the state saved.

It knows a network, arrays and a recipe; no file format of a collection, and no backend: Keras's own step on
whichever one runs. A run that was killed goes on after its last whole epoch and ends with the same bits.
"""

from __future__ import annotations

import logging
import time
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from training.train.judging.task_measures import mean_loss, measure_name, probabilities, task_measure
from training.train.system.durable_files import replacing, write_table
from training.train.system.epoch_batches import batch_count, epoch_batches
from training.train.system.stop_request import TrainingStopped
from training.train.system.system_recipes import rate_at
from training.train.system.training_state import COLUMNS, EpochLine, Progress, load_state, save_state
from training.train.system.weighted_losses import label_weights, loss_function

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    import numpy.typing as npt

    from training.networks.network_form import NetworkForm
    from training.train.system.prepared_parts import PreparedPart
    from training.train.system.stop_request import StopRequest
    from training.train.system.system_recipes import SystemRecipe

    Float32 = npt.NDArray[np.float32]

_LOG = logging.getLogger(__name__)

AT_ONCE = 64
"""Windows of a batch that is only predicted."""


@dataclass(frozen=True, slots=True, eq=False)
class LoopSettings:
    """What the command line says about one run.

    Attributes:
        seed: of weights and of every epoch's batches.
        epochs: at most so many.
        folder: of the run.
        budget_s: after this much processor time the epoch under way is the last; None for no limit. A busy machine
            gives a run no fewer steps.
        eager: steps are not compiled: for a smoke test, whose two steps take less time than compiling them.
        identity: what must agree for a run to go on, by name.
    """

    seed: int
    epochs: int
    folder: Path
    budget_s: float | None
    eager: bool
    identity: Mapping[str, Any]


def train_epochs(
    network: Any,
    form: NetworkForm,
    recipe: SystemRecipe,
    parts: tuple[PreparedPart, PreparedPart],
    settings: LoopSettings,
    stop: StopRequest,
) -> Progress:
    """Train, and leave the best weights in `best.keras` and all of the run in `history.csv`.

    Args:
        network: as the form built it; its weights are changed.
        form: labels and activation.
        recipe: how it is trained.
        parts: training and validation.
        settings: of this run.
        stop: ends the loop between two batches.

    Raises:
        TrainingStopped: a signal came; the state of the last whole epoch is saved.
    """
    trained = compiled(network, form, recipe, parts[0], eager=settings.eager)
    variables = [*trained.variables, *trained.optimizer.variables]
    state = settings.folder / "resume" / "state.npz"
    state.parent.mkdir(parents=True, exist_ok=True)
    progress = load_state(state, variables, settings.identity)
    if progress.lines:
        _LOG.info("goes on after epoch %d", len(progress.lines))
    while not progress.ended:
        line, core_seconds, spent = _epoch(trained, form, recipe, parts, progress, settings, stop)
        before = progress.best
        progress = _with(progress, line, core_seconds)
        progress = replace(progress, ended=_end(progress, recipe, settings, spent=spent))
        if before is None or line.val_measure > before.val_measure:
            with averaged(trained):
                save_network(network, settings.folder / "best.keras")
        save_state(state, variables, progress, settings.identity)
        _tell(line, progress, form)
    write_history(settings.folder, progress)
    return progress


def compiled(network: Any, form: NetworkForm, recipe: SystemRecipe, train: PreparedPart, *, eager: bool) -> Any:
    """The network's logits with loss and optimizer; it shares the network's weights."""
    import keras

    trained = logits_alone(network)
    weights = label_weights(train.targets, form.activation)
    weights = weights if recipe.weighted else np.ones_like(weights)
    averaging: dict[str, Any] = {"use_ema": True, "ema_momentum": recipe.average} if recipe.average else {}
    optimizers = {
        "adam": lambda: keras.optimizers.Adam(recipe.learning_rate, **averaging),
        "adamw": lambda: keras.optimizers.AdamW(recipe.learning_rate, weight_decay=recipe.weight_decay, **averaging),
        "sgd": lambda: keras.optimizers.SGD(recipe.learning_rate, momentum=0.9, **averaging),
    }
    trained.compile(
        optimizers[recipe.optimizer](),
        loss=loss_function(form.activation, weights),
        run_eagerly=eager,
        jit_compile=False,  # another order of sums for each shape, and a long compilation for two steps
    )
    trained.optimizer.build(trained.trainable_variables)
    return trained


@contextmanager
def averaged(trained: Any) -> Iterator[None]:
    """Lend a compiled network the running average of its weights, where its recipe keeps one."""
    from keras import ops

    if not trained.optimizer.use_ema:
        yield
        return
    kept = [np.array(ops.convert_to_numpy(one)) for one in trained.trainable_variables]
    trained.optimizer.finalize_variable_values(trained.trainable_variables)
    try:
        yield
    finally:
        for variable, value in zip(trained.trainable_variables, kept, strict=True):
            variable.assign(value)


def logits_of(trained: Any, inputs: Sequence[Float32]) -> Float32:
    """The logits of many windows, in batches: (n, frames, bins, 1) for each input -> (n, labels).

    Args:
        trained: as `compiled` makes it, or `logits_alone`.
        inputs: one array for each.
    """
    from keras import ops

    parts = [
        np.asarray(ops.convert_to_numpy(trained.predict_on_batch([one[first : first + AT_ONCE] for one in inputs])))
        for first in range(0, len(inputs[0]), AT_ONCE)
    ]
    return np.concatenate(parts).astype(np.float32)


def logits_alone(network: Any) -> Any:
    """The network without its further outputs; it shares the weights and takes a list of inputs."""
    import keras

    return keras.Model(list(network.inputs), network.outputs[0])


def save_network(network: Any, path: Path) -> None:
    """Save a network that is not compiled, so that nothing of its training is in the file."""
    with replacing(path) as partial:
        network.save(partial)


def write_history(folder: Path, progress: Progress) -> None:
    """Write `history.csv`, a line for each epoch."""
    rows = [[getattr(line, name) for name in COLUMNS] for line in progress.lines]
    write_table(folder / "history.csv", COLUMNS, rows)


def _epoch(
    trained: Any,
    form: NetworkForm,
    recipe: SystemRecipe,
    parts: tuple[PreparedPart, PreparedPart],
    progress: Progress,
    settings: LoopSettings,
    stop: StopRequest,
) -> tuple[EpochLine, float, bool]:
    """One epoch and its check: its line, its processor time, and whether the budget is spent."""
    began, core_began, epoch = time.monotonic(), time.process_time(), len(progress.lines) + 1
    left_s = None if settings.budget_s is None else settings.budget_s - progress.core_seconds
    rate = rate_at(recipe, epoch, settings.epochs)
    trained.optimizer.learning_rate.assign(rate)
    batches, loss = _steps(
        trained, recipe, parts[0], settings.seed, epoch, stop, core_began + (np.inf if left_s is None else left_s)
    )
    with averaged(trained):
        logits = logits_of(trained, parts[1].inputs)
    scores = probabilities(logits, form.activation)
    line = EpochLine(
        epoch=epoch,
        learning_rate=rate,
        loss=loss,
        val_loss=mean_loss(parts[1].targets, logits, form.activation),
        val_measure=task_measure(parts[1].targets, scores, form.labels, form.activation),
        batches=batches,
        seconds=round(time.monotonic() - began, 3),
    )
    core_seconds = time.process_time() - core_began
    return line, core_seconds, left_s is not None and core_seconds >= left_s


def _steps(
    trained: Any,
    recipe: SystemRecipe,
    train: PreparedPart,
    seed: int,
    epoch: int,
    stop: StopRequest,
    until: float,
) -> tuple[int, float]:
    """The batches of an epoch, until it ends or the budget does: how many, and their mean loss."""
    from tqdm import tqdm

    trained.reset_metrics()
    done, loss = 0, float("nan")
    count = batch_count(train, recipe)
    with tqdm(total=count, desc=f"epoch {epoch}", unit="batch", leave=False, disable=None) as bar:
        for inputs, targets in epoch_batches(train, recipe, seed=seed, epoch=epoch):
            with stop.noted_only():
                found = trained.train_on_batch(inputs, targets, return_dict=True)
            done, loss = done + 1, float(found["loss"])
            bar.set_postfix(loss=f"{loss:.4f}")
            bar.update()
            if stop.wanted:
                raise TrainingStopped(_stopped_in(epoch), stop.signal_number)
            if time.process_time() >= until:
                break
    return done, loss


def _stopped_in(epoch: int) -> str:
    kept = f"what it had after epoch {epoch - 1} is saved" if epoch > 1 else "no epoch had ended"
    return f"stopped in epoch {epoch}: {kept}; the same command goes on from there"


def _with(progress: Progress, line: EpochLine, core_seconds: float) -> Progress:
    return replace(
        progress,
        lines=(*progress.lines, line),
        seconds=progress.seconds + line.seconds,
        core_seconds=progress.core_seconds + core_seconds,
    )


def _end(progress: Progress, recipe: SystemRecipe, settings: LoopSettings, *, spent: bool) -> str:
    """Why the epoch that has just ended is the last one; empty if it is not."""
    if spent:
        return "budget"
    if progress.since_best >= recipe.patience:
        return "early stopping"
    return "finished" if len(progress.lines) >= settings.epochs else ""


def _tell(line: EpochLine, progress: Progress, form: NetworkForm) -> None:
    best = "  best so far" if progress.best is line else ""
    name = measure_name(form.labels, form.activation)
    values = f"loss {line.loss:.4f}, on validation {line.val_loss:.4f}, {name} {line.val_measure:.3f}"
    _LOG.info("epoch %d: %s, %.1f s%s", line.epoch, values, line.seconds, best)
