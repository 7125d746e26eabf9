"""Logins are bounded for each address and in all, and a right password clears its address."""

from __future__ import annotations

from device.web.access.login_bounds import LoginBounds


def test_an_address_waits_after_five_failures_until_the_first_is_old() -> None:
    bounds = LoginBounds(of_one_address=5, in_all=50, within_s=300.0)
    for second in range(5):
        assert bounds.wait_s("192.0.2.7", second) == 0
        bounds.count("192.0.2.7", second)
    assert bounds.wait_s("192.0.2.7", 10.0) == 290.0
    assert bounds.wait_s("192.0.2.8", 10.0) == 0, "another address is let through"
    assert bounds.wait_s("192.0.2.7", 300.5) == 0


def test_many_addresses_together_are_bounded_too() -> None:
    bounds = LoginBounds(of_one_address=5, in_all=20, within_s=300.0)
    for number in range(20):
        bounds.count(f"192.0.2.{number}", 0.0)
    assert bounds.wait_s("198.51.100.1", 1.0) == 299.0


def test_one_home_of_ipv6_is_one_address() -> None:
    bounds = LoginBounds(of_one_address=2, in_all=50, within_s=300.0)
    bounds.count("2001:db8::1", 0.0)
    bounds.count("2001:db8::2%eth0", 0.0)
    assert bounds.wait_s("2001:db8::3", 1.0) > 0
    assert bounds.wait_s("2001:db8:0:1::3", 1.0) == 0
    bounds.count("::ffff:192.0.2.7", 0.0)
    bounds.count("192.0.2.7", 0.0)
    assert bounds.wait_s("192.0.2.7", 1.0) > 0


def test_a_right_password_clears_its_address_alone() -> None:
    bounds = LoginBounds(of_one_address=2, in_all=50, within_s=300.0)
    for address in ("192.0.2.7", "192.0.2.7", "192.0.2.8", "192.0.2.8"):
        bounds.count(address, 0.0)
    bounds.forgive("192.0.2.7")
    assert bounds.wait_s("192.0.2.7", 1.0) == 0
    assert bounds.wait_s("192.0.2.8", 1.0) > 0


def test_a_flood_of_addresses_takes_no_memory() -> None:
    bounds = LoginBounds()
    for number in range(5000):
        bounds.count(f"10.0.{number // 250}.{number % 250}", 0.0)
    assert len(bounds._failures) == 1000
