"""The profile `stethoscope` on recordings of patients who never trained its model."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from device.__main__ import main

if TYPE_CHECKING:
    from pathlib import Path

HEARD = {
    "test_intra/41104324_3.3_1_p1_3190.flac": {"wheeze"},
    "train/41004529_5.2_1_p2_1424.flac": {"crackle"},
    "train/40490865_8.4_1_p4_1932.flac": set(),
}
"""Recordings of the validation part: annotated with wheezes alone, with crackles alone, and as normal."""


@pytest.mark.real_audio
def test_wheezes_and_crackles_of_patients_become_events_and_normal_breath_does_not(
    data_dir: Path, tmp_path: Path
) -> None:
    files = [str(data_dir / "sprsound" / name) for name in HEARD]
    events = tmp_path / "events.jsonl"
    assert main(["replay", "--profile", "stethoscope", "--events", str(events), *files]) == 0
    heard: dict[str, set[str]] = {name: set() for name in HEARD}
    for line in map(json.loads, events.read_text().splitlines()):
        name = next(name for name in HEARD if line["source"].endswith(name))
        heard[name].add(line["label"])
        assert line["model"] == "lung"
    assert heard == HEARD
