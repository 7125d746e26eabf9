"""`auricle listen`: puts the daemon close_concurrently, keeps it close_concurrently, takes it apart.

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
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Self

from device.alarms.machine import Machine
from device.daemon.alerting.alarm_labels import AlarmLabels
from device.daemon.alerting.controller import AlarmController
from device.daemon.audio.listening import ModelRunner
from device.daemon.audio.source_thread import SourceStatus, SourceThread
from device.daemon.delivery.notices import NoticeMaker
from device.daemon.delivery.reply_queue import ReplyQueue
from device.daemon.delivery.sink_worker import SinkWorker
from device.daemon.main_loop import LoopParts, MainLoop
from device.daemon.outputs import Outputs, close_concurrently
from device.daemon.self_test_schedule import SelfTestSchedule
from device.daemon.state_tracker import Identity, StateTracker
from device.daemon.watchdog import PipelineHealth
from device.errors import AuricleError
from device.messages import OperationNote
from device.runtime.clocks import Clocks, Timekeeper
from device.runtime.paths import log_file, status_socket
from device.runtime.self_test.known_sound import known_sounds
from device.runtime.status_socket import StatusServer
from device.runtime.systemd_notify import Notifier, without_notify
from device.sinks.console import Console
from device.sinks.log import Log
from device.sources.microphone import Microphone

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from device.config.settings import Settings, StatusSettings
    from device.daemon.audio.file_playback import FilePlayback
    from device.daemon.audio.source_thread import Source
    from device.daemon.main_loop import NoticeSink
    from device.daemon.options import ListenOptions
    from device.daemon.outputs import Prepared
    from device.runtime.daemon_state import DaemonState
    from device.runtime.metrics import MetricsServer
    from device.runtime.self_test.known_sound import KnownSound

FLUSH_S = 1.5
"""What is told last has this long to be written by all sinks: systemd is promised an end within 5 s."""

SETTLE_S = 0.8
"""What was decided last has this long to be kept and told."""

_FAILED = 1
_BAD_INPUT = 2


def listen(order: ListenOptions) -> int:
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
        order: ListenOptions,
        *,
        wrap: Callable[[Source], Source] = lambda source: source,
        notifier: Notifier | None = None,
    ) -> None:
        self._order = order
        self._wrap = wrap
        self._told: MainLoop | None = None  # who is told of what is asked, once there is one
        self._stop_wanted = self._reload_wanted = False
        self._handle_signals()  # first: opening models takes seconds on a Pi, and who stops us then waits no longer
        self._clocks = Clocks(time.monotonic, time.time)
        self._timekeeper = Timekeeper(self._clocks)
        self._identity = Identity(order.instance_name(), self._clocks.utc(), self._clocks.monotonic())
        self._recordings = order.recording_paths()
        self._settings = order.settings()
        self._notifier = notifier or Notifier.from_environment(os.environ)
        self._simulation: FilePlayback | None = None
        self._metrics: MetricsServer | None = None
        self._replies = ReplyQueue(self._wake)
        self._self_tests = SelfTestSchedule(
            self._identity.instance,
            boot_id=secrets.token_hex(6),
            timekeeper=self._timekeeper,
            capture_hz=self._capture_hz,
        )
        self._outputs = Outputs(
            self._identity.instance,
            replies=self._replies,
            timekeeper=self._timekeeper,
            report_pin=self._report_pin,
            prints_pins=bool(self._recordings),
            on_echo=self._self_tests.received,
        )
        with ExitStack() as closing:
            # First of all: a second daemon of this name must not open its microphone, its journal or its pins.
            closing.enter_context(StatusServer(status_socket(self._identity.instance), self._snapshot))
            self._loop = self._assemble()
            closing.callback(self._take_apart)
            self._tell_loop()
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
        loop.report(OperationNote("started", self._greeting()))
        loop.tick()  # so that whoever asks from now on is answered
        self._notifier.ready(self._greeting())
        loop.run(self._read_again)
        self._notifier.stopping()
        loop.report(OperationNote("stopping", self._why_it_stops()))
        loop.parts.controller.flush(SETTLE_S)
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

    def _assemble(self) -> MainLoop:
        """Everything the loop stands on; sound waits in its queue while the models open."""
        with ExitStack() as opened:
            source_thread = self._open_feed(self._settings)
            opened.callback(source_thread.close)
            runner = self._open_hearing(self._settings)
            opened.callback(runner.close)
            sounds = known_sounds(self._settings, runner.models)
            controller = self._open_controller(runner)
            opened.callback(self._outputs.close, controller.process_replies)
            notice_maker, sinks = NoticeMaker(runner.models.priorities), self._open_outlets(self._settings)
            parts = LoopParts(runner, source_thread, notice_maker, sinks, controller, self._self_tests)
            self._self_tests.configure(self._settings, runner, controller.channels, sounds)
            health = PipelineHealth(self._clocks.monotonic())
            loop = MainLoop(
                parts, tracker=StateTracker(self._identity), health=health, notifier=self._notifier, clocks=self._clocks
            )
            opened.pop_all()
        return loop

    def _open_controller(self, runner: ModelRunner) -> AlarmController:
        """The delivery channels, and the machine, whose ids no start ever had."""
        labels, timekeeper = AlarmLabels.of(runner.models), self._timekeeper
        channels = self._outputs.apply(self._outputs.prepare(self._settings), labels)
        machine = Machine(
            self._settings.alarms,
            boot_id=secrets.token_hex(6),
            holds=labels.hold_s,
            local_minute=timekeeper.local_minute,
        )
        return AlarmController(
            machine,
            labels=labels,
            channels=channels,
            replies=self._replies,
            timekeeper=timekeeper,
            instance=self._identity.instance,
            self_test=lambda command: self._self_tests.request(command.by),
        )

    def _tell_loop(self) -> None:
        """What was asked before there was a loop, and from now on, reaches it; in this order, nothing is missed."""
        self._told = self._loop
        if self._stop_wanted:
            self._loop.stopping = True
        if self._reload_wanted:
            self._loop.reload_wanted = True

    def _open_feed(self, settings: Settings) -> SourceThread:
        source_thread = self._recordings_feed(settings) if self._recordings else self._microphone_feed(settings)
        source_thread.start()
        return source_thread

    def _microphone_feed(self, settings: Settings) -> SourceThread:
        microphone = Microphone(settings.microphone)

        def status() -> SourceStatus:
            return SourceStatus(microphone.name, microphone.overruns, microphone.reopened)

        name = settings.microphone.device
        return SourceThread(self._wrap(microphone), waits=False, name_at=lambda _second: name, status=status)

    def _recordings_feed(self, settings: Settings) -> SourceThread:
        from device.daemon.audio.file_playback import FilePlayback  # 2 MB that no microphone needs

        order, channel = self._order, settings.recording.channel
        self._simulation = FilePlayback(self._recordings, channel=channel, speed=order.speed, loops=order.loops)
        waits, name_at = not order.sheds, self._simulation.name_at
        return SourceThread(self._wrap(self._simulation), waits=waits, name_at=name_at, status=SourceStatus)

    def _open_hearing(self, settings: Settings) -> ModelRunner:
        """With a stream id that no start and no reload ever had."""
        sheds = self._order.sheds or not self._recordings
        return ModelRunner(settings, stream_id=secrets.token_hex(6), sheds=sheds)

    def _open_outlets(self, settings: Settings) -> tuple[SinkWorker, ...]:
        console = SinkWorker("console", Console(sys.stdout))
        path = self._log_path(settings)
        if path is None:
            return (console,)
        log = Log(path, max_bytes=round(settings.log.max_mb * 1e6), keep=settings.log.keep)
        return console, SinkWorker("log", log)

    def _log_path(self, settings: Settings) -> Path | None:
        if settings.log.file == "auto":
            return log_file(self._identity.instance)
        return Path(settings.log.file) if settings.log.file else None

    def _open_metrics(self, status: StatusSettings) -> MetricsServer | None:
        if status.metrics_port is None:
            return None
        from device.runtime.metrics import MetricsServer

        return MetricsServer(status.metrics_port, self._snapshot)

    def _snapshot(self) -> DaemonState | None:
        """None while it starts."""
        return None if self._told is None else self._told.snapshot

    def _capture_hz(self) -> int | None:
        state = self._snapshot()
        return None if state is None else state.sample_rate_hz

    def _wake(self) -> None:
        """Somebody has something to say to the loop; from any thread."""
        if self._told is not None:
            self._told.parts.source_thread.queue.wake()

    def _report_pin(self, line: str) -> None:
        self._loop.parts.controller.report_pin(line)

    def _handle_signals(self) -> None:
        """The handlers only set a flag, which the loop sees within a turn: anything more could wait for itself."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda _number, _frame: self.stop())
        signal.signal(signal.SIGHUP, lambda _number, _frame: self.reload())

    def _greeting(self) -> str:
        parts = self._loop.parts
        models = " and ".join(f"{model.name} {model.version}" for model in parts.runner.models.listed)
        return f"auricle {metadata.version('auricle')} listens to {parts.source_thread.name_at(0.0)} with {models}"

    # --- a reload

    def _read_again(self) -> None:
        """Take the configuration as it is now, all of it or nothing of it."""
        self._notifier.reloading()
        try:
            settings = self._order.settings()
            with ExitStack() as opened:
                runner = self._open_hearing(settings)
                opened.callback(runner.close)
                sounds = known_sounds(settings, runner.models)
                prepared = self._outputs.prepare(settings)
                opened.callback(self._outputs.discard, prepared)
                self._replace_metrics(settings)
                opened.pop_all()
        except (AuricleError, OSError) as error:
            self._loop.report(OperationNote("reload_refused", f"{error}; what was configured before is kept"))
        else:
            self._take(settings, runner, prepared, sounds)
        self._notifier.ready(self._greeting())

    def _take(self, settings: Settings, runner: ModelRunner, prepared: Prepared, sounds: Sequence[KnownSound]) -> None:
        loop, before = self._loop, self._settings
        parts, self._settings = loop.parts, settings
        loop.finish("reload")
        loop.tracker.replace_listener(parts.runner.listener)
        parts.runner.close()
        parts.runner, parts.notice_maker = runner, NoticeMaker(runner.models.priorities)
        labels = AlarmLabels.of(runner.models)
        parts.controller.reconfigure(settings.alarms, labels, self._outputs.apply(prepared, labels))
        self._self_tests.configure(settings, runner, parts.controller.channels, sounds)
        if settings.microphone != before.microphone and not self._recordings:
            parts.source_thread.close()
            parts.source_thread = self._open_feed(settings)  # a file holds no microphone that could not be sought
        if settings.log != before.log:
            closed, parts.sinks = parts.sinks, self._open_outlets(settings)
            _close_all(closed)
        loop.report(OperationNote("reloaded", self._greeting()))

    def _replace_metrics(self, settings: Settings) -> None:
        if settings.status.metrics_port == self._settings.status.metrics_port:
            return
        fresh = self._open_metrics(settings.status)
        self._close_metrics()
        self._metrics = fresh

    # --- the end

    def _take_apart(self) -> None:
        parts = self._loop.parts
        parts.source_thread.close()
        self._outputs.close(parts.controller.process_replies, [partial(_close_all, parts.sinks)])
        parts.runner.close()

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


def _close_all(sinks: Sequence[NoticeSink]) -> None:
    close_concurrently([partial(sink.close, FLUSH_S) for sink in sinks], FLUSH_S)
