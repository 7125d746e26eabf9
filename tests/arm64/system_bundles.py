"""Bundles of the published systems for the comparison: made here, or those of finished runs that were converted.

    python -m tests.arm64.system_bundles SYSTEM/FORM FOLDER    writes FOLDER/made.tflite

A bundle that is made here has random weights, as a form of the bench has before its first step, and goes through the
whole converter. Only the bounds of its gate are wider: they judge how well a trained network is quantized.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from device.hearing.bundle.reader import read_bundle
from training.networks.catalog import PUBLISHED, all_forms, find_form
from training.networks.transfer import BACKBONES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

HEAVY = tuple(f"transfer/{name}" for name in BACKBONES if name != "mobilenetv3-large")
"""Backbones whose replay takes hours in an emulator."""

ABLATIONS = ("han/single", "resnet34/abnormal")
"""They stream, but are no published design."""

MADE = "made.tflite"

SPREAD = 0.5
"""Of logits. Features of two machines differ in their last digits, which moves an int8 input by a step now and then. A
network of random weights amplifies that more than a trained one, so its scores are spread less."""


@dataclass(frozen=True, slots=True)
class SystemBundle:
    """A bundle of a published system.

    Attributes:
        name: of the form, such as "transfer/dual".
        of: what it is made of, in words.
        file: the bundle.
    """

    name: str
    of: str
    file: Path


def default_forms() -> list[str]:
    """Of each published system the forms that can be streamed, but for ablations and heavy backbones."""
    published = (form for form in all_forms().values() if form.system in PUBLISHED)
    streaming = (form.name for form in published if all(spec.streamable for spec in form.specs))
    return [name for name in streaming if name not in {*ABLATIONS, *HEAVY}]


def made_bundles(forms: Iterable[str], folder: Path, *, keep: bool = False) -> Iterator[SystemBundle]:
    """Make a bundle of each form, in a process of its own: TensorFlow keeps the memory of each network.

    Ends this process with a sentence if one cannot be made.

    Args:
        forms: their names.
        folder: to write; each form has a folder in it.
        keep: take what an earlier call made.
    """
    for name in forms:
        out = folder / name.replace("/", "-")
        if not (keep and (out / MADE).is_file()):
            _make(name, out)
        yield SystemBundle(name, _made_of(out / MADE), out / MADE)


def _make(name: str, out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    words = [sys.executable, "-m", "tests.arm64.system_bundles", name, str(out)]
    ended = subprocess.run(words, check=False, capture_output=True, text=True)
    if ended.returncode:
        sys.exit(f"{name} does not become a bundle:\n{ended.stderr[-4000:]}")


def converted_bundles(folder: Path) -> list[SystemBundle]:
    """Of each form the bundle of its first run, by name, that holds one and can be streamed.

    Args:
        folder: what `python -m converter report --work` wrote: RUN/conversion.json and RUN/RUN.tflite.
    """
    found: dict[str, SystemBundle] = {}
    for run, told in _conversions(folder):
        bundle = run / f"{run.name}.tflite"
        name = f"{told['system']}/{told['form']}"
        if told["system"] in PUBLISHED and told.get("streamable") and bundle.is_file():
            found.setdefault(name, SystemBundle(name, f"{run.name}, {told['passes']['form']}", bundle))
    return list(found.values())


def without_bundle(folder: Path) -> Iterator[str]:
    """A line for each run of a published system in that folder that cannot be replayed: why not."""
    for run, told in _conversions(folder):
        if told["system"] not in PUBLISHED:
            continue
        if not (run / f"{run.name}.tflite").is_file():
            yield f"{run.name} has no bundle: {told['refused']}"
        elif not told.get("streamable"):
            yield f"{run.name} cannot be streamed: its frames are centred, and auricle replay refuses it"


def missing_systems(bundles: Sequence[SystemBundle]) -> Iterator[str]:
    """A complaint for each published system without a bundle."""
    held = {bundle.name.partition("/")[0] for bundle in bundles}
    for system in PUBLISHED:
        if system not in held:
            yield f"{system}: no bundle of it can be replayed"


def _conversions(folder: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    files = sorted(folder.glob("*/conversion.json"))
    if not files:
        sys.exit(f"{folder} holds no RUN/conversion.json: name the folder that make reports converted to")
    for file in files:
        yield file.parent, json.loads(file.read_text("utf-8"))


def make_bundle(name: str, folder: Path) -> None:
    """Hand a form over as training would, and convert it: the first try that the gate lets pass, INT8 before others."""
    from converter.selective.tries import convert_first_that_holds
    from converter.training_output import read_training_output
    from tests.converter.family_output import FEW, hand_over

    hand_over(find_form(name), folder, windows=24, spread=SPREAD)
    trained = read_training_output(folder)
    convert_first_that_holds(trained, folder / MADE, bounds=FEW, sounds=("silence", "sine"))


def _made_of(file: Path) -> str:
    return f"random weights, {read_bundle(file).card['conversion']['quantization']}"


if __name__ == "__main__":
    make_bundle(sys.argv[1], Path(sys.argv[2]))
