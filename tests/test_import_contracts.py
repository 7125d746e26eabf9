"""The import contracts of pyproject.toml cover the whole tree: a new module is listed, or excepted here by name."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterable

ROOT = Path(__file__).parents[1]
CONTRACTS: list[dict[str, Any]] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"][
    "importlinter"
]["contracts"]

WITH_FILES_OR_LIBRARIES = {
    "device.hearing.bundle": "reads and writes files",
    "device.hearing.classifier": "opens the inference runtime",
    "device.hearing.inference": "is around the inference runtime",
    "device.alarms.journal": "is a database",
}
"""What hearing and alarms hold beside their pure modules, and why."""


def contract(name: str) -> dict[str, Any]:
    (found,) = (each for each in CONTRACTS if each["name"] == name)
    return found


def modules_below(folder: str) -> set[str]:
    """Dotted names of all modules below a folder; packages themselves hold a docstring only."""
    paths = (path.relative_to(ROOT) for path in (ROOT / folder).rglob("*.py") if path.name != "__init__.py")
    return {".".join(path.with_suffix("").parts) for path in paths}


def layers_of(name: str) -> list[str]:
    return [module.strip() for layer in contract(name)["layers"] for module in layer.split("|")]


def within(name: str, listed: Iterable[str]) -> bool:
    """Whether a module is listed, or lies in a package that is."""
    return any(f"{name}.".startswith(f"{each}.") for each in listed)


@pytest.mark.parametrize("room", ["device/hearing", "device/alarms"])
def test_every_module_of_a_pure_room_may_have_no_clock_or_is_excepted(room: str) -> None:
    pure = contract("The core has no clock, no thread, no log and no hardware")["source_modules"]
    excepted = {name for name in modules_below(room) if within(name, WITH_FILES_OR_LIBRARIES)}
    covered = {name for name in modules_below(room) if within(name, pure)}
    assert modules_below(room) - excepted - covered == set()
    assert excepted & covered == set()


def test_the_clock_contract_names_no_module_that_is_gone() -> None:
    pure = contract("The core has no clock, no thread, no log and no hardware")["source_modules"]
    assert [name for name in pure if not any(within(module, [name]) for module in modules_below("device"))] == []


@pytest.mark.parametrize(
    ("package", "name"),
    [
        ("device", "The sound walks one way through the device"),
        ("training", "Training depends one way: data, then sound, networks and splits, then figures, then the loop"),
    ],
)
def test_every_room_and_module_at_the_top_stands_in_one_layer(package: str, name: str) -> None:
    children = {
        f"{package}.{path.stem}"
        for path in (ROOT / package).iterdir()
        if (path.is_dir() and list(path.glob("*.py"))) or (path.suffix == ".py" and path.name != "__init__.py")
    }
    assert sorted(layers_of(name)) == sorted(children)


def test_daemon_push_replay_tools_and_web_are_siblings_and_of_them_web_alone_knows_the_ward() -> None:
    layers = contract("The sound walks one way through the device")["layers"]
    siblings = next(layer for layer in layers if "device.daemon" in layer)
    assert {part.strip() for part in siblings.split("|")} == {
        "device.daemon",
        "device.push",
        "device.replay",
        "device.tools",
        "device.web",
    }
    assert layers[layers.index(siblings) + 1] == "device.ward"
    strangers = contract("Of all that is served or run, the page alone knows the ward")
    assert set(strangers["source_modules"]) == {part.strip() for part in siblings.split("|")} - {"device.web"}
    assert strangers["forbidden_modules"] == ["device.ward"]


def test_every_library_of_the_extra_device_but_numpy_is_confined_by_a_contract() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    required = {re.split(r"[>=<;\s]", line)[0] for line in project["optional-dependencies"]["device"]}
    imported_as = {"paho-mqtt": "paho", "pillow": "PIL", "prometheus-client": "prometheus_client"}
    anywhere = {"numpy"}
    no_import = {"tzdata", "ai-edge-litert", "tflite-runtime"}  # data; runtimes that the classifier imports by name
    forbidden = {
        module for each in CONTRACTS for module in each.get("forbidden_modules", ()) if "ignore_imports" in each
    }
    assert {imported_as.get(name, name) for name in required - anywhere - no_import} - forbidden == set()
