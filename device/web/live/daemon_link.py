"""Follows one daemon by its sockets, and sends it the commands of people.

One question every half second serves all readers, so a thousand of them cost the daemon as much as one. Commands have
few places, so a flood of them never takes the places of others at the command socket; and few of them wait for one
person, so those of another come soon.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Any

import anyio.to_thread
from anyio import CapacityLimiter

from device.errors import ServiceError
from device.printable import printable
from device.runtime.paths import command_socket, status_socket, status_sockets
from device.runtime.sockets.command_socket import send_command
from device.runtime.sockets.sound_socket import sound_socket
from device.runtime.sockets.status_socket import read_hearing
from device.runtime.verdict import span_text
from device.web.live.circumstances import CircumstanceRecord, Circumstances
from device.web.live.moments import POLL_S, STALE_AFTER_S, Moment, RecentMoments, surest
from device.web.live.score_ring import ScoreRing

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from device.commands import Outcome
    from device.runtime.daemon_state import DaemonState
    from device.runtime.sockets.recent_hearing import HeardItem

_ANSWER_WITHIN_S = 1.0
_COMMANDS_AT_ONCE = 2  # of the four places that the daemon gives one user
_COMMANDS_WAITING = 32
_COMMANDS_OF_ONE_PERSON = 6  # waiting, or being carried out


class DaemonLink:
    """One daemon, as seen from the page.

    Args:
        instance: name of the daemon.
        environment: names the folders of sockets.
        utc: the time of day.

    Attributes:
        newest: moment.
        recent: the last minutes.
        ring: what was heard in the last hours.
        circumstances: of it.
    """

    def __init__(
        self, instance: str, *, environment: Mapping[str, str] = os.environ, utc: Callable[[], float] = time.time
    ) -> None:
        self._instance = instance
        self._environment = environment
        self._utc = utc
        self.recent = RecentMoments()
        self.ring = ScoreRing()
        self.circumstances = CircumstanceRecord()
        self.newest = Moment(0, utc(), None, "the page has just started, and asks the daemon for the first time")
        self._changed = asyncio.Condition()
        self._asking = CapacityLimiter(1)
        self._commanding = CapacityLimiter(_COMMANDS_AT_ONCE)
        self._pending: Counter[str] = Counter()

    def __repr__(self) -> str:
        return f"DaemonLink({self._instance!r}, {self.newest.number} moments)"

    async def follow(self, on_moment: Callable[[Moment], object] = lambda _moment: None) -> None:
        """Ask for ever; returns never, and raises nothing of the daemon's.

        Args:
            on_moment: is called with each moment.
        """
        while True:
            began_s = time.monotonic()
            moment = await self._ask()
            self.recent.add(moment)
            self.circumstances.add(moment.utc_s, Circumstances.of(moment))
            on_moment(moment)
            async with self._changed:
                self.newest = moment
                self._changed.notify_all()
            await asyncio.sleep(max(0.05, began_s + POLL_S - time.monotonic()))

    async def newer(self, number: int) -> Moment:
        """The newest moment, once it is newer than this one."""
        async with self._changed:
            await self._changed.wait_for(lambda: self.newest.number > number)
            return self.newest

    @property
    def sound_socket(self) -> Path:
        """Where the daemon lets people listen in, if it does."""
        return sound_socket(self._status_socket())

    async def command(self, verb: str, payload: Mapping[str, Any], *, person: str) -> Outcome:
        """Have the daemon carry out a command; what it answered.

        Raises:
            ServiceError: it does not answer, or too many commands wait already.
        """
        is_full = self._commanding.statistics().tasks_waiting >= _COMMANDS_WAITING
        if is_full or self._pending[person] >= _COMMANDS_OF_ONE_PERSON:
            raise ServiceError("too many commands wait: ask again in a moment")
        path = command_socket(self._status_socket())
        send = partial(send_command, path, verb, payload, person=person)
        self._pending[person] += 1
        try:
            return await anyio.to_thread.run_sync(send, limiter=self._commanding)
        except ServiceError as error:
            raise ServiceError(_without_path(error, path)) from None
        finally:
            self._pending -= Counter({person: 1})

    async def _ask(self) -> Moment:
        number, utc_s = self.newest.number + 1, self._utc()
        try:
            state, items = await anyio.to_thread.run_sync(self._read, limiter=self._asking)
        except ServiceError as error:
            return self._nothing(number, utc_s, _without_path(error, self._status_socket()))
        if state.age_s > STALE_AFTER_S:
            return self._nothing(number, utc_s, f"the daemon's main loop has hung for {span_text(state.age_s)}")
        fresh = self.ring.add(utc_s, items, daemon=_daemon(state))
        return Moment(number, utc_s, state, peaks=surest(fresh))

    def _nothing(self, number: int, utc_s: float, why: str) -> Moment:
        self.ring.miss(why)
        return Moment(number, utc_s, None, why)

    def _read(self) -> tuple[DaemonState, tuple[HeardItem, ...]]:
        return read_hearing(
            self._status_socket(), _ANSWER_WITHIN_S, known=lambda state: self.ring.known(_daemon(state))
        )

    def _status_socket(self) -> Path:
        """Looked up each time: the daemon may start later than the page, and as another user."""
        found = status_sockets(self._environment).get(self._instance)
        return found or status_socket(self._instance, self._environment)


def _daemon(state: DaemonState) -> tuple[int, float]:
    """Tells a daemon from one that was started anew."""
    return state.pid, state.started_utc_s


def _without_path(error: ServiceError, path: Path) -> str:
    """The sentence without the path of the socket, which helps nobody who looks at a phone."""
    return str(error).replace(f" at {printable(str(path))}", "")
