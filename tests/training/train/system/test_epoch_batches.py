"""An epoch's batches follow from the seed and the epoch alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from training.train.system.epoch_batches import batch_count, epoch_batches, masked
from training.train.system.prepared_parts import Place, PreparedPart
from training.train.system.system_recipes import recipe_of

RECIPE = replace(recipe_of("baseline/lung"), batch=4, mixup=0.0, mask=0.0)


def part(count: int) -> PreparedPart:
    numbers = np.arange(count, dtype=np.float32)
    inputs = np.broadcast_to(numbers[:, None, None, None], (count, 6, 5, 1)).copy()
    return PreparedPart((inputs,), (numbers[:, None] / count).astype(np.float32), (Place("a", 0, 1, "s"),) * count)


def test_every_window_comes_once_in_an_order_of_its_own_each_epoch() -> None:
    orders = []
    for epoch in (1, 2, 1):
        batches = list(epoch_batches(part(10), RECIPE, seed=3, epoch=epoch))
        orders.append([float(value) for inputs, _ in batches for value in inputs[0][:, 0, 0, 0]])
        assert [len(targets) for _, targets in batches] == [4, 4, 2]
    assert sorted(orders[0]) == list(range(10))
    assert orders[0] == orders[2] != orders[1]


def test_a_rest_of_one_window_is_left_out_as_it_has_no_spread() -> None:
    assert [len(targets) for _, targets in epoch_batches(part(9), RECIPE, seed=1, epoch=1)] == [4, 4]
    assert [batch_count(part(count), RECIPE) for count in (8, 9, 10, 1)] == [2, 2, 3, 1]


def test_mixing_and_masking_can_be_drawn_again() -> None:
    recipe = replace(RECIPE, mixup=0.4, mask=0.5)
    first, again = (list(epoch_batches(part(8), recipe, seed=1, epoch=5)) for _ in range(2))
    for (one, target), (two, other) in zip(first, again, strict=True):
        assert np.array_equal(one[0], two[0])
        assert np.array_equal(target, other)


def test_a_mask_covers_at_most_its_share_with_the_mean_and_spares_the_original() -> None:
    rng = np.random.default_rng(0)
    windows = rng.random((200, 20, 10, 1), np.float32)
    kept = windows.copy()
    seen = masked(windows, 0.3, rng)
    assert np.array_equal(windows, kept)
    changed = (seen != windows)[..., 0]
    assert changed.all(axis=2).sum(axis=1).max() <= 6
    assert changed.all(axis=1).sum(axis=1).max() <= 3
    assert changed.any(axis=(1, 2)).mean() > 0.5
