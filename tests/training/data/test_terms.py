"""Whether every listed recording has stated terms, and whether the filter lets through free ones alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from device.errors import RecordingError
from device.hearing.bundle.reader import read_bundle
from device.runtime.model_library import shipped_bundles
from training.data.split_list import CRY_LIST, IMPULSE_RESPONSE_LIST, LUNG_LIST, SCREAM_LIST, read_list
from training.data.terms import StatedTerms, Terms, is_free, read_terms, terms_of

if TYPE_CHECKING:
    from pathlib import Path

LISTED = {clip.file for path in (CRY_LIST, SCREAM_LIST, LUNG_LIST, IMPULSE_RESPONSE_LIST) for clip in read_list(path)}
RESTRICTED = ("NC", "NON-COMMERCIAL", "NONCOMMERCIAL")


def test_every_listed_recording_has_stated_terms_and_every_line_a_recording() -> None:
    table = read_terms()
    used = {terms_of(file, table) for file in LISTED}
    assert used == set(table)


def test_nothing_non_commercial_or_unstated_passes() -> None:
    for file in LISTED:
        found = terms_of(file, read_terms())
        restricted = any(word in found.licence.upper().replace("AND NON-COMMERCIAL", "") for word in RESTRICTED)
        assert is_free(file) == (found.terms == "free")
        assert not (is_free(file) and (restricted or not found.licence))


@pytest.mark.parametrize(
    ("file", "terms"),
    [
        ("donateacry/cry/a.ogg", "free"),
        ("esc50/crying_baby/1.ogg", "free"),
        ("esc50/cat/1.ogg", "non_commercial"),
        ("esc50/dog/1.ogg", "free"),
        ("speech/child/1.ogg", "free"),
        ("ambient/loops/noisekun__rain.ogg", "free"),
        ("ambient/loops/noisekun__rain-on-tent.ogg", "unclear"),
        ("ambient/loops/moodist__rain.ogg", "unclear"),
        ("ambient/music/data__147793__setuniman__sweet-waltz.ogg", "non_commercial"),
        ("scream/scream/1.ogg", "unclear"),
        ("pets/cat/1.ogg", "unclear"),
        ("babycry/cry/1.ogg", "unclear"),
    ],
)
def test_what_may_be_built_on(file: str, terms: Terms) -> None:
    assert terms_of(file, read_terms()).terms == terms
    assert is_free(file) == (terms == "free")


def test_the_open_model_names_every_collection_of_free_recordings_and_no_other() -> None:
    card = read_bundle(shipped_bundles()["cry-open"]).card
    assert card["recipe"]["free_only"] is True
    named = {one["set"]: one for one in card["data"]}
    assert named.pop("rir")["licence"] == "Apache-2.0; MIT"
    free = [clip for clip in read_list(CRY_LIST) if clip.part in ("train", "val") and is_free(clip.file)]
    assert set(named) == {clip.set for clip in free}
    for name, one in named.items():
        for part in ("train", "val"):
            labels = [clip.label for clip in free if (clip.set, clip.part) == (name, part)]
            assert one[part] == f"{labels.count('cry')} + {labels.count('other')}"
        assert "STATED" not in one["licence"].upper()
        assert not any(word in one["licence"].upper().replace("AND NON-COMMERCIAL", "") for word in RESTRICTED)


def test_the_esc_10_classes_alone_are_free_of_esc_50() -> None:
    free = {file.split("/")[1] for file in LISTED if file.startswith("esc50/") and is_free(file)}
    assert free == {
        "chainsaw", "clock_tick", "crackling_fire", "crying_baby", "dog",
        "helicopter", "rain", "rooster", "sea_waves", "sneezing",
    }  # fmt: skip


def test_the_longest_line_counts_and_a_file_without_one_is_refused() -> None:
    table = (StatedTerms("a/", "unclear", "", "nobody"), StatedTerms("a/b/", "free", "CC0", "README"))
    assert terms_of("a/b/1.ogg", table).terms == "free"
    assert terms_of("a/c/1.ogg", table).terms == "unclear"
    with pytest.raises(RecordingError, match=r"terms\.csv says nothing of b/1\.ogg"):
        terms_of("b/1.ogg", table)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("a/,fair,CC0,README", r"line 2: it must say files, terms \(free, non_commercial, unclear\)"),
        ("a/,free,CC0,", "it must say files"),
        ("a/,free,,README", "need a licence that says so"),
    ],
)
def test_a_line_that_states_no_terms_is_refused(tmp_path: Path, line: str, said: str) -> None:
    (tmp_path / "terms.csv").write_text(f"files,terms,licence,stated\n{line}\n")
    with pytest.raises(RecordingError, match=said):
        read_terms(tmp_path / "terms.csv")


def test_a_missing_table_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="it is committed with the code"):
        read_terms(tmp_path / "none.csv")
