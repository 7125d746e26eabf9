"""Requests from signals and other threads reach the main loop."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest

from device.daemon.signals import Requests

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def requests() -> Iterator[Requests]:
    numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    before = {number: signal.getsignal(number) for number in numbers}
    made = Requests()
    made.handle_signals()
    yield made
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_to_end_requests_a_stop_and_no_reload(requests: Requests, number: signal.Signals) -> None:
    os.kill(os.getpid(), number)
    assert (requests.stop_wanted, requests.reload_wanted) == (True, False)


def test_a_reload_requested_twice_is_carried_out_once(requests: Requests) -> None:
    os.kill(os.getpid(), signal.SIGHUP)
    requests.reload()
    assert [requests.pop_reload(), requests.pop_reload()] == [True, False]
    assert not requests.stop_wanted
