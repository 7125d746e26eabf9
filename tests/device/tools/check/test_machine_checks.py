"""Checks of the machine, on machines that are made up under a folder, and on the one that is there."""

from __future__ import annotations

import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from device.config.loading import parse_config
from device.errors import ConfigError
from device.tools.check import machine_checks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from device.config.settings import Settings
    from device.findings import FindingOutcome


def _laid(root: Path, path: str, text: str) -> None:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text(text)


# --- clock


def test_a_clock_that_nothing_sets_is_told_with_what_it_means(tmp_path: Path) -> None:
    finding = machine_checks.check_clock(lambda: False, tmp_path)
    assert finding.outcome == "warning"
    assert "no hardware clock keeps it" in finding.summary
    (tmp_path / "sys/class/rtc/rtc0").mkdir(parents=True)
    assert "a hardware clock keeps it" in machine_checks.check_clock(lambda: False, tmp_path).summary


def test_a_clock_that_the_network_sets_is_well(tmp_path: Path) -> None:
    assert machine_checks.check_clock(lambda: True, tmp_path).outcome == "ok"
    _laid(tmp_path, "run/systemd/timesync/synchronized", "")
    assert machine_checks.check_clock(lambda: False, tmp_path).outcome == "ok"


# --- disk


def test_a_log_that_can_be_written_is_named_with_the_room_there_is(tmp_path: Path) -> None:
    log = tmp_path / "not" / "yet" / "heard.jsonl"
    finding = machine_checks.check_log(log, 1)
    assert finding.outcome == "ok"
    assert str(log) in finding.summary
    assert not list(tmp_path.iterdir()), "to look leaves nothing behind"


def test_too_little_room_for_the_log_is_a_warning(tmp_path: Path) -> None:
    finding = machine_checks.check_log(tmp_path / "heard.jsonl", 10**18)
    assert finding.outcome == "warning"
    assert "max_mb" in finding.cure


def test_a_folder_that_takes_no_file_is_a_failure() -> None:
    finding = machine_checks.check_log(Path("/proc/heard.jsonl"), 1)
    assert finding.outcome == "failure"
    assert "cannot be written" in finding.summary
    assert finding.cure


def test_a_full_disk_is_a_failure_with_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(**_options: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tempfile, "TemporaryFile", refused)
    finding = machine_checks.check_log(tmp_path / "heard.jsonl", 1)
    assert finding.outcome == "failure"
    assert "No space left" in finding.summary


def test_no_log_needs_no_disk() -> None:
    assert machine_checks.check_log(None, 1).outcome == "ok"


# --- heat, power, memory


@pytest.mark.parametrize(("degrees", "outcome"), [(41.2, "ok"), (75.0, "warning"), (85.1, "failure")])
def test_the_hottest_part_decides(tmp_path: Path, degrees: float, outcome: FindingOutcome) -> None:
    _laid(tmp_path, "sys/class/thermal/thermal_zone0/temp", "30000\n")
    _laid(tmp_path, "sys/class/thermal/thermal_zone1/temp", f"{round(degrees * 1000)}\n")
    _laid(tmp_path, "sys/class/thermal/thermal_zone2/temp", "asleep\n")
    finding = machine_checks.check_temperature(tmp_path)
    assert finding.outcome == outcome
    assert f"{degrees:.0f} degrees" in finding.summary


def test_a_machine_without_thermometer_is_no_failure(tmp_path: Path) -> None:
    assert machine_checks.check_temperature(tmp_path).outcome == "ok"


@pytest.mark.parametrize(
    ("output", "outcome", "word"),
    [
        ("throttled=0x0\n", "ok", "held"),
        ("throttled=0x50005\n", "warning", "voltage fell too low now"),
        ("throttled=0x50000\n", "warning", "voltage fell too low since it was started"),
        ("throttled=0xe0008\n", "warning", "slowed down by heat now"),
        ("VCHI initialization failed\n", "ok", "does not tell"),
        (None, "ok", "does not tell"),
    ],
)
def test_the_flags_of_a_pi_are_read(output: str | None, outcome: FindingOutcome, word: str) -> None:
    def answer(command: Sequence[str]) -> str | None:
        assert command == ["vcgencmd", "get_throttled"]
        return output

    finding = machine_checks.check_power(answer)
    assert (finding.outcome, word in finding.summary) == (outcome, True)


@pytest.mark.parametrize(
    ("command", "output"),
    [(["echo", "throttled=0x0"], "throttled=0x0\n"), (["false"], None), (["no-such-program"], None)],
)
def test_a_program_that_is_not_there_or_fails_gives_no_answer(command: list[str], output: str | None) -> None:
    assert machine_checks.output_of(command) == output


@pytest.mark.parametrize(("available_kb", "outcome"), [(900_000, "ok"), (200_000, "warning"), (50_000, "failure")])
def test_what_memory_is_left_decides(tmp_path: Path, available_kb: int, outcome: FindingOutcome) -> None:
    _laid(tmp_path, "proc/meminfo", f"MemTotal: 1000000 kB\nMemAvailable:   {available_kb} kB\n")
    assert machine_checks.check_memory(tmp_path).outcome == outcome


def test_this_machine_tells_its_memory() -> None:
    assert " MB are available" in machine_checks.check_memory().summary


# --- time zone

_NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


def _with(alarms: str, daily_at: str = "12:00") -> Settings:
    return parse_config(f'[alarms]\n{alarms}\n[self_test]\ndaily_at = "{daily_at}"\n', source="a.toml")


def test_the_hour_there_is_told() -> None:
    finding = machine_checks.check_time_zone(_with('time_zone = "Asia/Tokyo"\nquiet_hours = "22:00-06:00"'), _NOON)
    assert finding.outcome == "ok"
    assert "quiet hours 22:00-06:00 and self-test at 12:00 by Asia/Tokyo, where it is 21:00 (JST)" in finding.summary


def test_quiet_hours_on_a_machine_that_was_never_told_its_zone_are_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC")
    finding = machine_checks.check_time_zone(_with('quiet_hours = "22:00-06:00"'), _NOON)
    assert finding.outcome == "warning"
    assert "on your wall" in finding.summary
    assert (
        machine_checks.check_time_zone(_with('quiet_hours = "22:00-06:00"\ntime_zone = "UTC"'), _NOON).outcome == "ok"
    )
    assert machine_checks.check_time_zone(_with(""), _NOON).outcome == "ok"


def test_a_zone_that_is_not_known_here_is_refused() -> None:
    with pytest.raises(ConfigError, match="Mars/Olympus"):
        machine_checks.check_time_zone(_with('time_zone = "Mars/Olympus"'), _NOON)
