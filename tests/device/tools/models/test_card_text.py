"""A card as text: the prose first, every figure after it, and nothing that deceives a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from device.__main__ import main
from device.hearing.bundle.reader import read_bundle
from device.runtime.model_library import shipped_bundles
from device.tools.models.card_text import WIDTH, card_lines

if TYPE_CHECKING:
    from pathlib import Path


def test_what_a_model_is_for_comes_before_its_figures() -> None:
    card = {"validation": {"recall": 0.5}, "not_for": "Medical use.", "headline": "Good."}
    assert list(card_lines(card)) == ["headline: Good.", "not for: Medical use.", "validation:", "  recall: 0.5"]


def test_entries_of_any_depth_are_indented() -> None:
    card = {"data": [{"set": "esc50", "train": 3}, {"set": "speech", "train": 0.25}], "empty": [], "tried": ["a", "b"]}
    assert list(card_lines(card)) == [
        "data:",
        "  1:",
        "    set: esc50",
        "    train: 3",
        "  2:",
        "    set: speech",
        "    train: 0.25",
        "empty: none",
        "tried: a, b",
    ]


def test_sentences_of_a_list_stand_on_lines_of_their_own() -> None:
    card = {"tried": ["Averaging: no gain.", "word " * 40 + "end."], "deep": {"inner": ["One."]}}
    lines = list(card_lines(card))
    assert lines[:2] == ["tried:", "  - Averaging: no gain."]
    assert lines[2].startswith("  - word")
    assert lines[3].startswith("    word")
    assert lines[-3:] == ["deep:", "  inner:", "    - One."]


def test_aims_come_before_terms_and_figures() -> None:
    card = {"evaluation": {}, "data": [], "aims": [{"what": "recall"}], "limits": "Few."}
    names = [line.split(":")[0] for line in card_lines(card) if not line.startswith(" ")]
    assert names == ["limits", "aims", "data", "evaluation"]


def test_long_text_is_wrapped_and_keeps_its_own_lines() -> None:
    lines = list(card_lines({"licence": "MIT License\n\n" + "word " * 60}))
    assert lines[:3] == ["licence:", "  MIT License", ""]
    assert len(lines) > 5
    assert all(len(line) <= WIDTH for line in lines)
    assert " ".join(lines[3:]).split() == ["word"] * 60


def test_escapes_of_a_strange_bundle_do_not_reach_the_terminal() -> None:
    lines = list(card_lines({"head\x1b[2Jline": "\x1b]0;owned\x07", "deep": {"a\nb": ["\u202e"]}}))
    assert all(line.isprintable() for line in lines)


@pytest.mark.parametrize("name", sorted(shipped_bundles()))
def test_every_word_and_figure_of_a_shipped_card_is_shown(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", name]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    for leaf in _leaves(read_bundle(shipped_bundles()[name]).card):
        assert " ".join((f"{leaf:g}" if isinstance(leaf, float) else str(leaf)).split()) in shown


def test_a_file_is_shown_by_name_and_an_unknown_one_is_refused(
    tiny_bundle_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["models", "show", str(tiny_bundle_path)]) == 0
    assert str(tiny_bundle_path) in capsys.readouterr().out
    assert main(["models", "show", "owl"]) == 2
    assert "no bundle is named 'owl'; shipped are cry" in capsys.readouterr().err


def _leaves(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [leaf for each in value.values() for leaf in _leaves(each)]
    if isinstance(value, list):
        return [leaf for each in value for leaf in _leaves(each)]
    return [] if value is None else [value]
