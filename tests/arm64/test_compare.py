"""The judgement on two machines' replays, without an emulator."""

from __future__ import annotations

import dataclasses
import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import soundfile

from device.hearing.bundle.reader import read_bundle

if TYPE_CHECKING:
    from types import ModuleType


def _beside(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


compare: Any = _beside("compare")
EVENT = ("a.wav", "cry", "cry", "begin", 1.5, None, 4.5, "3 of 4 windows")
WINDOW = ("a.wav", "cry", "cry", "1.5", "3.5")
HERE = compare.Answer((EVENT,), {WINDOW: 0.9}, 1.0)


def complaints(there: object) -> list[str]:
    return list(compare.differences(HERE, there))


def test_equal_answers_and_close_scores_pass() -> None:
    assert complaints(dataclasses.replace(HERE, scores={WINDOW: 0.885}, took_s=60.0)) == []


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"scores": {WINDOW: 0.87}}, "apart"),
        ({"scores": {}}, "on one side alone"),
        ({"events": ()}, "events differ"),
        ({"events": ((*EVENT[:4], 2.0, *EVENT[5:]),)}, "events differ"),
    ],
)
def test_any_difference_is_named(change: dict[str, Any], named: str) -> None:
    found = complaints(dataclasses.replace(HERE, **change))
    assert [named in line for line in found] == [True]


def test_two_machines_that_hear_nothing_are_no_proof() -> None:
    nothing = dataclasses.replace(HERE, events=())
    assert "nothing was heard" in next(iter(compare.differences(nothing, nothing)))


def test_a_network_without_a_task_need_hear_nothing_but_its_scores_must_vary() -> None:
    other = ("a.wav", "cry", "cry", "2.0", "4.0")
    varied = dataclasses.replace(HERE, events=(), scores={WINDOW: 0.9, other: 0.84})
    assert list(compare.differences(varied, varied, must_hear=False)) == []
    constant = dataclasses.replace(varied, scores={WINDOW: 0.9, other: 0.86})
    (found,) = compare.differences(constant, constant, must_hear=False)
    assert found == "no score here varies by 0.05 or more, so nothing can be compared"


def test_labels_of_one_window_are_no_variation() -> None:
    answer = dataclasses.replace(HERE, scores={WINDOW: 0.9, ("a.wav", "cry", "scream", "1.5", "3.5"): 0.1})
    assert "varies" in next(compare.differences(answer, answer, must_hear=False))


def test_a_case_with_a_bundle_is_replayed_with_that_model_alone(tmp_path: Path, tiny_bundle_path: Path) -> None:
    sound = np.random.default_rng(0).normal(0.0, 0.1, 3 * 16_000)
    soundfile.write(tmp_path / "noise.wav", sound, 16_000)
    case = compare.Case("tiny", tiny_bundle_path)
    answer = compare.replayed_here(case, [tmp_path / "noise.wav"], tmp_path / "here")
    name = read_bundle(tiny_bundle_path).name
    assert {(source, model) for source, model, *_ in answer.scores} == {("noise.wav", name)}


def test_a_replay_that_fails_in_a_tree_is_a_complaint_and_the_next_case_is_compared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    broken, sound = compare.Case("broken", tmp_path / "a.tflite"), compare.Case("sound")

    def replayed(case: object, _recordings: object, _folder: object) -> object:
        if case == broken:
            raise compare.RunError("auricle: no runtime")
        return HERE

    monkeypatch.setattr(compare, "make_tree", lambda *_: None)
    monkeypatch.setattr(compare, "replayed_there", replayed)
    tree = compare.TREES["bookworm"]
    found = list(compare._tree_compared(tree, [], {broken: HERE, sound: HERE}, tmp_path))
    assert found == ["bookworm: broken: auricle: no runtime"]
    assert "bookworm: sound: 1 events, 1 scores" in capsys.readouterr().out


def test_an_answer_is_read_whatever_folder_it_was_heard_in(tmp_path: Path) -> None:
    event = dict(zip(compare.COMPARED, EVENT[1:], strict=True)) | {"source": "/night/a.wav", "event_id": "x"}
    (tmp_path / "events.jsonl").write_text(json.dumps(event) + "\n")
    row = "/night/a.wav,cry,1.5,3.5,cry,0.9"
    (tmp_path / "scores.csv").write_text(f"source,model,start_s,end_s,label,probability\n{row}\n")
    assert compare.read_answer(tmp_path, 1.0) == HERE


_ANY_EMULATOR = """#!/bin/sh
[ "$1" = -cpu ] || exec "$@"
printf '%s\\n' "$@"
"""


def test_the_emulated_python_starts_by_itself_and_hands_on_its_arguments(tmp_path: Path) -> None:
    """A replay starts a second one to try its models: an Exec format error, where no emulator was registered."""
    emulator, python = tmp_path / "emulator", tmp_path / "python"
    emulator.write_text(_ANY_EMULATOR)
    emulator.chmod(0o755)
    compare.lay_emulated_python(python, emulator=str(emulator), python=sys.executable, name="/bin/this")
    done = subprocess.run([python, "-m", "two words"], check=True, capture_output=True, text=True)
    expected = ["-cpu", "cortex-a72", "-0", "/bin/this", sys.executable, "-m", "two words"]
    assert done.stdout.splitlines() == expected
