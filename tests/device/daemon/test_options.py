"""The verb `listen`: which options its arguments give, and what a daemon is called."""

from __future__ import annotations

import argparse
import subprocess
import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile

from device.config.loading import profile
from device.daemon.options import ListenOptions, add_arguments, run
from device.errors import ConfigError, RecordingError

if TYPE_CHECKING:
    from pathlib import Path


def test_without_a_file_the_profile_is_taken_and_gives_its_name() -> None:
    options = ListenOptions()
    assert options.settings() == profile("nursery")
    assert options.instance_name() == "nursery"
    assert options.recording_paths() == []


def test_a_file_is_read_each_time_and_gives_its_name(tmp_path: Path) -> None:
    path = tmp_path / "anna.toml"
    path.write_text("[listen]\nhop_s = 1.0\n", encoding="utf-8")
    options = ListenOptions(config=str(path))
    assert options.settings().listen.hop_s == 1.0
    path.write_text("[listen]\nhop_s = 0.25\n", encoding="utf-8")
    assert options.settings().listen.hop_s == 0.25
    assert options.instance_name() == "anna"


def test_a_name_that_is_given_is_taken() -> None:
    assert ListenOptions(config="/etc/auricle/anna.toml", instance="ben").instance_name() == "ben"


def test_a_name_that_cannot_be_one_says_how_to_give_another() -> None:
    with pytest.raises(ConfigError, match=r"'Our Baby' cannot name an instance.*; give one with --instance"):
        ListenOptions(config="/home/me/Our Baby.toml").instance_name()
    with pytest.raises(ConfigError, match=r"as in auricle@anna$"):
        ListenOptions(instance="../anna").instance_name()


def test_a_file_that_does_not_hold_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "anna.toml"
    path.write_text("[listen]\nhop = 1.0\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="line 2"):
        ListenOptions(config=str(path)).settings()


def test_recordings_are_files_and_folders_in_order(tmp_path: Path) -> None:
    for name in ("b.wav", "folder/a.wav", "folder/c.flac"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        soundfile.write(tmp_path / name, np.zeros(10), 16000)
    paths = ListenOptions(recordings=(str(tmp_path / "b.wav"), str(tmp_path / "folder"))).recording_paths()
    assert [path.removeprefix(str(tmp_path)) for path in paths] == ["/b.wav", "/folder/a.wav", "/folder/c.flac"]


def test_a_folder_without_a_recording_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="holds no"):
        ListenOptions(recordings=(str(tmp_path),)).recording_paths()


def test_a_file_that_is_no_recording_is_refused_before_anything_is_opened(tmp_path: Path) -> None:
    (tmp_path / "words.wav").write_text("words")
    with pytest.raises(RecordingError, match="does not exist"):
        ListenOptions(recordings=(str(tmp_path / "nosuch.wav"),)).recording_paths()
    with pytest.raises(RecordingError, match=r"words\.wav"):
        ListenOptions(recordings=(str(tmp_path / "words.wav"),)).recording_paths()


def test_a_broken_recording_among_those_of_a_folder_refuses_none_of_them(tmp_path: Path) -> None:
    (tmp_path / "words.wav").write_text("words")
    assert ListenOptions(recordings=(str(tmp_path),)).recording_paths() == [str(tmp_path / "words.wav")]


def _parsed(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return parser.parse_args(arguments)


def test_parsed_arguments_become_the_options_of_a_daemon(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[ListenOptions] = []

    def listen(options: ListenOptions) -> int:
        started.append(options)
        return 7

    monkeypatch.setattr("device.daemon.app.listen", listen)
    assert run(_parsed("--config", "anna.toml", "--instance", "anna", "--source", "a.wav", "b.wav", "--shed")) == 7
    assert run(_parsed()) == 7
    recordings = ("a.wav", "b.wav")
    assert started == [
        ListenOptions(config="anna.toml", instance="anna", recordings=recordings, sheds=True),
        ListenOptions(),
    ]


@pytest.mark.parametrize("argument", [("--speed", "2"), ("--loop",), ("--shed",)])
def test_playback_arguments_without_recordings_are_refused(argument: tuple[str, ...]) -> None:
    with pytest.raises(ConfigError, match="name some with --source"):
        run(_parsed(*argument))


@pytest.mark.parametrize("speed", ["0", "1e7", "nan", "fast"])
def test_a_speed_out_of_range_is_refused(speed: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        _parsed("--source", "a.wav", "--speed", speed)
    assert "is not a speed, 0.01 to 1000000" in capsys.readouterr().err


def test_parsing_the_command_line_imports_no_numpy() -> None:
    code = "import sys, device.daemon.options; sys.exit('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0
