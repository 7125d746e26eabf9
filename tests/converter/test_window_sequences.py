"""Windows of one number stand together and follow one another; everything else is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from converter.window_sequences import check_full, sampled, sequence_numbers, spans, steps
from device.errors import BundleError

NUMBERS = np.array([7, 7, 7, 2, 2, 9])


def test_the_windows_of_each_number_are_one_sequence() -> None:
    assert spans(NUMBERS, 6) == [range(3), range(3, 5), range(5, 6)]
    assert spans(None, 2) == [range(1), range(1, 2)]


def test_first_windows_come_first_then_second_ones_in_batches() -> None:
    assert list(steps(spans(NUMBERS, 6), 2)) == [
        ([0, 1], [0, 3]),
        ([2], [5]),
        ([0, 1], [1, 4]),
        ([0], [2]),
    ]


def test_a_sample_holds_whole_sequences() -> None:
    sequences = spans(np.repeat(np.arange(10), 4), 40)
    assert sampled(sequences, 8) == [0, 1, 2, 3, 36, 37, 38, 39]
    assert sampled(sequences, 1000) == list(range(40))


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        (None, "sequence is missing, must be whole numbers"),
        (np.zeros(5, int), r"sequence is int64 \(5,\)"),
        (np.zeros(6), "sequence is float64"),
        (np.array([1, 1, 2, 2, 1, 1]), "sequence 1 stands in several places"),
    ],
)
def test_other_numbers_are_refused(values: Any, sentence: str) -> None:
    with pytest.raises(BundleError, match=f"here: {sentence}"):
        sequence_numbers("here", values, 6)


def test_sequences_that_never_fill_the_past_are_refused() -> None:
    check_full("agreement", spans(np.repeat([0, 1], 4), 8), 3)
    with pytest.raises(BundleError, match="0 of 8 windows of agreement come after 4 others of their sequence"):
        check_full("agreement", spans(np.repeat([0, 1], 4), 8), 4)
