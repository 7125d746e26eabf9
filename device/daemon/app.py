"""`auricle listen`: one daemon from its start to its exit code.

The status socket is opened first, so that a second daemon of the same name touches neither microphone, journal nor
pins. The service manager gets `ready` once a cry would be detected if a microphone is there; a missing one does not
delay it.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Self

from device.config.loading import locating
from device.daemon.assembly import Assembly, LoopHandle, greeting
from device.daemon.audio.sound_tap import SoundTap
from device.daemon.main_loop import MainLoop
from device.daemon.ports.command_port import CommandPort
from device.daemon.ports.metrics_port import MetricsPort
from device.daemon.ports.room_port import RoomPort
from device.daemon.ports.sound_port import SoundPort
from device.daemon.reload import Reload
from device.daemon.signals import Requests
from device.daemon.state_tracker import Identity, StateTracker
from device.daemon.watchdog import PipelineHealth
from device.errors import StoppedError
from device.messages import OperationNote
from device.runtime.clocks import Clocks, Timekeeper
from device.runtime.kernel_clock import ClockWatch
from device.runtime.paths import command_socket, status_socket
from device.runtime.sockets.command_socket import CommandServer
from device.runtime.sockets.status_socket import StatusServer
from device.runtime.systemd_notify import Notifier, without_notify

if TYPE_CHECKING:
    from collections.abc import Callable

    from device.config.settings import Settings
    from device.daemon.audio.source_thread import Source
    from device.daemon.options import ListenOptions

FLUSH_S = 0.8
"""How long the last decisions have to be journalled and published."""

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8  # malloc.h

_FAILED = 1
_BAD_INPUT = 2


def listen(options: ListenOptions) -> int:
    """Run a daemon until it is stopped or its recordings end; returns its exit code.

    0 after SIGTERM or Ctrl-C, also while it starts, and after the last recording; 1 if the source failed for good; 2 if
    a recording could not be played.

    Raises:
        AuricleError: it cannot start.
    """
    _configure_allocator()
    notifier = Notifier.from_environment(os.environ)
    for name in set(os.environ) - set(without_notify(os.environ)):
        del os.environ[name]  # or the capture process could notify systemd in our name
    try:
        with Daemon(options, notifier=notifier) as daemon:
            return daemon.run()
    except StoppedError:
        return 0


class Daemon:
    """One running instance; a context manager.

    Args:
        options: of the command line.
        wrap: receives the audio source and returns the one to read in its place; for tests that record or stall it.
        notifier: the service manager; None for the one that the environment names.

    Create and run it in the main thread, which is where Python calls signal handlers.

    Raises:
        AuricleError: it cannot start.
        StoppedError: it was asked to stop while it started.
    """

    def __init__(
        self,
        options: ListenOptions,
        *,
        wrap: Callable[[Source], Source] = lambda source: source,
        notifier: Notifier | None = None,
    ) -> None:
        self._requests = Requests()
        self._requests.handle_signals()  # first: opening models takes seconds on a Pi, and a stop must not wait for it
        clocks = Clocks(time.monotonic, time.time)
        self._identity = Identity(options.instance_name(), clocks.utc(), clocks.monotonic())
        self._handle = LoopHandle(self._requests.reload)
        timekeeper = Timekeeper(
            clocks, is_synchronized=lambda: self._clock_watch.is_synchronized, stream_speed=options.speed
        )
        tap = SoundTap()
        self._assembly = Assembly(
            options,
            self._identity.instance,
            handle=self._handle,
            timekeeper=timekeeper,
            wrap=lambda source: tap.wrap(wrap(source)),
            is_stopped=lambda: self._requests.stop_wanted,
        )
        settings = options.settings()
        self._notifier = notifier or Notifier.from_environment(os.environ)
        self._metrics = MetricsPort(self._identity.instance, self._handle.snapshot)
        self._sound = SoundPort(self._identity.instance, tap, self._assembly.replies)
        self._clock_watch = ClockWatch()
        with locating(options.config):
            self._loop, self._closing = self._open(settings, clocks)
        self._reload = Reload(
            self._loop,
            options=options,
            settings=settings,
            assembly=self._assembly,
            metrics=self._metrics,
            sound=self._sound,
            notifier=self._notifier,
        )
        self._closing.callback(self._reload.close)

    def _open(self, settings: Settings, clocks: Clocks) -> tuple[MainLoop, ExitStack]:
        """Everything in order; closed in reverse order by the stack, or here on an error."""
        with ExitStack() as closing:
            closing.enter_context(self._clock_watch)
            status = status_socket(self._identity.instance)
            closing.enter_context(StatusServer(status, self._handle.snapshot, self._handle.recent))
            parts = self._assembly.open_parts(settings)
            closing.callback(self._assembly.close_parts, parts)
            loop = self._handle.loop = MainLoop(
                parts,
                requests=self._requests,
                tracker=StateTracker(self._identity),
                health=PipelineHealth(clocks.monotonic()),
                notifier=self._notifier,
                clocks=clocks,
            )
            port = RoomPort(loop, CommandPort(self._assembly.replies).execute)
            closing.enter_context(CommandServer(command_socket(status), port.execute))
            self._metrics.apply(settings)
            closing.callback(self._metrics.close)
            self._sound.apply(settings)
            closing.callback(self._sound.close)
            loop.listeners = self._sound.listeners
            return loop, closing.pop_all()
        raise AssertionError("an exit stack swallows no error")

    def __repr__(self) -> str:
        return f"Daemon({self._identity.instance}, {self._loop!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def close(self) -> None:
        """Close everything, within seconds, whatever hangs; idempotent."""
        self._closing.close()

    def stop(self) -> None:
        """Request the end, from any thread or signal handler."""
        self._requests.stop()

    def reload(self) -> None:
        """Request a reload of the configuration, from any thread or signal handler."""
        self._requests.reload()

    def run(self) -> int:
        """Listen to the end; returns the exit code, see `listen`."""
        loop = self._loop
        _release_memory()
        loop.report(OperationNote("started", greeting(loop.parts)))
        loop.tick()  # so that the status socket has a state to serve
        self._notifier.ready(greeting(loop.parts))
        loop.parts.source_thread.start()  # recordings; a microphone is open by now
        loop.run(self._reload.request, self._reload.step)
        self._notifier.stopping()
        loop.report(OperationNote("stopping", self._why_it_stops()))
        self._sound.close()  # before the flush: the journal keeps until when somebody listened
        loop.parts.controller.flush(FLUSH_S)
        return self._exit_code()

    def _why_it_stops(self) -> str:
        ended = self._loop.ended
        if ended is None:
            return "it was asked to stop"
        return "nothing more is to be heard" if ended.error is None else f"the source failed: {ended.error}"

    def _exit_code(self) -> int:
        ended = self._loop.ended
        if ended is not None and ended.error is not None:
            print(f"auricle: {self._why_it_stops()}", file=sys.stderr, flush=True)
            return _FAILED
        return _BAD_INPUT if self._assembly.playback_failures else 0


def _configure_allocator() -> None:
    """Let glibc return what is freed: large blocks have their own mappings, and two heaps serve all threads.

    By itself it raises the size of a large block to that of the largest one freed, 32 MB at most, and keeps the holes.
    """
    with contextlib.suppress(OSError, AttributeError):  # another libc has no mallopt
        for option, value in ((_M_MMAP_THRESHOLD, 1 << 16), (_M_TRIM_THRESHOLD, 1 << 17), (_M_ARENA_MAX, 2)):
            ctypes.CDLL(None).mallopt(option, value)


def _release_memory() -> None:
    """Return memory that opening the models left free, 2 MB that glibc would keep for months, to the system."""
    with contextlib.suppress(OSError, AttributeError):  # another libc has no malloc_trim
        ctypes.CDLL(None).malloc_trim(0)
