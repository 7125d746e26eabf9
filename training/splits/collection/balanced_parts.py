"""Divides groups among train, validation and test, so that each part holds its share of every label.

Seeded and repeatable; pure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from device.errors import ConfigError
from training.splits.subject_split import PARTS, Part

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

    Counts = npt.NDArray[np.float64]

SHARES = (0.6, 0.2, 0.2)
"""Of `PARTS`, unless others are asked for."""


def balanced_parts(
    counts: Mapping[str, Mapping[str, float]],
    rng: np.random.Generator,
    *,
    shares: Sequence[float] = SHARES,
    fixed: Mapping[str, Part] | None = None,
) -> dict[str, Part]:
    """The part of each group, sorted by group.

    Groups choose in the order of the largest share of any label that they hold, in an order that is drawn among equals;
    each goes where the labels' shares come closest to what is wanted: where the sum over labels of squared differences,
    relative to the part's share, grows least. A part that would stay empty is filled first.

    Args:
        counts: group -> label -> how much of it the group holds.
        rng: draws the order.
        shares: of the parts, adding up to 1; a part of share 0 stays empty.
        fixed: groups whose part is known; they count.

    Raises:
        ConfigError: there are fewer groups than parts that want some.
    """
    names, table = _table(counts)
    wanted = np.asarray(shares, dtype=np.float64)
    needed = int(np.count_nonzero(wanted))
    if len(names) < needed:
        raise ConfigError(f"{len(names)} subjects cannot make {needed} parts: record {needed - len(names)} more.")
    table = table / np.maximum(table.sum(axis=0), 1e-12)  # (groups, labels): shares of each label
    held = np.zeros((len(PARTS), table.shape[1]))
    chosen = _place_fixed(names, table, held, fixed or {})
    order = [index for index in _order(table, rng) if names[index] not in chosen]
    for place, index in enumerate(order):
        chosen[names[index]] = PARTS[_best(held, table[index], wanted, left=len(order) - place, taken=chosen)]
        held[PARTS.index(chosen[names[index]])] += table[index]
    return dict(sorted(chosen.items()))


def _table(counts: Mapping[str, Mapping[str, float]]) -> tuple[list[str], Counts]:
    """Groups by name, and (groups, labels)."""
    names = sorted(counts)
    labels = sorted({label for held in counts.values() for label in held})
    rows = [[counts[name].get(label, 0.0) for label in labels] for name in names]
    return names, np.asarray(rows, dtype=np.float64).reshape(len(names), len(labels))


def _place_fixed(names: list[str], table: Counts, held: Counts, fixed: Mapping[str, Part]) -> dict[str, Part]:
    for name, part in fixed.items():
        held[PARTS.index(part)] += table[names.index(name)]
    return dict(fixed)


def _order(table: Counts, rng: np.random.Generator) -> list[int]:
    drawn = rng.permutation(len(table))
    largest = table.max(axis=1, initial=0.0)
    return [int(index) for index in drawn[np.argsort(-largest[drawn], kind="stable")]]


def _best(held: Counts, added: Counts, wanted: Counts, *, left: int, taken: Mapping[str, Part]) -> int:
    """Index of the part to which a group goes.

    Args:
        held: (parts, labels), shares so far.
        added: (labels,), of the group.
        wanted: (parts,).
        left: groups still to place, this one included.
        taken: groups placed so far.
    """
    empty = [index for index, part in enumerate(PARTS) if wanted[index] > 0 and part not in taken.values()]
    open_parts = empty if len(empty) >= left else [index for index in range(len(PARTS)) if wanted[index] > 0]
    share = wanted[open_parts, None]
    worse = (added * (added + 2 * (held[open_parts] - share)) / share).sum(axis=1)  # growth of (held - share)^2 / share
    return open_parts[int(np.argmin(worse))]
