"""Programs that tests and benchmarks hand to an interpreter as text name what exists: no type checker reads them."""

from __future__ import annotations

import ast
import importlib.util
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGES = ("benchmarks", "converter", "device", "tests", "training")


def imports_in(program: str) -> set[tuple[str, str]]:
    """(module, name) of each import of ours in a text that is a program; none if it is no program."""
    try:
        tree = ast.parse(program)
    except (SyntaxError, ValueError):
        return set()
    return {
        (node.module, alias.name)
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] in PACKAGES
        for alias in node.names
    }


def imports_by_file() -> dict[str, set[tuple[str, str]]]:
    """What the texts of each file import of ours."""
    found: dict[str, set[tuple[str, str]]] = {}
    for folder in ("benchmarks", "tests"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            tree = ast.parse(path.read_text(encoding="utf-8"))
            texts = (node.value for node in ast.walk(tree) if isinstance(node, ast.Constant))
            for text in texts:
                if isinstance(text, str) and "import " in text:
                    found.setdefault(str(path.relative_to(ROOT)), set()).update(imports_in(text))
    return found


def is_there(module: str, name: str) -> bool:
    """Whether a module, or its package, has what is imported from it."""
    holder = importlib.import_module(module)
    if name == "*" or hasattr(holder, name):
        return True
    return hasattr(holder, "__path__") and importlib.util.find_spec(f"{module}.{name}") is not None


def test_what_a_program_in_a_string_imports_is_there() -> None:
    by_file = imports_by_file()
    assert len(by_file["benchmarks/soak/runs.py"]) > 3
    missing = [
        f"{file}: {module} has no {name}"
        for file, imports in by_file.items()
        for module, name in sorted(imports)
        if not is_there(module, name)
    ]
    assert not missing


def test_imports_are_found_in_what_is_a_program() -> None:
    assert imports_in("import sys\nfrom device.errors import ConfigError") == {("device.errors", "ConfigError")}
    assert imports_in("no program") == set()
