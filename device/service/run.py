"""`auricle listen`: puts the daemon together, keeps it together, takes it apart.

The only module that knows every concrete class, the threads and the signals. The microphone is opened
first, so that sound waits while the models open; the service manager is told that the daemon is ready
once it would hear a cry if there were one, with or without a microphone.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import secrets
import signal
import sys
import time
from contextlib import ExitStack
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Self

from device.errors import AuricleError
from device.messages import Happening
from device.service.board import Board, Identity
from device.service.delivery import Delivery
from device.service.feed import Feed, SourceNow
from device.service.health import Health
from device.service.hearing import Hearing
from device.service.loop import Clocks, Loop, Parts
from device.service.telling import Teller
from device.sinks.console import Console
from device.sinks.log import Log
from device.sources.microphone import Microphone
from device.upkeep.notify import Notifier, without_notify
from device.upkeep.places import log_file, status_socket
from device.upkeep.status import StatusServer

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from device.config.settings import Settings, StatusSettings
    from device.service.feed import Source
    from device.service.loop import Outlet
    from device.service.order import ListenOrder
    from device.service.simulation import Simulation
    from device.upkeep.metrics import MetricsServer
    from device.upkeep.status import DaemonState

FLUSH_S = 1.5
"""What is told last has this long to be written by each outlet: systemd is promised an end within 5 s."""

_FAILED = 1
_BAD_INPUT = 2


def listen(order: ListenOrder) -> int:
    """Run a daemon until it is told to stop, or its recordings are over; the exit code.

    0 after SIGTERM, Ctrl-C or the last recording; 1 where the source failed beyond cure; 2 where a
    recording could not be heard.

    Raises:
        AuricleError: it cannot begin.
    """
    notifier = Notifier.from_environment(os.environ)
    for name in set(os.environ) - set(without_notify(os.environ)):
        del os.environ[name]  # the capture child must not speak in our name
    with Daemon(order, notifier=notifier) as daemon:
        return daemon.run()


class Daemon:
    """One instance, from its start to its end; a context manager.

    Args:
        order: what it is to do.
        wrap: is given the source and returns what is heard in its place: how a source is tapped, or starved.
        notifier: the service manager; None for the one that the environment names.

    Made and run in the main thread, which is where Python hands signals over.

    Raises:
        AuricleError: it cannot begin.
    """

    def __init__(
        self,
        order: ListenOrder,
        *,
        wrap: Callable[[Source], Source] = lambda source: source,
        notifier: Notifier | None = None,
    ) -> None:
        self._order = order
        self._wrap = wrap
        self._told: Loop | None = None  # who is told of what is asked, once there is one
        self._stop_wanted = self._reload_wanted = False
        self._handle_signals()  # first: opening models takes seconds on a Pi, and who stops us then waits no longer
        self._clocks = Clocks(time.monotonic, time.time)
        self._identity = Identity(order.instance_name(), self._clocks.utc(), self._clocks.monotonic())
        self._recordings = order.recording_paths()
        self._settings = order.settings()
        self._notifier = notifier or Notifier.from_environment(os.environ)
        self._simulation: Simulation | None = None
        self._metrics: MetricsServer | None = None
        with ExitStack() as closing:
            self._loop = self._assemble()
            closing.callback(self._take_apart)
            self._tell_loop()
            closing.enter_context(StatusServer(status_socket(self._identity.instance), self._snapshot))
            self._metrics = self._open_metrics(self._settings.status)
            closing.callback(self._close_metrics)
            self._closing = closing.pop_all()

    def __repr__(self) -> str:
        return f"Daemon({self._identity.instance}, {self._loop!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def close(self) -> None:
        """Let everything go, within seconds, whatever hangs; idempotent."""
        self._closing.close()

    def run(self) -> int:
        """Listen to the end; the exit code, see `listen`."""
        loop = self._loop
        _give_back_memory()
        loop.say(Happening("started", self._greeting()))
        loop.look_around()  # so that whoever asks from now on is answered
        self._notifier.ready(self._greeting())
        loop.run(self._read_again)
        self._notifier.stopping()
        loop.say(Happening("stopping", self._why_it_stops()))
        return self._exit_code()

    def stop(self) -> None:
        """Ask it to end, from any thread or signal handler."""
        self._stop_wanted = True
        if self._told is not None:
            self._told.stopping = True

    def reload(self) -> None:
        """Ask it to read its configuration again, from any thread or signal handler."""
        self._reload_wanted = True
        if self._told is not None:
            self._told.reload_wanted = True

    # --- the start

    def _assemble(self) -> Loop:
        """Everything the loop stands on; sound waits in the feed's inbox while the models open."""
        feed = self._open_feed(self._settings)
        try:
            hearing = self._open_hearing(self._settings)
        except BaseException:
            feed.close()
            raise
        parts = Parts(hearing, feed, Teller(hearing.models.priorities), self._open_outlets(self._settings))
        health = Health(self._clocks.monotonic())
        return Loop(parts, board=Board(self._identity), health=health, notifier=self._notifier, clocks=self._clocks)

    def _tell_loop(self) -> None:
        """What was asked before there was a loop, and from now on, reaches it; in this order, nothing is missed."""
        self._told = self._loop
        if self._stop_wanted:
            self._loop.stopping = True
        if self._reload_wanted:
            self._loop.reload_wanted = True

    def _open_feed(self, settings: Settings) -> Feed:
        feed = self._recordings_feed(settings) if self._recordings else self._microphone_feed(settings)
        feed.start()
        return feed

    def _microphone_feed(self, settings: Settings) -> Feed:
        microphone = Microphone(settings.microphone)

        def now() -> SourceNow:
            return SourceNow(microphone.name, microphone.overruns, microphone.reopened)

        name = settings.microphone.device
        return Feed(self._wrap(microphone), waits=False, name_at=lambda _second: name, now=now)

    def _recordings_feed(self, settings: Settings) -> Feed:
        from device.service.simulation import Simulation  # 2 MB that no microphone needs

        order, channel = self._order, settings.recording.channel
        self._simulation = Simulation(self._recordings, channel=channel, speed=order.speed, loops=order.loops)
        waits, name_at = not order.sheds, self._simulation.name_at
        return Feed(self._wrap(self._simulation), waits=waits, name_at=name_at, now=SourceNow)

    def _open_hearing(self, settings: Settings) -> Hearing:
        """With a stream id that no start and no reload ever had."""
        sheds = self._order.sheds or not self._recordings
        return Hearing(settings, stream_id=secrets.token_hex(6), sheds=sheds)

    def _open_outlets(self, settings: Settings) -> tuple[Delivery, ...]:
        console = Delivery("console", Console(sys.stdout))
        path = self._log_path(settings)
        if path is None:
            return (console,)
        log = Log(path, max_bytes=round(settings.log.max_mb * 1e6), keep=settings.log.keep)
        return console, Delivery("log", log)

    def _log_path(self, settings: Settings) -> Path | None:
        if settings.log.file == "auto":
            return log_file(self._identity.instance)
        return Path(settings.log.file) if settings.log.file else None

    def _open_metrics(self, status: StatusSettings) -> MetricsServer | None:
        if status.metrics_port is None:
            return None
        from device.upkeep.metrics import MetricsServer

        return MetricsServer(status.metrics_port, self._snapshot)

    def _snapshot(self) -> DaemonState | None:
        return self._loop.snapshot

    def _handle_signals(self) -> None:
        """The handlers only set a flag, which the loop sees within a turn: anything more could wait for itself."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda _number, _frame: self.stop())
        signal.signal(signal.SIGHUP, lambda _number, _frame: self.reload())

    def _greeting(self) -> str:
        parts = self._loop.parts
        models = " and ".join(f"{model.name} {model.version}" for model in parts.hearing.models.listed)
        return f"auricle {metadata.version('auricle')} listens to {parts.feed.name_at(0.0)} with {models}"

    # --- a reload

    def _read_again(self) -> None:
        """Take the configuration as it is now, all of it or nothing of it."""
        self._notifier.reloading()
        try:
            settings = self._order.settings()
            hearing = self._open_hearing(settings)
            try:
                self._replace_metrics(settings)
            except BaseException:
                hearing.close()
                raise
        except (AuricleError, OSError) as error:
            self._loop.say(Happening("reload_refused", f"{error}; what was configured before is kept"))
        else:
            self._take(settings, hearing)
        self._notifier.ready(self._greeting())

    def _take(self, settings: Settings, hearing: Hearing) -> None:
        loop, before = self._loop, self._settings
        parts, self._settings = loop.parts, settings
        loop.leave("reload")
        loop.board.replaced(parts.hearing.listener)
        parts.hearing.close()
        parts.hearing, parts.teller = hearing, Teller(hearing.models.priorities)
        if settings.microphone != before.microphone and not self._recordings:
            parts.feed.close()
            parts.feed = self._open_feed(settings)  # a file holds no microphone that could not be sought
        if settings.log != before.log:
            closed, parts.outlets = parts.outlets, self._open_outlets(settings)
            _close_all(closed)
        loop.say(Happening("reloaded", self._greeting()))

    def _replace_metrics(self, settings: Settings) -> None:
        if settings.status.metrics_port == self._settings.status.metrics_port:
            return
        fresh = self._open_metrics(settings.status)
        self._close_metrics()
        self._metrics = fresh

    # --- the end

    def _take_apart(self) -> None:
        parts = self._loop.parts
        parts.feed.close()
        _close_all(parts.outlets)
        parts.hearing.close()

    def _close_metrics(self) -> None:
        if self._metrics is not None:
            self._metrics.close()
            self._metrics = None

    def _why_it_stops(self) -> str:
        ended = self._loop.ended
        if ended is None:
            return "it was told to stop"
        return "nothing more is to be heard" if ended.error is None else f"the source failed: {ended.error}"

    def _exit_code(self) -> int:
        ended = self._loop.ended
        if ended is not None and ended.error is not None:
            print(f"auricle: {self._why_it_stops()}", file=sys.stderr, flush=True)
            return _FAILED
        return _BAD_INPUT if self._simulation is not None and self._simulation.failures else 0


def _give_back_memory() -> None:
    """What opening and verifying models left free goes back to the system: 2 MB, which glibc would keep for months."""
    with contextlib.suppress(OSError, AttributeError):  # another libc has its own way
        ctypes.CDLL(None).malloc_trim(0)


def _close_all(outlets: Sequence[Outlet]) -> None:
    for outlet in outlets:
        outlet.close(FLUSH_S)
