"""The exact interval of a counted rate, against scipy and Garwood's table."""

from __future__ import annotations

import math

import pytest
from scipy.stats import chi2

from device.poisson_interval import poisson_interval


@pytest.mark.parametrize("count", [0, 1, 2, 5, 12, 100, 1000])
def test_the_interval_is_that_of_the_chi_square_distribution(count: int) -> None:
    low, high = poisson_interval(count, 8.0)
    assert low == pytest.approx(chi2.ppf(0.025, 2 * count) / 16 if count else 0.0, rel=1e-9)
    assert high == pytest.approx(chi2.ppf(0.975, 2 * count + 2) / 16, rel=1e-9)


def test_without_an_event_the_upper_end_is_known_in_closed_form() -> None:
    low, high = poisson_interval(0, 2.0)
    assert low == 0.0
    assert high == pytest.approx(-math.log(0.025) / 2)
