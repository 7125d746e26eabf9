"""The window bounds what is in flight, and lets new entries go beyond a backlog."""

from __future__ import annotations

from typing import TYPE_CHECKING

from device.daemon.delivery.delivery_window import DeliveryWindow

if TYPE_CHECKING:
    from device.alarms.journal.entries import Key


def _wants_more(window: DeliveryWindow) -> bool:
    return window.wants_more


def _keys(count: int, first: int = 0) -> list[Key]:
    return [(f"a{number}", 0) for number in range(first, first + count)]


def test_a_full_window_has_room_again_once_half_of_it_is_confirmed() -> None:
    window = DeliveryWindow(10)
    assert window.claim_room() == 10
    window.add_handed_out(_keys(10), is_all=False)
    assert not _wants_more(window)
    window.in_flight.difference_update(_keys(5))
    assert _wants_more(window)
    assert window.claim_room() == 5


def test_new_entries_go_beyond_a_full_window_up_to_twice_its_size() -> None:
    window = DeliveryWindow(10)
    window.add_handed_out(_keys(10), is_all=False)
    window.add_committed(_keys(3, first=100))
    assert window.claim_room() == 3
    window.add_committed(_keys(30, first=100))
    assert window.claim_room() == 10
    assert window.claim_room() == 0  # nothing is new any more


def test_nothing_is_wanted_while_the_journal_has_no_more() -> None:
    window = DeliveryWindow(10)
    window.add_handed_out(_keys(1), is_all=True)
    assert not _wants_more(window)
    assert window.claim_room() == 0
    window.clear()
    assert _wants_more(window)
    assert window.claim_room() == 10


def test_the_alarms_that_changed_last_come_first() -> None:
    window = DeliveryWindow(10)
    window.add_committed([("a", 0), ("b", 0), ("a", 1)])
    assert window.recent_alarms == ["a", "b"]


def test_a_window_of_no_size_hands_out_nothing() -> None:
    window = DeliveryWindow(0)
    window.add_committed(_keys(3))
    assert not _wants_more(window)
    assert window.claim_room() <= 0
