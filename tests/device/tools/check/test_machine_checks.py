"""Checks of the machine_checks, on machines that are made up under a folder, and on the one that is there."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from device.tools.check import machine_checks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from device.tools.check.finding import Verdict


def _laid(root: Path, path: str, text: str) -> None:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text(text)


# --- clock


def test_a_clock_that_nothing_sets_is_told_with_what_it_means(tmp_path: Path) -> None:
    finding = machine_checks.clock(lambda: False, tmp_path)
    assert finding.verdict == "warning"
    assert "no hardware clock keeps it" in finding.says
    (tmp_path / "sys/class/rtc/rtc0").mkdir(parents=True)
    assert "a hardware clock keeps it" in machine_checks.clock(lambda: False, tmp_path).says


def test_a_clock_that_the_network_sets_is_well(tmp_path: Path) -> None:
    assert machine_checks.clock(lambda: True, tmp_path).verdict == "ok"
    _laid(tmp_path, "run/systemd/timesync/synchronized", "")
    assert machine_checks.clock(lambda: False, tmp_path).verdict == "ok"


# --- disk


def test_a_log_that_can_be_written_is_named_with_the_room_there_is(tmp_path: Path) -> None:
    log = tmp_path / "not" / "yet" / "heard.jsonl"
    finding = machine_checks.disk(log, 1)
    assert finding.verdict == "ok"
    assert str(log) in finding.says
    assert not list(tmp_path.iterdir()), "to look leaves nothing behind"


def test_too_little_room_for_the_log_is_a_warning(tmp_path: Path) -> None:
    finding = machine_checks.disk(tmp_path / "heard.jsonl", 10**18)
    assert finding.verdict == "warning"
    assert "max_mb" in finding.do


def test_a_folder_that_takes_no_file_is_a_failure() -> None:
    finding = machine_checks.disk(Path("/proc/heard.jsonl"), 1)
    assert finding.verdict == "failure"
    assert "cannot be written" in finding.says
    assert finding.do


def test_a_full_disk_is_a_failure_with_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(**_options: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tempfile, "TemporaryFile", refused)
    finding = machine_checks.disk(tmp_path / "heard.jsonl", 1)
    assert finding.verdict == "failure"
    assert "No space left" in finding.says


def test_no_log_needs_no_disk() -> None:
    assert machine_checks.disk(None, 1).verdict == "ok"


# --- heat, power, memory


@pytest.mark.parametrize(("degrees", "verdict"), [(41.2, "ok"), (75.0, "warning"), (85.1, "failure")])
def test_the_hottest_part_decides(tmp_path: Path, degrees: float, verdict: Verdict) -> None:
    _laid(tmp_path, "sys/class/thermal/thermal_zone0/temp", "30000\n")
    _laid(tmp_path, "sys/class/thermal/thermal_zone1/temp", f"{round(degrees * 1000)}\n")
    _laid(tmp_path, "sys/class/thermal/thermal_zone2/temp", "asleep\n")
    finding = machine_checks.temperature(tmp_path)
    assert finding.verdict == verdict
    assert f"{degrees:.0f} degrees" in finding.says


def test_a_machine_without_thermometer_is_no_failure(tmp_path: Path) -> None:
    assert machine_checks.temperature(tmp_path).verdict == "ok"


@pytest.mark.parametrize(
    ("told", "verdict", "word"),
    [
        ("throttled=0x0\n", "ok", "held"),
        ("throttled=0x50005\n", "warning", "voltage fell too low now"),
        ("throttled=0x50000\n", "warning", "voltage fell too low since it was started"),
        ("throttled=0xe0008\n", "warning", "slowed down by heat now"),
        ("VCHI initialization failed\n", "ok", "does not tell"),
        (None, "ok", "does not tell"),
    ],
)
def test_the_flags_of_a_pi_are_read(told: str | None, verdict: Verdict, word: str) -> None:
    def answer(command: Sequence[str]) -> str | None:
        assert command == ["vcgencmd", "get_throttled"]
        return told

    finding = machine_checks.power(answer)
    assert (finding.verdict, word in finding.says) == (verdict, True)


@pytest.mark.parametrize(
    ("command", "told"),
    [(["echo", "throttled=0x0"], "throttled=0x0\n"), (["false"], None), (["no-such-program"], None)],
)
def test_a_program_that_is_not_there_or_fails_gives_no_answer(command: list[str], told: str | None) -> None:
    assert machine_checks.answer_of(command) == told


@pytest.mark.parametrize(("available_kb", "verdict"), [(900_000, "ok"), (200_000, "warning"), (50_000, "failure")])
def test_what_memory_is_left_decides(tmp_path: Path, available_kb: int, verdict: Verdict) -> None:
    _laid(tmp_path, "proc/meminfo", f"MemTotal: 1000000 kB\nMemAvailable:   {available_kb} kB\n")
    assert machine_checks.memory(tmp_path).verdict == verdict


def test_this_machine_tells_its_memory() -> None:
    assert " MB are available" in machine_checks.memory().says
