"""The command line of `auricle listen`: which options of a daemon its arguments give."""

from __future__ import annotations

import argparse
import subprocess
import sys

import pytest

from device.daemon.listen_command import add_arguments, run
from device.daemon.options import ListenOptions
from device.errors import ConfigError
from device.sources.streams.sample_format import SampleFormat


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


def test_a_stream_or_standard_input_is_heard_alone_in_place_of_the_microphone(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[ListenOptions] = []

    def listen(options: ListenOptions) -> int:
        started.append(options)
        return 0

    monkeypatch.setattr("device.daemon.app.listen", listen)
    assert run(_parsed("--source", "rtsp://camera/live")) == 0
    assert run(_parsed("--source", "-", "--raw", "S16_LE,16000,2")) == 0
    assert started == [
        ListenOptions(stream="rtsp://camera/live"),
        ListenOptions(reads_input=True, raw=SampleFormat("s16le", 16000, 2)),
    ]
    for arguments, says in (
        (("--source", "-", "a.wav"), "it can be heard alone"),
        (("--source", "-", "--speed", "2"), "are for recordings"),
        (("--source", "a.wav", "--raw", "s16le,16000"), "name that with --source -"),
        (("--source", "-", "--raw", "s16le,16"), "is no format of samples"),
        (("--source", "rtsp://anna:hunter2@camera/live"), "holds a login"),
    ):
        with pytest.raises(ConfigError, match=says) as refused:
            run(_parsed(*arguments))
        assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize("speed", ["0", "1e7", "nan", "fast"])
def test_a_speed_out_of_range_is_refused(speed: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        _parsed("--source", "a.wav", "--speed", speed)
    assert "is not a speed, 0.01 to 1000000" in capsys.readouterr().err


def test_parsing_the_command_line_imports_no_numpy() -> None:
    code = "import sys, device.daemon.listen_command; sys.exit('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0
