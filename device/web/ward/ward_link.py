"""Follows a broker for the page of a ward, in a thread of its own, and sends acknowledgements to the beds.

One reader serves all who look. It keeps nothing that the broker cannot give back.
"""

from __future__ import annotations

import asyncio
import queue
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from device.errors import ServiceError
from device.sinks.payloads import Topics
from device.ward.acknowledging import Acknowledgement
from device.ward.ward_process import WardFeed

if TYPE_CHECKING:
    from collections.abc import Callable

    from device.sinks.mqtt.session_reader import Reader
    from device.ward.ward_state import Ward, WardView

EVERY_S = 0.5
"""From one moment to the next."""

ASKED_EVERY_S = 0.8
"""How often the broker is asked whether it is there."""

MOST_WAITING = 50
"""Acknowledgements that wait for their bed at once."""

_WAIT_S = 0.2
_JOINED_WITHIN_S = 5.0
_ANSWERED_WITHIN_S = 20.0


@dataclass(frozen=True, slots=True)
class WardMoment:
    """What is known at one moment.

    Attributes:
        number: ascending, from 1; 0 before the first.
        utc_s: when.
        view: of the beds.
        problem: why that is not what is true now; empty if it is.
        age_s: since the broker said anything; 0 with a problem.
    """

    number: int
    utc_s: float
    view: WardView
    problem: str
    age_s: float


@dataclass(frozen=True, slots=True)
class _Asked:
    """An acknowledgement that somebody asks for."""

    bed: str
    alarm_id: str
    by: str
    answer: asyncio.Future[list[str]]


class WardLink:
    """A broker, as seen from the page.

    Args:
        reader: of it, for this link alone.
        ward: that follows its beds.
        root: what every topic begins with.

    Attributes:
        newest: moment.
    """

    def __init__(self, reader: Reader, ward: Ward, root: str) -> None:
        self._reader, self._ward, self._root = reader, ward, root
        self._feed = WardFeed(reader, ward)
        self.newest = WardMoment(0, time.time(), ward.view(time.monotonic()), reader.trouble, 0.0)
        self._changed = asyncio.Condition()
        self._asked: queue.Queue[_Asked] = queue.Queue(MOST_WAITING)
        self._waiting: list[tuple[_Asked, Acknowledgement]] = []
        self._stop = threading.Event()

    def __repr__(self) -> str:
        return f"WardLink({self._reader!r})"

    async def follow(self, on_moment: Callable[[WardMoment], object]) -> None:
        """Read until this is cancelled; each moment is passed on, too.

        Raises:
            RuntimeError: the thread that reads has ended by itself.
        """
        loop = asyncio.get_running_loop()
        moments: asyncio.Queue[WardMoment | None] = asyncio.Queue()

        def tell(moment: WardMoment | None) -> None:
            loop.call_soon_threadsafe(moments.put_nowait, moment)

        thread = threading.Thread(target=self._run, args=(tell,), name="ward-reader")
        thread.start()
        try:
            while (moment := await moments.get()) is not None:
                on_moment(moment)
                async with self._changed:
                    self.newest = moment
                    self._changed.notify_all()
            raise RuntimeError("the thread that reads the broker has ended")
        finally:
            self._stop.set()
            await asyncio.to_thread(thread.join, _JOINED_WITHIN_S)

    async def newer(self, number: int) -> WardMoment:
        """The newest moment, once it is newer than this one."""
        async with self._changed:
            await self._changed.wait_for(lambda: self.newest.number > number)
            return self.newest

    async def acknowledge(self, bed: str, alarm_id: str, *, by: str) -> list[str]:
        """Acknowledge an alarm of a bed, and wait until the bed has confirmed it; a sentence for each alarm.

        Raises:
            ServiceError: the bed is gone, has no such alarm or does not confirm it; or too many wait already.
        """
        asked = _Asked(bed, alarm_id, by, asyncio.get_running_loop().create_future())
        try:
            self._asked.put_nowait(asked)
            return await asyncio.wait_for(asked.answer, _ANSWERED_WITHIN_S)
        except queue.Full:
            raise ServiceError("too many acknowledgements wait: ask again in a moment") from None
        except TimeoutError:
            raise ServiceError(f"the broker's connection was busy for {_ANSWERED_WITHIN_S:g} s: ask again") from None

    # --- the thread

    def _run(self, tell: Callable[[WardMoment | None], None]) -> None:
        try:
            with self._reader:
                self._read(tell)
        finally:
            tell(None)

    def _read(self, tell: Callable[[WardMoment | None], None]) -> None:
        number, view, told_s, asked_s = 0, self.newest.view, float("-inf"), float("-inf")
        while not self._stop.is_set():
            self._feed.receive(_WAIT_S)
            now_s = time.monotonic()
            self._carry_out(now_s)
            if now_s - asked_s >= ASKED_EVERY_S:
                asked_s = now_s
                self._reader.ask()
            if now_s - told_s >= EVERY_S:
                number, told_s = number + 1, now_s
                fresh = self._ward.view(now_s)
                view = view if view == fresh else fresh  # the same object, so that what was made of it holds
                tell(self._moment(number, view))

    def _moment(self, number: int, view: WardView) -> WardMoment:
        problem = view.trouble
        if not problem and not self._feed.is_settled:
            problem = "what the broker keeps of the beds is still arriving"
        age_s = 0.0 if problem else max(0.0, time.monotonic() - self._reader.answered_s)
        return WardMoment(number, time.time(), view, problem, age_s)

    def _carry_out(self, now_s: float) -> None:
        """Begin what was asked for, and answer what is decided."""
        while len(self._waiting) < MOST_WAITING and not self._asked.empty():
            asked = self._asked.get_nowait()
            try:
                self._waiting.append((asked, self._begun(asked, now_s)))
            except ServiceError as error:
                _answer(asked.answer, error)
        self._waiting = [each for each in self._waiting if not self._is_answered(*each, now_s)]

    def _begun(self, asked: _Asked, now_s: float) -> Acknowledgement:
        bed = self._ward.bed(asked.bed, now_s)
        if bed is None:
            raise ServiceError("no bed of that name is followed here")
        if not self._reader.is_up:
            raise ServiceError(f"{bed.name} would not get it: {self._reader.trouble}")
        topic = Topics(self._root, bed.name).command("acknowledge")
        return Acknowledgement(self._reader, bed, topic=topic, alarm_id=asked.alarm_id, by=asked.by, now_s=now_s)

    def _is_answered(self, asked: _Asked, begun: Acknowledgement, now_s: float) -> bool:
        bed = self._ward.bed(asked.bed, now_s)
        try:
            done = [f"{asked.bed} is no longer on the broker"] if bed is None else begun.confirmed(bed, now_s)
        except ServiceError as error:
            _answer(asked.answer, error)
            return True
        if done:
            _answer(asked.answer, done)
        return bool(done)


def _answer(future: asyncio.Future[list[str]], answer: list[str] | ServiceError) -> None:
    """From the thread; whoever asked may have gone."""

    def give() -> None:
        if future.done():
            return
        if isinstance(answer, ServiceError):
            future.set_exception(answer)
        else:
            future.set_result(answer)

    future.get_loop().call_soon_threadsafe(give)
