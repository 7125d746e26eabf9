"""docs/model-runbook.md and docs/training.md: each command exists, with exactly these options."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from converter import __main__ as converter_command
from device import __main__ as auricle_command
from device.runtime.model_library import shipped_bundles
from training import __main__ as training_command

if TYPE_CHECKING:
    import argparse

RUNBOOK = Path(__file__).resolve().parents[2] / "docs" / "model-runbook.md"


TRAINING = RUNBOOK.with_name("training.md")


def commands(page: Path = RUNBOOK) -> list[list[str]]:
    """The words of each command on a page: the lines that are indented by four spaces."""
    indented = re.findall(r"^    (\S.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return [shlex.split(line, comments=True) for line in indented]


def parse(words: list[str]) -> argparse.Namespace:
    """The arguments of a command, by the parser of the program that it calls."""
    if words[:3] == ["python", "-m", "training"]:
        return training_command._parser(words[3:]).parse_args(words[3:])
    if words[:3] == ["python", "-m", "converter"]:
        return converter_command._parser().parse_args(words[3:])
    if words[0] == "auricle":
        return auricle_command._parser(words[1:]).parse_args(words[1:])
    pytest.fail(f"no parser is known for: {shlex.join(words)}")


@pytest.mark.parametrize(
    "words", [words for words in (*commands(), *commands(TRAINING)) if words[0] != "mkdir"], ids=shlex.join
)
def test_the_command_parses(words: list[str]) -> None:
    assert parse(words)


def recipes() -> list[list[str]]:
    """The words of each command of training and converter in the Makefile, its variables replaced."""
    text = (RUNBOOK.parents[1] / "Makefile").read_text(encoding="utf-8")
    values = dict(re.findall(r"(?m)^(\w+) [:?]= (.*)$", text)) | {"TRAINING": "python -m training", "BIN": ""}
    lines = re.findall(
        r"(?m)^\t(?:[^\n]*\$\(BIN\)/|)((?:\$\(TRAINING\)|python -m (?:training|converter)) [^\n]*)$", text
    )
    for _ in range(3):  # values name other values
        lines = [re.sub(r"\$\((\w+)\)", lambda found: values.get(found[1], found[0]), line) for line in lines]
    return [shlex.split(re.sub(r"\$(?:\([@<^*]\w?\)|[@<*])", "FILE", line)) for line in lines]


@pytest.mark.parametrize("words", recipes(), ids=shlex.join)
def test_a_command_of_the_makefile_parses(words: list[str]) -> None:
    assert parse(words)


def test_make_models_makes_every_shipped_model() -> None:
    (made,) = re.findall(r"(?m)^models: (.*)$", (RUNBOOK.parents[1] / "Makefile").read_text(encoding="utf-8"))
    assert {Path(target).stem for target in made.split()} == set(shipped_bundles())


def test_the_card_of_a_design_has_the_commands_of_its_section() -> None:
    card = json.loads((RUNBOOK.parents[1] / "training" / "cards" / "cry-residual.json").read_text(encoding="utf-8"))
    section = [words for words in commands() if words[0] == "python" and "build/models/cry-residual" in " ".join(words)]
    assert [shlex.split(line) for line in card["commands"]] == section


def test_every_verb_of_training_stands_on_a_page_and_the_converter_on_this_one() -> None:
    pages = "\n".join(page.read_text(encoding="utf-8") for page in RUNBOOK.parent.glob("*.md"))
    verbs = set(re.findall(r"(?m)^    (?:\S+/)?python -m training (\S+)", pages))
    assert verbs == set(training_command._VERBS)
    converting = {words[3] for words in commands() if words[:3] == ["python", "-m", "converter"]}
    assert converting == set(converter_command._VERBS)
