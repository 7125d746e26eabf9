"""Every program of the distribution that a test or a benchmark calls is one that packages.sh installs."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.programs import ON_EVERY_SYSTEM, MissingProgramError, asked_for, program

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]
SOURCES = sorted([*(ROOT / "tests").rglob("*.py"), *(ROOT / "benchmarks").rglob("*.py")])
MAY_LOOK_UP = {"tests/programs.py", "tests/system/debian.py"}
STARTS_A_PROCESS = {"run", "Popen", "call", "check_call", "check_output", "execvp", "execv"}


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def _calls(path: Path) -> Iterator[ast.Call]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            yield node


def _called(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def _module(call: ast.Call) -> str:
    is_attribute = isinstance(call.func, ast.Attribute) and isinstance(call.func.value, ast.Name)
    return call.func.value.id if is_attribute else ""  # type: ignore[attr-defined]


def _text(node: ast.expr) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def _first_word(node: ast.expr) -> str | None:
    """The program of a command that is written out as a list or tuple, if it begins with a plain string."""
    return _text(node.elts[0]) if isinstance(node, ast.List | ast.Tuple) and node.elts else None


@pytest.mark.parametrize("path", SOURCES, ids=_name)
def test_programs_are_found_by_one_function_alone(path: Path) -> None:
    looked_up = [call.lineno for call in _calls(path) if _called(call) == "which"]
    assert not looked_up or _name(path) in MAY_LOOK_UP


@pytest.mark.parametrize("path", SOURCES, ids=_name)
def test_no_command_begins_with_a_bare_name_of_a_program(path: Path) -> None:
    bare = [
        (call.lineno, word)
        for call in _calls(path)
        if _module(call) in {"subprocess", "os"} and _called(call) in STARTS_A_PROCESS and call.args
        if (word := _first_word(call.args[0])) is not None
    ]
    assert bare == []


def test_packages_sh_asks_for_every_program_that_is_called() -> None:
    called = {
        (text, _name(path))
        for path in SOURCES
        for call in _calls(path)
        if _called(call) == "program" and call.args and (text := _text(call.args[0])) is not None
    }
    assert len(called) > 10
    known = asked_for().keys() | ON_EVERY_SYSTEM
    assert {where for where in called if where[0] not in known} <= {("frobnicate", "tests/test_programs.py")}


def test_packages_sh_asks_for_nothing_twice_and_names_a_package_for_each() -> None:
    script = (ROOT / "tests" / "system" / "packages.sh").read_text(encoding="utf-8")
    needed = re.findall(r"\bneed ([\w.+-]+) ", script)
    assert sorted(needed) == sorted(set(needed))
    assert {"mosquitto_sub", "mosquitto_passwd", "gcc", "chromium"} <= asked_for().keys()


def test_a_program_that_nobody_asks_for_is_refused_though_it_be_there() -> None:
    with pytest.raises(MissingProgramError, match=r"frobnicate is called but tests/system/packages\.sh"):
        program("frobnicate")
    assert Path(program("sh")).is_file()
