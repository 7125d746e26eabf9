"""Feeds the ward with what a reader receives, and shows it: until it is stopped, or once."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from device.errors import ServiceError

if TYPE_CHECKING:
    from collections.abc import Callable

    from device.sinks.mqtt.session_reader import Reader
    from device.ward.ward_screen import WardScreen
    from device.ward.ward_state import Ward, WardView

ONCE = "once"
"""Begin of the id of a reader whose session nobody keeps."""

HEAR, NOT_ALL = 0, 1
"""Exit codes of `--once`: all beds hear, and no alarm waits for an acknowledgement; or not."""

ANSWERS_WITHIN_S = 20.0
_TURN_S = 0.5
_SETTLED_AFTER_S, _SETTLED_AT_LATEST_S = 1.0, 5.0


class WardFeed:
    """Between a reader and a ward.

    Args:
        reader: that receives.
        ward: that is fed.
    """

    def __init__(self, reader: Reader, ward: Ward) -> None:
        self._reader = reader
        self._ward = ward
        self._connections = 0
        self._connected_s = self._newest_s = time.monotonic()  # the newest that was retained

    def __repr__(self) -> str:
        return f"WardFeed({self._reader!r})"

    def turn(self, wait_s: float = _TURN_S) -> WardView:
        """Wait for messages, apply them, and return what is known now."""
        self.receive(wait_s)
        return self._ward.view(time.monotonic())

    def receive(self, wait_s: float) -> None:
        """Wait for messages, and apply them."""
        received = self._reader.turn(wait_s)
        now_s = time.monotonic()
        if self._reader.connections != self._connections:
            self._connections = self._reader.connections
            self._connected_s = self._newest_s = now_s
            self._ward.connect(now_s)
        for message in received:
            if message.retain:
                self._newest_s = now_s
            self._ward.receive(message.topic, message.payload, retained=message.retain, now_s=now_s)
        if not self._reader.is_up:
            self._ward.lose(self._reader.trouble)

    @property
    def is_settled(self) -> bool:
        """Whether what the broker keeps has arrived after the newest connection, or there is none."""
        now_s = time.monotonic()
        is_quiet = now_s - self._newest_s >= _SETTLED_AFTER_S
        return not self._reader.is_up or is_quiet or now_s - self._connected_s >= _SETTLED_AT_LATEST_S


def show_until(is_stopped: Callable[[], bool], reader: Reader, ward: Ward, screen: WardScreen) -> None:
    """Show the ward until it is stopped; a connection that is lost is made again."""
    feed = WardFeed(reader, ward)
    while not is_stopped():
        view = feed.turn()
        if feed.is_settled:
            screen.update(view)


def show_once(reader: Reader, ward: Ward, screen: WardScreen) -> int:
    """Print what the broker keeps; returns `HEAR` or `NOT_ALL`.

    Raises:
        ServiceError: the broker cannot be reached, or refuses us.
    """
    view = read_retained(WardFeed(reader, ward), reader)
    screen.print_table(view)
    waits = any(not alarm.acknowledged for bed in view.beds for alarm in bed.alarms)
    return NOT_ALL if waits or any(bed.hearing != "hears" for bed in view.beds) else HEAR


def read_retained(feed: WardFeed, reader: Reader) -> WardView:
    """Connect, and return what the broker keeps.

    Raises:
        ServiceError: the broker cannot be reached, or refuses us.
    """
    until_s = time.monotonic() + ANSWERS_WITHIN_S
    while True:
        view = feed.turn(0.1)
        if reader.is_up and feed.is_settled:
            return view
        if reader.connections or (not reader.is_refused and time.monotonic() < until_s):
            continue
        raise ServiceError(reader.trouble)
