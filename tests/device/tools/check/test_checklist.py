"""`auricle check` as a whole: every check is made, whatever the others found; the exit code says the worst."""

from __future__ import annotations

import dataclasses
import io
import time
from typing import TYPE_CHECKING

import numpy as np
import pytest

from device.errors import ConfigError, MicrophoneError
from device.messages import AudioBlock, NoAudio
from device.runtime.sockets.status_socket import StatusServer
from device.tools.check.checklist import CheckedSystem, CheckOptions, check

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from device.config.microphone.microphone_settings import MicrophoneSettings
    from device.runtime.daemon_state import DaemonState

_ALL = [
    *("config", "models", "speed", "microphone", "loudness"),
    *("journal", "broker", "certificates", "pins", "acknowledge", "metrics", "listening", "clips"),
    *("clock", "zone", "disk", "temperature", "power", "memory"),
]
_USUAL = [name for name in _ALL if name != "loudness"]
"""Without a loudness alarm, there is nothing to check of it."""


class Quiet:
    """A microphone that hears a quiet room."""

    name = "USB Audio Device"
    overruns = 0

    def __init__(self, _settings: MicrophoneSettings) -> None:
        self.closed = False

    def blocks(self) -> Iterator[AudioBlock | NoAudio]:
        samples = (0.003 * np.random.default_rng(2).standard_normal(80000)).astype(np.float32)
        for start in range(0, len(samples), 800):
            yield AudioBlock(samples[start : start + 800], 16000, start)

    def close(self) -> None:
        self.closed = True


class Muted(Quiet):
    def blocks(self) -> Iterator[AudioBlock | NoAudio]:
        for start in range(0, 80000, 800):
            yield AudioBlock(np.zeros(800, np.float32), 16000, start)


def _absent(settings: MicrophoneSettings) -> Quiet:
    raise MicrophoneError(f"{settings.device} is there no more")


@pytest.fixture
def system(tmp_path: Path) -> CheckedSystem:
    """A machine with nothing to complain of."""
    root = tmp_path / "root"
    for path, text in {
        "run/systemd/timesync/synchronized": "",
        "proc/meminfo": "MemAvailable: 900000 kB\n",
        "sys/class/thermal/thermal_zone0/temp": "40000\n",
    }.items():
        (root / path).parent.mkdir(parents=True)
        (root / path).write_text(text)
    environment = {"HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path / "run")}
    return CheckedSystem(
        open_microphone=Quiet, environment=environment, root=root, logs=tmp_path / "log", state=tmp_path / "lib"
    )


def _run(options: CheckOptions, system: CheckedSystem) -> tuple[int, dict[str, str]]:
    """Exit code, and check -> its first line."""
    out = io.StringIO()
    code = check(options, out, system)
    lines = [line for line in out.getvalue().splitlines() if not line.startswith(" ")]
    assert [line.split()[1] for line in lines] == [name for name in _ALL if name in {line.split()[1] for line in lines}]
    return code, {line.split()[1]: line for line in lines}


def test_a_machine_that_is_well_passes_every_check(system: CheckedSystem) -> None:
    code, lines = _run(CheckOptions(), system)
    assert list(lines) == _USUAL
    assert code == 0
    assert all(lines[name].startswith("ok") for name in _USUAL if name != "speed")


@pytest.mark.parametrize(("microphone", "words"), [(Muted, "only zeros"), (_absent, "is there no more")])
def test_a_microphone_that_fails_makes_the_whole_fail_and_keeps_no_check_from_being_made(
    system: CheckedSystem, microphone: Callable[[MicrophoneSettings], Quiet], words: str
) -> None:
    code, lines = _run(CheckOptions(), dataclasses.replace(system, open_microphone=microphone))
    assert code == 1
    assert lines["microphone"].startswith("FAILURE")
    assert words in lines["microphone"]
    assert list(lines) == _USUAL


def test_a_configuration_that_does_not_hold_is_a_failure_and_the_rest_is_tried(
    system: CheckedSystem, tmp_path: Path
) -> None:
    config = tmp_path / "anna.toml"
    config.write_text("[listen]\nhop = 1\n")
    code, lines = _run(CheckOptions(config=str(config)), system)
    assert code == 1
    assert 'unknown key "hop"' in lines["config"]
    assert lines["microphone"].startswith("ok")


def test_a_model_that_is_not_there_leaves_no_speed_to_tell(system: CheckedSystem, tmp_path: Path) -> None:
    config = tmp_path / "anna.toml"
    config.write_text('[model.cry]\nbundle = "gone.tflite"\n')
    code, lines = _run(CheckOptions(config=str(config)), system)
    assert code == 1
    assert lines["models"].startswith("FAILURE")
    assert list(lines) == [name for name in _USUAL if name != "speed"]


def test_warnings_alone_do_not_fail(system: CheckedSystem) -> None:
    (system.root / "sys/class/thermal/thermal_zone0/temp").write_text("79000\n")
    code, lines = _run(CheckOptions(), system)
    assert code == 0
    assert lines["temperature"].startswith("WARNING")


def test_the_log_of_an_installed_instance_is_looked_for_where_the_unit_puts_it(
    system: CheckedSystem, tmp_path: Path
) -> None:
    _, lines = _run(CheckOptions(), system)
    assert f"{tmp_path}/.local/state/auricle/nursery/heard.jsonl" in lines["disk"]
    (system.logs / "anna").mkdir(parents=True)
    _, lines = _run(CheckOptions(instance="anna"), system)
    assert f"{tmp_path}/log/anna/heard.jsonl" in lines["disk"]
    (system.root / "etc/systemd/system").mkdir(parents=True)
    (system.root / "etc/systemd/system/auricle@.service").touch()
    _, lines = _run(CheckOptions(instance="ben"), system)  # which was never started
    assert f"{tmp_path}/log/ben/heard.jsonl" in lines["disk"]


def test_a_hop_at_which_a_model_cannot_listen_is_to_be_corrected(system: CheckedSystem, tmp_path: Path) -> None:
    config = tmp_path / "anna.toml"
    config.write_text("[listen]\nhop_s = 0.3\n")
    out = io.StringIO()
    assert check(CheckOptions(config=str(config)), out, system) == 1
    assert 'correct "hop_s" in [listen]' in out.getvalue()


def test_a_daemon_that_runs_is_asked_instead_of_its_microphone(
    system: CheckedSystem, tmp_path: Path, state: DaemonState
) -> None:
    began_s = time.monotonic()

    def living() -> DaemonState:
        return dataclasses.replace(state, uptime_s=state.uptime_s + time.monotonic() - began_s)

    with StatusServer(tmp_path / "run" / "auricle" / "anna" / "status.sock", living):
        code, lines = _run(CheckOptions(instance="anna"), dataclasses.replace(system, open_microphone=_absent))
    assert code == 0
    assert "the daemon that runs holds" in lines["microphone"]


@pytest.mark.parametrize(
    "options", [CheckOptions(profile="nursry"), CheckOptions(instance="../anna"), CheckOptions(config="My Room.toml")]
)
def test_what_can_be_no_name_is_bad_input(system: CheckedSystem, options: CheckOptions) -> None:
    with pytest.raises(ConfigError):
        check(options, io.StringIO(), system)


def test_a_wrong_bundle_password_or_authority_names_file_line_and_key(system: CheckedSystem, tmp_path: Path) -> None:
    config = tmp_path / "anna.toml"
    config.write_text(
        '[model.cry]\nbundle = "gone.tflite"\n[mqtt]\nhost = "localhost"\ntls = true\nca_file = "gone.pem"\n'
    )
    out = io.StringIO()
    assert check(CheckOptions(config=str(config)), out, system) == 1
    cure = (
        "                      what to do: correct that line; auricle config --check FILE lists every mistake at once"
    )
    not_there = "which is not there; correct the path (one that is not absolute begins at the configuration's folder)"
    lines = out.getvalue().splitlines()
    for name, key, file, line in (("models", "bundle", "gone.tflite", 2), ("broker", "ca_file", "gone.pem", 6)):
        table = "[model.cry]" if name == "models" else "[mqtt]"
        sentence = f'{config}, line {line}: "{key}" in {table} is "{tmp_path / file}", {not_there}'
        at = lines.index(f"FAILURE  {name:<12} {sentence}")
        assert lines[at + 1] == cure


@pytest.mark.parametrize(
    ("level", "start", "words"),
    [
        (-30, "ok", "now it is -50."),
        (-47, "WARNING", "once raised, it would not end"),
        (-55, "WARNING", "would raise it"),
    ],
)
def test_the_room_is_held_against_the_level_of_the_loudness_alarm(
    system: CheckedSystem, tmp_path: Path, level: int, start: str, words: str
) -> None:
    config = tmp_path / "anna.toml"
    config.write_text(f"[loudness]\nlevel_dbfs = {level}\n")
    code, lines = _run(CheckOptions(config=str(config)), system)
    assert code == 0
    assert lines["loudness"].startswith(start)
    assert f"an alarm from {level} dBFS on, for 2 s with at most 2 s of pauses" in lines["loudness"]
    assert words in lines["loudness"]


def test_a_room_that_cannot_be_measured_is_said(system: CheckedSystem, tmp_path: Path) -> None:
    config = tmp_path / "anna.toml"
    config.write_text("[loudness]\nlevel_dbfs = -30\n")
    _, lines = _run(CheckOptions(config=str(config)), dataclasses.replace(system, open_microphone=_absent))
    assert lines["loudness"].startswith("WARNING")
    assert "could not be measured" in lines["loudness"]
