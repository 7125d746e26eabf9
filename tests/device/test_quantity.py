"""A number and its noun agree, in every sentence of the device."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from device.quantity import megabytes_are, quantity

DEVICE = Path(__file__).parents[2] / "device"

_COUNTED = re.compile(
    r" (?:more |other |of the |reference )?(alarms|bytes|changes|channels|clips|commands|entries|events|faults|files|"
    r"gaps|graphs|inputs|lines|microphones|minutes|mistakes|operations|overruns|problems|recordings|rows|samples|"
    r"signatures|stages|times|windows)\b"
)
_NEVER_ONE = {
    "_MAX_CHUNKS",
    "_MORE",
    "_MOST_PASSWORD_BYTES",
    "MAX_PAYLOAD_BYTES",
    "MOST_BYTES",
    "MOST_CHANGES",
    "_MOST_BYTES",
    "channels",  # 0 or too many
    "count",  # entries of an archive: none or too many
    "chunk_bytes",  # too few, as such
    "gaps.count",  # one gap is told as it is
    "len(found)",  # several: it is ambiguous
    "max(found.st_size, len(data))",  # too many
    "names.count(name)",  # twice or more
    "size",
    "total",  # too many
    # bytes of sound that a header declares
    "declared",
    "frame_bytes",
    "self.block_bytes",
    "sound.declared",
    "stop",
    "whole",
    # several channels
    "reader.channels",
    "self._channels",
    # no number, but what a verb or noun follows
    "', '.join(SUFFIXES)",
    "_percent(state.windows)",
    "samples.shape",
    "verb",
}


@pytest.mark.parametrize(("number", "text"), [(0, "0 windows"), (1, "1 window"), (2, "2 windows")])
def test_a_noun_agrees_with_its_number(number: int, text: str) -> None:
    assert quantity(number, "window") == text


def test_words_after_the_noun_agree_too() -> None:
    assert [quantity(number, "change is", "changes are") for number in (1, 3)] == ["1 change is", "3 changes are"]


@pytest.mark.parametrize(
    ("size", "words"),
    [(0, "0 MB are"), (5, "less than 1 MB is"), (1_500_000, "1 MB is"), (2_000_000, "2 MB are")],
)
def test_a_little_room_is_never_none(size: int, words: str) -> None:
    assert megabytes_are(size) == words


def _plurals(path: Path) -> list[str]:
    """Texts in which a formatted number stands directly before a noun in the plural; what `repr` shows is exempt."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    exempt = {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and node.name == "__repr__"
        for inner in ast.walk(node)
    }
    return [
        f"{path.name}: {ast.unparse(number.value)} {found[1]}"
        for node in ast.walk(tree)
        if isinstance(node, ast.JoinedStr) and node not in exempt
        for number, text in zip(node.values, node.values[1:], strict=False)
        if isinstance(number, ast.FormattedValue) and number.format_spec is None
        if isinstance(text, ast.Constant) and (found := _COUNTED.match(str(text.value)))
        if ast.unparse(number.value) not in _NEVER_ONE
    ]


def test_no_sentence_of_the_device_writes_a_plural_behind_any_number() -> None:
    assert [found for path in sorted(DEVICE.rglob("*.py")) for found in _plurals(path)] == []


def test_a_plural_behind_any_number_would_be_found(tmp_path: Path) -> None:
    (tmp_path / "one.py").write_text('text = f"{lost} clips could not be kept"\n')
    assert _plurals(tmp_path / "one.py") == ["one.py: lost clips"]
