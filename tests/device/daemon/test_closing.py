"""Closing several things within one deadline."""

from __future__ import annotations

import time

from device.daemon.closing import close_concurrently

_SOON_S = 20.0


def test_whatever_hangs_all_others_are_closed_and_nobody_waits_for_ever() -> None:
    closed: list[int] = []
    began_s = time.monotonic()
    close_concurrently([lambda: time.sleep(30.0), lambda: closed.append(1)], 0.3)
    assert closed == [1]
    assert time.monotonic() - began_s < _SOON_S
