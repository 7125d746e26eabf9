"""The password of a stream: from its file or the credential, and a sentence where it is missing."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from device.config.microphone.microphone_settings import MicrophoneSettings
from device.errors import ConfigError, MicrophoneError
from device.messages import NoAudio
from device.runtime.secrets.microphone_login import check_stream, open_microphone, stream_password
from device.sources.capture_plan import STREAM_TIMEOUTS, capture_plan

if TYPE_CHECKING:
    from pathlib import Path

CAMERA = "rtsp://camera/live"


def _file(folder: Path, text: str = "p@ss word\n", mode: int = 0o600) -> Path:
    path = folder / "password"
    path.write_text(text)
    path.chmod(mode)
    return path


def test_the_password_is_the_files_line_or_the_credential_or_none(tmp_path: Path) -> None:
    settings = MicrophoneSettings(device=CAMERA, username="anna", password_file=str(_file(tmp_path)))
    assert stream_password(settings, {}) == "p@ss word"
    (tmp_path / "microphone-password").write_text("other")
    (tmp_path / "microphone-password").chmod(0o400)
    credential = MicrophoneSettings(device=CAMERA, username="anna")
    assert stream_password(credential, {"CREDENTIALS_DIRECTORY": str(tmp_path)}) == "other"
    assert stream_password(credential, {}) is None
    assert stream_password(MicrophoneSettings(), {"CREDENTIALS_DIRECTORY": str(tmp_path)}) is None


def test_a_login_that_lacks_a_half_is_a_sentence(tmp_path: Path) -> None:
    path = _file(tmp_path)
    with pytest.raises(ConfigError, match="but no username"):
        stream_password(MicrophoneSettings(device=CAMERA, password_file=str(path)), {})
    with pytest.raises(ConfigError, match="has no password for "):
        stream_password(MicrophoneSettings(device=f"{CAMERA}?token={{password}}"), {})
    path.chmod(0o644)
    with pytest.raises(ConfigError, match="open to everybody"):
        stream_password(MicrophoneSettings(device=CAMERA, username="anna", password_file=str(path)), {})


def test_authorities_that_cannot_be_read_are_a_sentence(tmp_path: Path) -> None:
    gone = MicrophoneSettings(device="rtsps://camera/live", ca_file=str(tmp_path / "gone.pem"))
    with pytest.raises(ConfigError, match=r'"ca_file" in .* which is not there'):
        check_stream(gone, {})
    (tmp_path / "gone.pem").write_text("no certificate")
    with pytest.raises(ConfigError, match="which holds no authority's certificate"):
        check_stream(gone, {})


def test_the_password_goes_to_the_child_and_stands_in_nothing_that_is_shown(tmp_path: Path) -> None:
    settings = MicrophoneSettings(device=f"{CAMERA}?x=1", username="anna", password_file=str(_file(tmp_path)))
    plan = capture_plan(settings, lambda: stream_password(settings, {}))
    start = plan.start()
    told = json.loads(start.line)
    assert told["address"] == "rtsp://anna:p%40ss%20word@camera/live?x=1"
    assert told["name"] == plan.name == CAMERA
    assert start.secrets == ("p@ss word", "p%40ss%20word")
    assert "p@ss" not in repr((settings, plan)) + " ".join(plan.command)
    assert plan.timeouts == STREAM_TIMEOUTS


def test_an_address_with_a_login_is_refused_wherever_it_comes_from() -> None:
    with pytest.raises(MicrophoneError, match="holds a login") as refused:
        open_microphone(MicrophoneSettings(device="rtsp://anna:hunter2@camera/live"))
    assert "hunter2" not in str(refused.value)


def test_a_password_file_that_goes_away_is_a_reason_and_no_exception(tmp_path: Path) -> None:
    path = _file(tmp_path)
    microphone = open_microphone(MicrophoneSettings(device=CAMERA, username="anna", password_file=str(path)))
    path.unlink()
    reasons = [
        message.reason
        for message, _ in zip(microphone.blocks(), range(2), strict=False)
        if isinstance(message, NoAudio)
    ]
    microphone.close()
    assert "password" in reasons[-1]
    assert "is tried again and again" in reasons[-1]
