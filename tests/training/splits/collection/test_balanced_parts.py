"""Groups are divided whole, repeatably, and each part gets its share of each label."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.errors import ConfigError
from training.splits.collection.balanced_parts import balanced_parts
from training.splits.subject_split import PARTS

COUNTS = st.dictionaries(
    st.text("abcdef", min_size=1, max_size=3),
    st.dictionaries(st.sampled_from(["", "cry", "other"]), st.integers(1, 9), min_size=1),
    min_size=3,
    max_size=30,
)


@given(counts=COUNTS, seed=st.integers(0, 99))
def test_every_group_has_one_part_every_part_a_group_and_a_seed_one_answer(
    counts: dict[str, dict[str, int]], seed: int
) -> None:
    parts = balanced_parts(counts, np.random.default_rng(seed))
    assert sorted(parts) == sorted(counts)
    assert set(parts.values()) == set(PARTS)
    turned_round = dict(reversed(counts.items()))
    assert balanced_parts(turned_round, np.random.default_rng(seed)) == parts


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_each_part_comes_within_one_subject_of_its_share_of_a_rare_label_too(seed: int) -> None:
    rng = np.random.default_rng(seed)
    counts = {f"s{i}": {"": 10, "often": int(rng.integers(1, 10)), "rare": int(i % 7 == 0)} for i in range(120)}
    parts = balanced_parts(counts, rng, shares=(0.6, 0.2, 0.2))
    for label, step in (("", 1 / 120), ("often", 9 / 600), ("rare", 1 / 17)):
        held = Counter[str]()
        for subject, part in parts.items():
            held[part] += counts[subject][label]
        shares = [held[part] / held.total() for part in PARTS]
        assert shares == pytest.approx([0.6, 0.2, 0.2], abs=step + 0.01), label


def test_another_seed_gives_another_split() -> None:
    counts = {f"s{i}": {"": 1} for i in range(30)}
    assert balanced_parts(counts, np.random.default_rng(1)) != balanced_parts(counts, np.random.default_rng(2))


def test_what_is_fixed_stays_and_counts() -> None:
    counts = {name: {"": 1} for name in "abcdefghij"}
    fixed = dict.fromkeys("abcdef", PARTS[0])
    parts = balanced_parts(counts, np.random.default_rng(1), fixed=fixed)
    assert Counter(parts.values()) == {"train": 6, "val": 2, "test": 2}


def test_a_part_that_wants_nothing_stays_empty_and_too_few_groups_are_refused() -> None:
    counts = {name: {"": 1} for name in "ab"}
    assert set(balanced_parts(counts, np.random.default_rng(1), shares=(0.8, 0.2, 0)).values()) == {"train", "val"}
    with pytest.raises(ConfigError, match="2 subjects cannot make 3 parts: record 1 more"):
        balanced_parts(counts, np.random.default_rng(1))
