"""As a program, on whichever backend Keras takes: saves networks and what they give, and what saved ones give.

`backend_scores.py write FOLDER FORM ...` builds each form, trains one step, and saves the network with the scores of
fixed inputs. `backend_scores.py read FOLDER` loads each network in FOLDER and saves the scores beside it.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    Float32 = npt.NDArray[np.float32]


def windows(shapes: list[tuple[int, ...]]) -> list[Float32]:
    """Four windows for each input."""
    rng = np.random.default_rng(8)
    return [rng.random((4, *shape), np.float32) for shape in shapes]


def scores(network: Any) -> list[Float32]:
    """All outputs for the fixed windows."""
    import keras
    from keras import ops

    listed = keras.Model(list(network.inputs), list(network.outputs))
    found = listed.predict_on_batch(windows([tuple(tensor.shape[1:]) for tensor in network.inputs]))
    outputs = found if isinstance(found, list | tuple) else [found]
    return [np.asarray(ops.convert_to_numpy(one)) for one in outputs]


def write(folder: Path, name: str) -> None:
    """A network of that form after one training step, and its scores."""
    from training.networks.catalog import find_form
    from training.train.system.epoch_loop import compiled, save_network
    from training.train.system.prepared_parts import PreparedPart
    from training.train.system.system_recipes import recipe_of

    form = find_form(name)
    targets = np.zeros((4, len(form.labels)), np.float32)
    targets[:, 0] = (1, 0, 1, 0)
    targets[:, -1] = 1 - targets[:, 0] if len(form.labels) > 1 else targets[:, 0]
    part = PreparedPart(tuple(windows([(*spec.shape, 1) for spec in form.specs])), targets, ())
    network = form.build(1)
    compiled(network, form, recipe_of(name), part, eager=True).train_on_batch(list(part.inputs), targets)
    file = folder / f"{name.replace('/', '_')}.keras"
    save_network(network, file)
    np.savez(file.with_suffix(".npz"), *scores(network))


def read(file: Path) -> None:
    """The scores of a saved network."""
    import keras

    np.savez(file.with_suffix(".read.npz"), *scores(keras.saving.load_model(file, compile=False)))


if __name__ == "__main__":
    if sys.argv[1] == "write":
        for form_name in sys.argv[3:]:
            write(Path(sys.argv[2]), form_name)
    else:
        for path in sorted(Path(sys.argv[2]).glob("*.keras")):
            read(path)
