"""The picture is made of the figures alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from PIL import Image

from training.results.leak.leak_picture import ARMS, draw_leak

if TYPE_CHECKING:
    from pathlib import Path


def figures(value: float) -> dict[str, Any]:
    arm = {"macro_f1": value, "low": value - 0.05, "high": value + 0.05, "always_yes": 0.3}
    return {"arms": dict.fromkeys(ARMS, arm)}


def test_equal_figures_give_equal_bytes_and_others_do_not(tmp_path: Path) -> None:
    one, again, other = (tmp_path / name for name in ("one.png", "again.png", "other.png"))
    draw_leak(figures(0.5), one)
    draw_leak(figures(0.5), again)
    draw_leak(figures(0.6), other)
    assert one.read_bytes() == again.read_bytes() != other.read_bytes()
    with Image.open(one) as picture:
        assert picture.width >= 900
    assert len(one.read_bytes()) < 150_000
