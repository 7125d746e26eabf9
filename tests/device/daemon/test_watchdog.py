"""PipelineHealth: when the watchdog is fed, and when it is not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from device.daemon.watchdog import STARTING_S, STILL_S, UNSCORED_S, PipelineHealth

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

START_S = 1000.0


def _seconds(count: int) -> Iterator[float]:
    return (START_S + second for second in range(1, count + 1))


def _healthy(
    health: PipelineHealth, seconds: int, *, each: Callable[[float], None] = lambda _: None, explained: bool = False
) -> list[bool]:
    """Whether it is healthy in each second; `each` is called with the second first."""
    found = []
    for now_s in _seconds(seconds):
        each(now_s)
        found.append(health.is_healthy(now_s, explained=explained))
    return found


def test_a_pipeline_that_moves_is_well() -> None:
    health = PipelineHealth(START_S)

    def move(now_s: float) -> None:
        health.item_received(now_s)
        health.window_scored(now_s)

    assert all(_healthy(health, 3600, each=move))


def test_a_microphone_gone_for_an_hour_is_well_while_the_source_says_so() -> None:
    health = PipelineHealth(START_S)
    assert all(_healthy(health, 3600, each=health.item_received, explained=True))


def test_a_source_that_says_nothing_hangs_whatever_explains_it() -> None:
    healthy = _healthy(PipelineHealth(START_S), 60, explained=True)
    assert healthy == [second <= STILL_S for second in range(1, 61)]


def test_sound_without_windows_and_without_a_word_why_is_not_well() -> None:
    healthy = _healthy(PipelineHealth(START_S), 60, each=PipelineHealth(START_S).item_received)
    assert not healthy[-1]
    health = PipelineHealth(START_S)
    healthy = _healthy(health, 60, each=health.item_received)
    assert healthy == [second < STARTING_S for second in range(1, 61)]


def test_windows_that_stop_are_noticed_soon() -> None:
    health = PipelineHealth(START_S)
    _healthy(health, 100, each=health.item_received)
    health.window_scored(START_S + 100)
    found = []
    for second in range(101, 130):
        health.item_received(START_S + second)
        found.append(health.is_healthy(START_S + second, explained=False))
    assert found == [second < UNSCORED_S for second in range(1, 30)]


def test_gaps_so_close_that_no_window_fits_are_known() -> None:
    health = PipelineHealth(START_S)

    def gap(now_s: float) -> None:
        health.item_received(now_s)
        health.gap_found(now_s)

    assert all(_healthy(health, 3600, each=gap))


def test_the_first_window_after_a_long_absence_has_its_time() -> None:
    """A source that comes back begins with a gap, and a window needs 2 s."""
    health = PipelineHealth(START_S)
    _healthy(health, 3600, each=health.item_received, explained=True)
    back_s = START_S + 3601
    health.item_received(back_s)
    health.gap_found(back_s)
    assert health.is_healthy(back_s + 2.5, explained=False)


def test_at_the_widest_hop_a_pipeline_is_well() -> None:
    """A window every 2 s, each scored as late as the queue allows."""
    assert UNSCORED_S > 2 + 12
