"""Mutated bundles, their hashes made to fit, are refused in one sentence or open; `make mutations` tries 5,000."""

from __future__ import annotations

from tests.device.hearing.network.hostile import TINY_LOW, TINY_TONE
from tests.device.runtime.bundle_trial.mutations import mutations, tally

COUNT = 300


def test_hundreds_of_mutations_neither_crash_nor_hang_nor_end_in_another_error() -> None:
    files = [TINY_LOW.read_bytes(), TINY_TONE.read_bytes()]
    found = tally(COUNT, files)
    assert sum(found.values()) == COUNT
    assert found["refused by its structure"] > COUNT / 4  # so the check is reached
    assert found["opened"] + sum(found.values()) - found["refused by its structure"] > COUNT / 20  # and the trial too


def test_a_mutation_is_reproduced_by_its_number() -> None:
    files = [TINY_LOW.read_bytes()]
    assert list(mutations(files, 20)) == list(mutations(files, 20))
    assert len({mutation.file for mutation in mutations(files, 20)}) > 15
