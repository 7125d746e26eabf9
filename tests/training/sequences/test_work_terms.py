"""A folder of sequences holds free recordings alone, or all, and what is made of it keeps to that."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from device.errors import ConfigError
from training.data.terms import is_free
from training.sequences import material
from training.sequences.handover import columns_of, description, labels_of
from training.sequences.sound_kinds import LABELS
from training.sequences.work_terms import is_free_only, refuse_other_terms, settle_terms

if TYPE_CHECKING:
    from pathlib import Path

    from training.data.split_list import Part


@pytest.mark.parametrize("part", ["train", "val"])
def test_free_material_is_every_free_recording_and_no_other(part: Part) -> None:
    every, free = material._claims(part), material._claims(part, free_only=True)
    assert free == {file: claim for file, claim in every.items() if is_free(file)}
    assert 0 < len(free) < len(every)
    assert any(claim.holds[0] for claim in free.values())
    assert not any(claim.holds[1] for claim in free.values())  # no collection of screams is free


def test_a_folder_is_mixed_under_one_choice_of_terms(tmp_path: Path) -> None:
    settle_terms(tmp_path, free_only=True)
    settle_terms(tmp_path, free_only=True)
    assert is_free_only(tmp_path)
    with pytest.raises(ConfigError, match="free recordings alone: name another folder, or give --free-only"):
        settle_terms(tmp_path, free_only=False)


def test_a_folder_of_shards_without_a_note_is_from_all_recordings(tmp_path: Path) -> None:
    (tmp_path / "train-0000.npz").touch()
    settle_terms(tmp_path, free_only=False)
    assert not is_free_only(tmp_path)
    with pytest.raises(ConfigError, match="all recordings: name another folder, or leave out --free-only"):
        settle_terms(tmp_path, free_only=True)


def test_a_note_that_nobody_wrote_so_is_refused(tmp_path: Path) -> None:
    (tmp_path / "terms.json").write_text("[]")
    with pytest.raises(ConfigError, match="not what mix wrote"):
        is_free_only(tmp_path)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """The folder of a fit to all recordings, as it was before fits noted their terms."""
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "fit.json").write_text(json.dumps({"settings": {"seed": 1}}))
    return tmp_path / "run"


def test_a_fit_to_all_recordings_gives_nothing_to_free_ones(tmp_path: Path, run: Path) -> None:
    refuse_other_terms(run, tmp_path)  # a folder of all recordings takes any fit
    settle_terms(tmp_path, free_only=True)
    with pytest.raises(ConfigError, match="learned from all recordings"):
        refuse_other_terms(run, tmp_path)


def test_a_fit_to_free_recordings_goes_on(tmp_path: Path, run: Path) -> None:
    settle_terms(tmp_path, free_only=True)
    (run / "fit.json").write_text(json.dumps({"settings": {"free_only": True}}))
    refuse_other_terms(run, tmp_path)


def test_a_fit_that_cannot_be_read_gives_nothing_to_free_recordings(tmp_path: Path, run: Path) -> None:
    settle_terms(tmp_path, free_only=True)
    (run / "fit.json").write_text("{}")
    with pytest.raises(ConfigError, match=r"fit\.json cannot be read"):
        refuse_other_terms(run, tmp_path)


def test_a_model_scores_the_labels_alone_that_it_learned() -> None:
    learned = ("cry", "dog", "child", "music")
    assert labels_of("cry", learned) == learned
    assert columns_of("cry", learned) == tuple(LABELS.index(label) for label in learned)
    assert [label["name"] for label in description("cry", {}, learned)["labels"]] == list(learned)
