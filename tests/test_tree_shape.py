"""The tree stays readable: no long module or function, no crowded folder, no two modules of one name."""

from __future__ import annotations

import ast
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]
PACKAGES = ("device", "training", "converter", "benchmarks")

MODULE_LINES, FUNCTION_LINES, FOLDER_MODULES = 420, 60, 14
TABLES = {"device/config/settings.py"}
"""Modules that are tables, one entry after another; their length is no sign of several purposes."""

VAGUE = {"common", "helper", "helpers", "misc", "util", "utils"}


def modules() -> list[Path]:
    """All modules of the packages but `__init__` and `__main__`, relative to the root."""
    paths = (path.relative_to(ROOT) for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
    return sorted(path for path in paths if path.stem not in {"__init__", "__main__"})


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(ast.parse((ROOT / path).read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def lines_of(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    return (function.end_lineno or function.lineno) - function.lineno + 1


def test_no_module_is_longer_than_420_lines_but_tables() -> None:
    lengths = {str(path): len((ROOT / path).read_text(encoding="utf-8").splitlines()) for path in modules()}
    assert {name: length for name, length in lengths.items() if length > MODULE_LINES and name not in TABLES} == {}


def test_no_function_is_longer_than_60_lines_and_half_are_at_most_8() -> None:
    lengths = {f"{path}:{one.name}": lines_of(one) for path in modules() for one in functions(path)}
    assert {name: length for name, length in lengths.items() if length > FUNCTION_LINES} == {}
    assert sorted(lengths.values())[len(lengths) // 2] <= 8


def test_no_folder_holds_more_than_14_modules() -> None:
    counts = Counter(str(path.parent) for path in modules())
    assert {folder: count for folder, count in counts.items() if count > FOLDER_MODULES} == {}


def test_no_two_modules_have_one_name_and_none_is_vague() -> None:
    names = Counter(path.stem for path in modules())
    assert [name for name, count in names.items() if count > 1 or name in VAGUE] == []


def test_each_package_and_subpackage_says_in_one_sentence_what_it_holds() -> None:
    inits = [path for package in PACKAGES for path in (ROOT / package).rglob("__init__.py")]
    trees = {str(path.relative_to(ROOT)): ast.parse(path.read_text(encoding="utf-8")) for path in inits}
    assert [name for name, tree in trees.items() if len(tree.body) != 1 or not ast.get_docstring(tree)] == []
    folders = {path.parent for path in modules()}
    assert [str(folder) for folder in folders if not (ROOT / folder / "__init__.py").is_file()] == []
