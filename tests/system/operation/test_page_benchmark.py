"""The benchmark of the page measures real processes, and counts no alarm that did not arrive."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from benchmarks.page.flooded_alarms import Stretch, delays_ms, flooded_delays, print_delays
from benchmarks.page.page_cost import PAGES, page_costs, print_costs
from device.errors import ServiceError

if TYPE_CHECKING:
    from pathlib import Path

STRETCHES = [Stretch(False, 10.0, 20.0, 0, 0.1, 0.01), Stretch(True, 22.0, 32.0, 900, 0.1, 0.5)]


def _change(captured_s: float, delay_s: float) -> dict[str, float]:
    return {"captured": captured_s, "acknowledged": captured_s + delay_s}


def test_a_change_counts_for_the_stretch_in_which_it_was_decided_and_between_two_for_none() -> None:
    changes = [_change(9.9, 0.5), _change(10.0, 0.25), _change(21.0, 0.5), _change(31.0, 2.0), _change(32.0, 0.5)]
    assert delays_ms(changes, STRETCHES, flooded=False) == pytest.approx([250.0])
    assert delays_ms(changes, STRETCHES, flooded=True) == pytest.approx([2000.0])


def test_a_change_that_never_reached_the_broker_is_no_fast_one() -> None:
    with pytest.raises(ServiceError, match="1 of 2 changes were not acknowledged"):
        delays_ms([_change(11.0, 0.1), {"captured": 12.0}], STRETCHES, flooded=False)
    with pytest.raises(ServiceError, match="0 of 0 changes"):
        delays_ms([_change(21.0, 0.1)], STRETCHES, flooded=True)


@pytest.mark.system
def test_memory_start_and_cpu_are_those_of_running_processes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    costs = page_costs(tmp_path, starts=1, stretches=1, stretch_s=3.0)
    bare, page = costs.bare[0].memory_mb, costs.page[0].memory_mb
    assert 5.0 < bare["Pss"] < bare["Rss"] < page["Rss"]  # the page holds all that the bare process holds
    assert costs.page[0].seconds > 0.0
    assert [each.pages for each in costs.spent] == [0, PAGES]
    assert all(each.daemon > 0.0 for each in costs.spent)
    assert [each.listeners for each in costs.listening] == [0, 1]
    assert all(each.daemon > 0.0 for each in costs.listening)
    print_costs(costs)
    assert "| `auricle web` |" in capsys.readouterr().out


@pytest.mark.system
def test_alarms_are_timed_while_the_page_is_flooded_and_while_it_is_not(capsys: pytest.CaptureFixture[str]) -> None:
    changes, flooding = flooded_delays(stretches=1, stretch_s=10.0)
    calm, flooded = flooding.done
    assert (calm.flooded, calm.answered) == (False, 0)
    assert flooded.flooded
    assert flooded.answered > 0
    assert flooded.page > calm.page
    assert flooding.lost == (0, 0.0)
    print_delays(changes, flooding)
    assert "flood, of none = 1" in capsys.readouterr().out
