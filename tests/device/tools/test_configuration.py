"""`auricle config`: the example, the schema, and the check of a file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from device.__main__ import main
from device.config.loading import parse_config, profile

if TYPE_CHECKING:
    import pytest


def test_the_example_configuration_is_valid_and_is_the_defaults(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "--example"]) == 0
    assert parse_config(capfd.readouterr().out, source="example") == profile("nursery")


def test_the_printed_schema_is_the_committed_one(capfd: pytest.CaptureFixture[str]) -> None:
    committed = Path(__file__).parents[3] / "docs" / "schemas" / "config.schema.json"
    assert main(["config", "--schema"]) == 0
    assert capfd.readouterr().out == committed.read_text(encoding="utf-8")


def test_a_configuration_is_checked(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "nursery.toml"
    path.write_text("[listen]\nhop = 0.5\n")
    assert main(["config", "--check", str(path)]) == 2
    assert f'{path}, line 2: unknown key "hop" in [listen]; did you mean "hop_s"?' in capfd.readouterr().err
    path.write_text("[listen]\nhop_s = 0.5\n")
    assert main(["config", "--check", str(path)]) == 0
