"""`auricle pins-low`: configured pins are driven low; without any, nothing is done."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from device.__main__ import main

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_pins_are_driven_low_where_some_are_named_and_nothing_is_done_where_none_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setitem(sys.modules, "gpiozero.pins.lgpio", None)  # no machine that runs this has its pins changed
    config = tmp_path / "anna.toml"
    config.write_text("[gpio]\n")
    assert main(["pins-low", "--config", str(config)]) == 0
    config.write_text("[gpio]\nled = 17\n")
    assert main(["pins-low", "--config", str(config)]) == 2
    captured = capfd.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("auricle: no GPIO here, led will do nothing")
