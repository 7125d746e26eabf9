"""How findings are printed, and that no failing check prevents the others."""

from __future__ import annotations

import pytest

from device.errors import BundleError
from device.findings import Finding, finding_lines
from device.tools.check.check_run import run_check


def test_a_finding_is_one_line_and_what_to_do_another() -> None:
    assert list(finding_lines(Finding("clock", "ok", "it is set"))) == ["ok       clock        it is set"]
    assert list(finding_lines(Finding("disk", "failure", "it is full", "make room"))) == [
        "FAILURE  disk         it is full",
        "                      what to do: make room",
    ]


def test_what_a_device_calls_itself_cannot_break_a_line() -> None:
    lines = list(finding_lines(Finding("microphone", "warning", "a\nb\x1b[2J", "c\rd")))
    assert len(lines) == 2
    assert all(line.isprintable() for line in lines)


def test_an_error_of_ours_is_a_failure_with_what_to_do() -> None:
    def damaged() -> Finding:
        raise BundleError("cry.tflite is damaged")

    assert run_check("models", damaged, "install again") == Finding(
        "models", "failure", "cry.tflite is damaged", "install again"
    )


@pytest.mark.parametrize("error", [OSError(5, "Input/output error"), ValueError("odd"), ZeroDivisionError("zero")])
def test_a_check_that_breaks_says_that_it_found_nothing_out(error: Exception) -> None:
    def breaking() -> Finding:
        raise error

    finding = run_check("memory", breaking, "")
    assert finding.outcome == "warning"
    assert f"cannot be found out: {type(error).__name__}: {error}" in finding.summary
