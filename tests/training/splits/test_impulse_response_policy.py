"""Rooms of one family stay together, and each part has rooms of its own."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING

import pytest

from training.data.datasets.manifest_csv import read_manifest
from training.splits.impulse_response_policy import make_list

if TYPE_CHECKING:
    from pathlib import Path

HEAD = "file,set,labels,subject,session,split,sr,duration,source_file,events,note\n"


def rooms(folder: Path, *subjects: str) -> dict[str, tuple[str, str]]:
    """Subject -> (group, part) for impulse responses of these subjects."""
    (folder / "rir").mkdir()
    lines = (f"{subject}.flac,rir,rir,{subject},,,16000,1.0,,,\n" for subject in subjects)
    (folder / "rir" / "manifest.csv").write_text(HEAD + "".join(lines), encoding="utf-8")
    listed = make_list(read_manifest(folder / "rir"), folder)
    return {clip.file.removeprefix("rir/").removesuffix(".flac"): (clip.subject, clip.part) for clip in listed}


def test_one_hall_through_several_microphones_is_one_room(tmp_path: Path) -> None:
    made = rooms(tmp_path, "cardiod-35-10-spread", "omni-35-10", "matrix-reverb2", "matrix-reverb6", "wildecho")
    assert made["cardiod-35-10-spread"] == made["omni-35-10"] == ("rir:hall", "train")
    assert made["matrix-reverb2"] == made["matrix-reverb6"]
    assert made["wildecho"][1] == "val"


def test_a_room_of_no_known_family_is_kept_out(tmp_path: Path) -> None:
    assert rooms(tmp_path, "cathedral-nobody-placed")["cathedral-nobody-placed"][1] == "exclude"


@pytest.mark.real_audio
def test_every_room_at_hand_has_its_part(data_dir: Path) -> None:
    listed = make_list(read_manifest(data_dir / "rir"), data_dir)
    assert Counter(clip.part for clip in listed) == {"train": 13, "val": 3, "test": 2}
    families: defaultdict[str, set[str]] = defaultdict(set)
    for clip in listed:
        families[clip.subject].add(clip.part)
    assert all(len(parts) == 1 for parts in families.values())
