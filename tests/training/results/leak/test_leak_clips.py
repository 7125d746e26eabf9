"""How the leaking arm divides its clips."""

from __future__ import annotations

from training.results.leak.leak_clips import split_at_random


def test_every_clip_is_in_one_part_and_the_seed_decides_which() -> None:
    train, val, test = split_at_random(1000, seed=1)
    assert sorted([*train, *val, *test]) == list(range(1000))
    assert (len(train), len(val), len(test)) == (800, 100, 100)
    assert split_at_random(1000, seed=1) == (train, val, test) != split_at_random(1000, seed=2)
