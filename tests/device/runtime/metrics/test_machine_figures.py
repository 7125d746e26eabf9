"""The machine's temperature and free room, on machines that are made up under a folder."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from device.runtime.metrics.machine_figures import MachineFigures, machine_figures

if TYPE_CHECKING:
    from pathlib import Path


def _zone(root: Path, number: int, text: str) -> None:
    folder = root / f"sys/class/thermal/thermal_zone{number}"
    folder.mkdir(parents=True)
    (folder / "temp").write_text(text)


def test_the_hottest_sensor_counts_and_a_broken_one_does_not(tmp_path: Path) -> None:
    assert machine_figures({}, tmp_path) == MachineFigures()
    _zone(tmp_path, 0, "not a number\n")
    _zone(tmp_path, 1, "0\n")
    assert machine_figures({}, tmp_path).hottest_c is None
    _zone(tmp_path, 2, "51540\n")
    _zone(tmp_path, 3, "47000\n")
    assert machine_figures({}, tmp_path).hottest_c == 51.54


def test_a_folder_that_does_not_exist_has_no_figure_and_the_others_have_theirs(tmp_path: Path) -> None:
    free = machine_figures({"journal": tmp_path, "clips": tmp_path / "not yet"}).free_bytes
    assert free.keys() == {"journal"}
    assert abs(free["journal"] - shutil.disk_usage(tmp_path).free) < 1 << 30
