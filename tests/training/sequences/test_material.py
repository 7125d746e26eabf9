"""What the committed lists say of a recording, and where its event sounds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from device.errors import RecordingError
from training.data.split_list import CRY_LIST, SCREAM_LIST, read_list
from training.sequences import event_marks, material
from training.sequences.sound_kinds import EVENTS, LABELS, REJECTED, is_unsure, rejected_label
from training.sequences.synthetic_sounds import KINDS, draw_sound

if TYPE_CHECKING:
    from pathlib import Path


def test_no_part_teaches_with_a_recording_of_another() -> None:
    train, val = material._claims("train"), material._claims("val")
    assert not set(train) & set(val)
    held_out = {clip.file for clip in (*read_list(CRY_LIST), *read_list(SCREAM_LIST)) if clip.part in {"val", "test"}}
    assert not set(train) & held_out


def test_acted_distress_teaches_what_an_infant_is_not_and_says_nothing_of_screams() -> None:
    acted = [claim for file, claim in material._claims("train").items() if "/distress" in file]
    assert acted
    assert {claim.holds for claim in acted} == {(False, None)}
    assert not [file for file in material._claims("val") if "/distress" in file]


def test_a_pet_that_its_list_leaves_out_teaches_nothing() -> None:
    """Its neighbour by number, perhaps of the same recording, is in another part."""
    left_out = {clip.file for clip in read_list(SCREAM_LIST) if clip.set == "pets" and clip.label == "ignore"}
    assert left_out
    assert not left_out & (set(material._claims("train")) | set(material._claims("val")))


def test_a_doubtful_event_is_neither_one_nor_none() -> None:
    doubtful = {clip.file for clip in read_list(CRY_LIST) if clip.doubtful and clip.label == "cry"}
    claims = material._claims("train")
    assert [claims[file].holds[0] for file in sorted(doubtful & set(claims))]
    assert all(claims[file].holds[0] is None for file in doubtful & set(claims))


def test_events_and_rejected_kinds_have_labels_of_their_own() -> None:
    assert (*EVENTS, *REJECTED) == LABELS
    assert rejected_label("speech|child") == "child"
    assert rejected_label("music|nightdream") == "music"
    assert rejected_label("vacuum_cleaner") is None
    assert is_unsure("ambient|birds")
    assert not is_unsure("cat")


def test_a_breath_between_two_annotated_cries_is_part_of_the_crying(tmp_path: Path) -> None:
    table = tmp_path / "donateacry" / "cry_intervals.csv"
    table.parent.mkdir()
    table.write_text("file,start_s,end_s\ncry/a.ogg,0.5,1.0\ncry/a.ogg,1.2,1.5\ncry/a.ogg,2.5,3.0\n")
    spans = event_marks.read_intervals(table)["donateacry/cry/a.ogg"]
    marked = event_marks._annotated(spans, 400)
    edges = np.flatnonzero(np.diff(marked.astype(np.int8)))
    assert ((edges + 1) / 100).tolist() == [0.5, 1.5, 2.5, 3.0]


def test_a_table_without_intervals_is_refused(tmp_path: Path) -> None:
    table = tmp_path / "cry_intervals.csv"
    table.write_text("name,from\na,1\n")
    with pytest.raises(RecordingError, match=r"cry_intervals\.csv is no table of file, start_s and end_s"):
        event_marks.read_intervals(table)


def test_synthesized_sounds_are_audible_short_and_finite() -> None:
    rng = np.random.default_rng(0)
    drawn = [draw_sound(rng) for _ in range(60)]
    assert {kind for kind, _ in drawn} == set(KINDS)
    for _, samples in drawn:
        assert np.isfinite(samples).all()
        assert np.abs(samples).max() == pytest.approx(0.5, abs=1e-6)
        assert 0.05 * 16_000 < len(samples) < 7 * 16_000
