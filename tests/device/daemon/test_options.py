"""The options of a daemon: its configuration, its name and its recordings."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile

from device.config.loading import profile
from device.daemon.options import ListenOptions
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


def test_a_stream_that_is_given_is_heard_without_the_login_of_the_configured_one(tmp_path: Path) -> None:
    path = tmp_path / "anna.toml"
    path.write_text('[microphone]\ndevice = "rtsp://camera/x"\nusername = "anna"\nchannel = 2\n', encoding="utf-8")
    heard = ListenOptions(config=str(path), stream="rtsp://other/y").settings().microphone
    assert (heard.device, heard.username, heard.channel) == ("rtsp://other/y", None, 1)


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
