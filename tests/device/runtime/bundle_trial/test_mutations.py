"""Mutated bundles, their hashes made to fit, are refused in one sentence or open; `make mutations` tries 5,000."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from device.hearing.bundle.archive import split_archive
from tests.device.hearing.network.hostile import CARRYING_CRY, CARRYING_SCREAM, TINY_LOW, TINY_TONE, head_of
from tests.device.runtime.bundle_trial.mutations import mutations, tally

if TYPE_CHECKING:
    from pathlib import Path

PAIRS = [((TINY_LOW, TINY_TONE), 300), ((CARRYING_CRY, CARRYING_SCREAM), 150)]


@pytest.mark.parametrize(("pair", "count"), PAIRS, ids=["one network", "backbone and head"])
def test_hundreds_of_mutations_neither_crash_nor_hang_nor_end_in_another_error(
    pair: tuple[Path, Path], count: int
) -> None:
    files = [path.read_bytes() for path in pair]
    found = tally(count, files)
    assert sum(found.values()) == count
    assert found["refused by its structure"] > count / 4  # so the check is reached
    assert found["opened"] + sum(found.values()) - found["refused by its structure"] > count / 20  # and the trial too


def test_a_mutation_is_reproduced_by_its_number() -> None:
    files = [TINY_LOW.read_bytes()]
    assert list(mutations(files, 20)) == list(mutations(files, 20))
    assert len({mutation.file for mutation in mutations(files, 20)}) > 15


def test_both_parts_of_a_network_in_two_are_mutated() -> None:
    file = CARRYING_CRY.read_bytes()
    made = [mutation.file for mutation in mutations([file], 40) if mutation.kind in ("bits", "number", "copy")]
    backbones = [split_archive(each).network != split_archive(file).network for each in made]
    heads = [head_of(each) != head_of(file) for each in made]
    assert min(sum(backbones), sum(heads)) > 5
    assert not any(map(all, zip(backbones, heads, strict=True)))
