"""The archive of marks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from training.data.activity_marks import load_activity, save_activity

if TYPE_CHECKING:
    from pathlib import Path


def test_marks_are_read_back_as_written(tmp_path: Path) -> None:
    marks = {"set/folder/a.ogg": np.array([True, False]), "set/b.ogg": np.zeros(3, np.bool_)}
    save_activity(tmp_path / "active.npz", marks)
    loaded = load_activity(tmp_path / "active.npz")
    assert list(loaded) == list(marks)
    assert all(np.array_equal(loaded[file], marks[file]) for file in marks)
