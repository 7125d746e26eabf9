"""The model that is evaluated: a bundle, or a network as Keras saved it with the description that training wrote."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any, get_args

from device.errors import BundleError, ConfigError, SpecError
from device.hearing.bundle.contents import Bundle, Output
from device.hearing.bundle.manifest import label_from_dict, label_to_dict
from device.hearing.bundle.reader import read_bundle
from device.hearing.classifier import Classifier
from device.hearing.spec import FeatureSpec
from training.evaluation.keras_network import KerasNetwork

if TYPE_CHECKING:
    from pathlib import Path

    from device.hearing.decision import OperatingPoint

DESCRIPTION = "description.json"


def read_model(path: Path) -> Bundle:
    """Labels, specs and operating points of a model.

    Args:
        path: a bundle (`.tflite`); a folder that holds `model.keras` and `description.json`; or a `.keras` file with
            a `description.json` beside it. A network that is not converted yet comes as a bundle without golden cases.

    Raises:
        BundleError: a file is missing or invalid.
    """
    if path.suffix == ".tflite":
        return read_bundle(path)
    network = keras_file(path)
    value = _description(network.parent / DESCRIPTION)
    data = network.read_bytes()
    return Bundle(
        name=value["name"],
        version=value["version"],
        labels=tuple(
            label_from_dict(one, f"{DESCRIPTION}: label {place}") for place, one in enumerate(value["labels"])
        ),
        specs=tuple(_spec(one, f"{DESCRIPTION}: spec {place}") for place, one in enumerate(value["specs"])),
        output=value["output"],
        network=data,
        golden=(),
        card=value["card"],
        sha256=hashlib.sha256(data).hexdigest(),
    )


def open_network(path: Path, model: Bundle) -> Any:
    """The network behind the listener's Protocol; a bundle has reproduced its golden cases.

    Raises:
        BundleError: the network does not fit its description, or does not reproduce its golden cases.
        MissingExtraError: a library is not installed.
    """
    return Classifier.open(model) if path.suffix == ".tflite" else KerasNetwork(keras_file(path), model)


def read_point(path: Path, model: Bundle) -> OperatingPoint:
    """The operating point that `evaluate --split val --operating-point` wrote.

    Raises:
        ConfigError: the file is no JSON, or holds no operating point.
        BundleError: the point is not valid.
    """
    try:
        chosen = json.loads(path.read_text(encoding="utf-8"))["operating_point"]
    except (ValueError, KeyError, TypeError) as error:
        raise ConfigError(
            f"{path} holds no operating point ({error!r}): give what evaluate --split val --operating-point wrote"
        ) from None
    described = label_to_dict(model.labels[0]) | {"operating_point": chosen}
    return label_from_dict(described, str(path)).operating_point


def runtime_of(path: Path, model: Bundle) -> str:
    """Name and version of what runs it."""
    if path.suffix == ".tflite":
        with Classifier(model) as classifier:
            return classifier.runtime
    from importlib.metadata import version

    return f"keras {version('keras')}"


def keras_file(path: Path) -> Path:
    """The `.keras` file of a run folder, or the file itself.

    Raises:
        BundleError: there is none.
    """
    found = path / "model.keras" if path.is_dir() else path
    if found.name == "best.keras":
        raise BundleError(f"{path} holds uncalibrated scores: give {path.with_name('model.keras')}, the same network")
    if not found.is_file() or found.suffix != ".keras":
        raise BundleError(
            f"{path} is no model: give a bundle (.tflite), a folder with model.keras and {DESCRIPTION}, or a .keras "
            f"file with a {DESCRIPTION} beside it"
        )
    return found


def _description(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise BundleError(f"{path} is missing: it says which labels and features the network has; train writes it")
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise BundleError(f"{path} is no JSON file: {error}") from None
    missing = {"name", "version", "labels", "specs", "output", "card"} - (
        value.keys() if isinstance(value, dict) else set()
    )
    if missing:
        raise BundleError(f"{path} lacks {', '.join(sorted(missing))}; train writes it")
    if value["output"] not in get_args(Output):
        raise BundleError(f"{path}: output is {value['output']!r}, must be one of {', '.join(get_args(Output))}")
    return dict(value)


def _spec(value: Any, where: str) -> FeatureSpec:
    if not isinstance(value, dict):
        raise BundleError(f"{where} must be an object")
    try:
        return FeatureSpec.from_dict(value)
    except SpecError as error:
        raise BundleError(f"{where}: {error}") from None
