"""The command line as a newcomer meets it."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile

from device.__main__ import VERBS, main

if TYPE_CHECKING:
    from pathlib import Path


def _auricle(*arguments: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([sys.executable, "-m", "device", *arguments], capture_output=True, check=False, timeout=120)


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    path = tmp_path / "noise.wav"
    soundfile.write(path, 1e-3 * np.random.default_rng(0).standard_normal(5 * 16000), 16000)
    return path


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["replay"], "the following arguments are required: FILE_OR_DIR"),
        (["reply", "a.wav"], "invalid choice: 'reply'"),
        (["replay", "--profile", "nursry", "a.wav"], 'no profile is named "nursry"'),
        (["replay", "--config", "gone.toml", "a.wav"], "gone.toml: cannot be read"),
        (["replay", "--profile", "stethoscope", "gone.wav"], "gone.wav"),
        (["replay", "--model", "cries", "a.wav"], "no bundle is named 'cries'"),
        (["replay", "--channel", "0", "a.wav"], "'0' is not a channel, the first is 1, 1 to 1024"),
        (["replay", "--workers", "many", "a.wav"], "'many' is not a number of processes"),
        (["replay", "gone.wav"], "gone.wav"),
        (["models", "verify", "gone.tflite"], "gone.tflite"),
        (["config"], "one of the arguments --example --schema --check is required"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(
    arguments: list[str],
    sentence: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    try:
        code = main(arguments)
    except SystemExit as left:
        code = int(str(left.code))
    captured = capfd.readouterr()
    assert code == 2
    assert captured.out == ""
    assert sentence in captured.err
    assert captured.err.count("\n") == 1


def test_debug_adds_the_traceback(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["--debug", "config", "--check", str(tmp_path / "gone.toml")]) == 2
    assert "Traceback" in capfd.readouterr().err


@pytest.mark.parametrize(("option", "start"), [("--version", b"auricle "), ("--help", b"usage: auricle ")])
def test_version_and_help_need_nothing_that_a_replay_needs(option: str, start: bytes) -> None:
    blocked = "import sys; sys.modules.update(dict.fromkeys(['numpy', 'soundfile', 'soxr', 'PIL', 'ai_edge_litert']))"
    code = f"{blocked}\nfrom device.__main__ import main\nmain(['{option}'])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(start)


@pytest.mark.parametrize("verb", VERBS)
def test_each_verb_has_its_own_options_and_imports_no_other_verb(verb: str) -> None:
    others = [other.module for other in VERBS.values() if other.module != VERBS[verb].module]
    code = (
        "import sys, atexit\nfrom device.__main__ import main\n"
        f"atexit.register(lambda: print([name for name in {others} if name in sys.modules]))\n"
        f"main(['{verb}', '--help'])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"usage: auricle {verb} [-h]")
    assert done.stdout.endswith("[]\n")


def test_results_go_to_stdout_and_talk_to_stderr(recording: Path, tiny_bundle_path: Path) -> None:
    done = _auricle("replay", "--model", str(tiny_bundle_path), "--scores", "-", str(recording), "gone.wav")
    assert done.returncode == 2
    assert done.stdout.splitlines()[0] == b"source,model,start_s,end_s,label,probability"
    assert len(done.stdout.splitlines()) == 8
    assert done.stderr.startswith(b"auricle: gone.wav")
    assert done.stderr.count(b"\n") == 1


def test_a_reader_that_leaves_early_is_no_error(recording: Path, tiny_bundle_path: Path) -> None:
    command = [sys.executable, "-m", "device", "replay", "--model", str(tiny_bundle_path), "--scores", "-"]
    with subprocess.Popen(
        [*command, *[str(recording)] * 40], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 0


def test_a_folder_that_is_missing_is_named(recording: Path, tiny_bundle_path: Path, tmp_path: Path) -> None:
    out = tmp_path / "gone" / "e.jsonl"
    done = _auricle("replay", "--model", str(tiny_bundle_path), "--events", str(out), str(recording))
    assert done.returncode == 2
    assert str(out).encode() in done.stderr
    assert done.stderr.count(b"\n") == 1


def test_a_history_that_there_is_not_is_one_line(tmp_path: Path) -> None:
    done = _auricle("history", "--config", str(tmp_path / "nosuch.toml"), "--since", "22:00")
    assert done.returncode == 2
    assert done.stderr.startswith(b"auricle: ")
    assert done.stderr.count(b"\n") == 1


def test_an_output_without_room_is_named_with_a_cure(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    soundfile.write(tmp_path / "a.wav", np.zeros(48_000, np.float32), 16_000)
    assert main(["replay", str(tmp_path / "a.wav"), "--scores", "/dev/full"]) == 2
    expected = "auricle: /dev/full: No space left on device; free space there, or name a file on another disk\n"
    assert capsys.readouterr().err == expected
