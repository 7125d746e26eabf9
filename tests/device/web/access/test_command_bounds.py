"""Commands are bounded for each sender and in all, and nobody is kept from the first one by what others send."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from device.web.access.command_bounds import CommandBounds, Rate, bounds_of_commands
from device.web.access.visitors import Visitor

ANNA, BEN = (Visitor(name, "operator") for name in ("anna", "ben"))
HERE, THERE = "192.0.2.7", "192.0.2.8"


def _bounds() -> CommandBounds:
    return CommandBounds(Rate(5.0, 1.0), Rate(20.0, 4.0))


def test_a_sender_waits_after_its_reserve_until_a_second_has_passed() -> None:
    bounds = _bounds()
    assert [bounds.take(ANNA, HERE, 7.0) is None for _ in range(8)] == [True] * 5 + [False] * 3
    refused = bounds.take(ANNA, HERE, 7.0)
    assert refused is not None
    assert 0.0 < refused.wait_s <= 1.0
    assert bounds.take(ANNA, HERE, 7.0 + refused.wait_s) is None
    assert [bounds.take(ANNA, HERE, 60.0) is None for _ in range(8)] == [True] * 5 + [False] * 3, "the reserve is full"


def test_a_refusal_is_the_first_one_once_after_each_command() -> None:
    bounds = _bounds()
    for _ in range(5):
        bounds.take(ANNA, HERE, 0.0)
    refused = [bounds.take(ANNA, HERE, 0.0) for _ in range(3)]
    assert [each is not None and each.is_first for each in refused] == [True, False, False]
    assert bounds.take(ANNA, HERE, 1.0) is None
    again = bounds.take(ANNA, HERE, 1.0)
    assert again is not None
    assert again.is_first


def test_another_account_and_another_address_have_reserves_of_their_own() -> None:
    bounds = _bounds()
    for _ in range(50):
        bounds.take(ANNA, HERE, 0.0)
    assert bounds.take(BEN, HERE, 0.0) is None
    assert bounds.take(ANNA, THERE, 0.0) is None
    assert bounds.take(ANNA, HERE, 0.0) is not None


def test_where_nobody_logs_in_a_program_keeps_no_browser_from_commanding() -> None:
    bounds = _bounds()
    program, browser = Visitor("this machine", "operator"), Visitor("this machine", "operator", "a-token")
    for _ in range(50):
        bounds.take(program, "127.0.0.1", 0.0)
    assert bounds.take(browser, "127.0.0.1", 0.0) is None


def test_all_together_are_bounded_and_whoever_was_silent_is_let_through() -> None:
    bounds = _bounds()
    accepted = sum(bounds.take(ANNA, f"192.0.2.{number}", 0.0) is None for number in range(200))
    assert accepted == 20
    assert bounds.take(ANNA, "198.51.100.1", 0.0) is not None, "an account that commands already waits for the others"
    assert bounds.take(BEN, HERE, 0.0) is None
    assert bounds.take(BEN, HERE, 0.0) is not None
    assert bounds.take(BEN, HERE, 10.0) is None


@given(gaps_s=st.lists(st.sampled_from([0.0, 0.01, 0.3, 1.0, 20.0]), max_size=200))
def test_no_sender_gets_more_than_its_reserve_and_its_rate(gaps_s: list[float]) -> None:
    bounds, now_s, accepted = _bounds(), 0.0, 0
    for gap_s in gaps_s:
        now_s += gap_s
        accepted += bounds.take(ANNA, HERE, now_s) is None
    assert accepted <= 5 + now_s + 1


def test_a_flood_of_addresses_takes_no_memory() -> None:
    bounds = bounds_of_commands()
    for number in range(5000):
        bounds.take(ANNA, f"10.0.{number // 250}.{number % 250}", 0.0)
    assert repr(bounds) == "CommandBounds(1000 senders)"
