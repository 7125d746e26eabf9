"""Opens the parts of a daemon as the settings say, and closes them; knows every concrete class.

A microphone is opened before the models, so that its sound is queued while they open; recordings wait for the loop.
"""

from __future__ import annotations

import secrets
import sys
import time
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from device.alarms.machine import Machine
from device.config.wording import listed
from device.daemon.alerting.alarm_labels import AlarmLabels
from device.daemon.alerting.controller import AlarmController
from device.daemon.alerting.epoch import Epoch
from device.daemon.alerting.sensitivities import Sensitivities
from device.daemon.audio.listening import ModelRunner
from device.daemon.audio.source_thread import SourceStatus, SourceThread
from device.daemon.channel_factory import ChannelFactory
from device.daemon.closing import close_concurrently
from device.daemon.delivery.notices import NoticeMaker
from device.daemon.delivery.reply_queue import ReplyQueue
from device.daemon.delivery.sink_worker import SinkWorker
from device.daemon.main_loop import LoopParts
from device.daemon.outputs import Outputs
from device.daemon.self_test_schedule import SelfTestSchedule
from device.runtime.daemon_state import installed_version
from device.runtime.paths import log_file, runtime_folder
from device.runtime.secrets.microphone_login import check_stream, open_microphone
from device.runtime.self_test.known_sound import known_sounds
from device.sinks.console import Console
from device.sinks.log import Log

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from device.config.settings import Settings
    from device.daemon.audio.file_playback import FilePlayback
    from device.daemon.audio.source_thread import Source
    from device.daemon.delivery.sink_monitor import NoticeSink
    from device.daemon.main_loop import MainLoop
    from device.daemon.options import ListenOptions
    from device.runtime.clocks import Timekeeper
    from device.runtime.daemon_state import DaemonState
    from device.runtime.sockets.recent_hearing import HeardItem

SINKS_CLOSE_S = 1.5
"""How long all sinks together have to write the last notices."""


class LoopHandle:
    """Access to the main loop for parts that are opened before it.

    Args:
        reload: requests a reload, from any thread.

    Attributes:
        loop: None while the daemon starts.
        reload: as given.
    """

    def __init__(self, reload: Callable[[], None]) -> None:
        self.loop: MainLoop | None = None
        self.reload = reload

    def __repr__(self) -> str:
        return f"LoopHandle({self.loop!r})"

    def snapshot(self) -> DaemonState | None:
        """The newest state, from any thread; None while the daemon starts."""
        return None if self.loop is None else self.loop.snapshot

    def recent(self) -> Sequence[HeardItem]:
        """What was heard in the last seconds, from any thread; nothing while the daemon starts."""
        return () if self.loop is None else self.loop.recent.items

    def capture_hz(self) -> int | None:
        """The capture rate; None if it is unknown."""
        state = self.snapshot()
        return None if state is None else state.sample_rate_hz

    def wake(self) -> None:
        """Let the loop turn at once, from any thread."""
        if self.loop is not None:
            self.loop.parts.source_thread.queue.wake()

    def report_pin(self, line: str) -> None:
        """Report what a pin would do on a machine without GPIO."""
        if self.loop is not None:
            self.loop.parts.controller.report_pin(line)


class Assembly:
    """Opens and closes the parts of one daemon.

    Args:
        options: of the command line.
        instance: name of the daemon.
        handle: access to the loop that will run the parts.
        timekeeper: both clocks.
        wrap: receives the audio source and returns the one to read in its place.
        is_stopped: whether the daemon was asked to stop.

    Attributes:
        outputs: the delivery channels.
        replies: to the main loop, from other threads.
        self_tests: runs self-tests.

    Raises:
        RecordingError: a folder holds no recording, or a named file is none.
    """

    def __init__(
        self,
        options: ListenOptions,
        instance: str,
        *,
        handle: LoopHandle,
        timekeeper: Timekeeper,
        wrap: Callable[[Source], Source],
        is_stopped: Callable[[], bool],
    ) -> None:
        self._options = options
        self._instance = instance
        self._timekeeper = timekeeper
        self._wrap = wrap
        self._is_stopped = is_stopped
        self._recordings = options.recording_paths()
        self._playback: FilePlayback | None = None
        self._reload = handle.reload
        self.replies = ReplyQueue(handle.wake)
        self.self_tests = SelfTestSchedule(
            instance, boot_id=secrets.token_hex(6), timekeeper=timekeeper, capture_hz=handle.capture_hz
        )
        factory = ChannelFactory(
            instance,
            replies=self.replies,
            report_pin=handle.report_pin,
            prints_pins=self.plays_recordings,
            on_echo=self.self_tests.received,
        )
        self.outputs = Outputs(factory, replies=self.replies, timekeeper=timekeeper)

    def __repr__(self) -> str:
        return f"Assembly({self._instance!r}, {self.outputs!r})"

    @property
    def plays_recordings(self) -> bool:
        """Whether recordings are played in place of a microphone."""
        return bool(self._recordings)

    @property
    def has_given_source(self) -> bool:
        """Whether the command line says what is heard, and no configuration changes it."""
        return self.plays_recordings or self._options.reads_input

    @property
    def playback_failures(self) -> int:
        """How many recordings could not be played."""
        return 0 if self._playback is None else self._playback.failures

    def open_parts(self, settings: Settings) -> LoopParts:
        """All parts of the loop; on an error, those that were opened are closed.

        Raises:
            AuricleError: a part cannot be opened.
        """
        self.check_source(settings)
        with ExitStack() as opened:
            source_thread = self.open_source(settings)
            opened.callback(source_thread.close)
            runner = self.open_runner(settings)
            opened.callback(runner.close)
            sounds = known_sounds(settings, runner.models)
            controller = self._open_controller(settings, runner)
            opened.callback(self.outputs.close, controller.process_replies)
            notice_maker, sinks = self.notice_maker(runner), self.open_sinks(settings)
            parts = LoopParts(runner, source_thread, notice_maker, sinks, controller, self.self_tests)
            self.self_tests.configure(settings, runner, controller.channels, sounds)
            opened.pop_all()
        return parts

    def close_parts(self, parts: LoopParts) -> None:
        """Close the source, then outputs and sinks at once, then the models; within seconds, whatever hangs."""
        parts.source_thread.close()
        self.outputs.close(parts.controller.process_replies, [partial(close_sinks, parts.sinks)])
        parts.runner.close()

    def check_source(self, settings: Settings) -> None:
        """See whether a source can be opened: whether a stream's password and authorities can be read.

        Raises:
            ConfigError: it cannot.
        """
        if not self.has_given_source:
            check_stream(settings.microphone)

    def open_source(self, settings: Settings) -> SourceThread:
        """The microphone, with a running thread that reads it; or the recordings, whose thread is yet to be started."""
        if self._recordings:
            return self._recordings_thread(settings)
        thread = self._input_thread(settings) if self._options.reads_input else self._microphone_thread(settings)
        thread.start()
        return thread

    def notice_maker(self, runner: ModelRunner) -> NoticeMaker:
        """Makes the notices of what these models hear."""
        return NoticeMaker(runner.models.priorities, stream_speed=self._options.speed)

    def open_runner(self, settings: Settings) -> ModelRunner:
        """The models, with a new stream id.

        Raises:
            AuricleError: a model cannot be opened, or does not support the configured hop.
        """
        sheds = self._options.sheds or not self._recordings
        return ModelRunner(settings, stream_id=secrets.token_hex(6), sheds=sheds, is_stopped=self._is_stopped)

    def open_sinks(self, settings: Settings) -> tuple[SinkWorker, ...]:
        """The console, and the log if one is configured."""
        console = SinkWorker("console", Console(sys.stdout))
        path = self._log_path(settings)
        if path is None:
            return (console,)
        log = Log(path, max_bytes=round(settings.log.max_mb * 1e6), keep=settings.log.keep)
        return console, SinkWorker("log", log)

    def _open_controller(self, settings: Settings, runner: ModelRunner) -> AlarmController:
        labels, timekeeper = AlarmLabels.of(runner.models), self._timekeeper
        channels = self.outputs.apply(self.outputs.prepare(settings), labels)
        machine = Machine(
            settings.alarms,
            boot_id=secrets.token_hex(6),  # no alarm id is ever repeated after a restart
            holds=labels.hold_s,
            local_minute=timekeeper.local_minute,
        )
        return AlarmController(
            machine,
            labels=labels,
            channels=channels,
            replies=self.replies,
            timekeeper=timekeeper,
            instance=self._instance,
            sensitivities=Sensitivities(runner),
            epoch=self._epoch(),
            schedule=settings.schedule,
            self_test=lambda command: self.self_tests.request(command.by),
            reload=self._reload,
        )

    def _epoch(self) -> Epoch:
        uptime_s = time.clock_gettime(time.CLOCK_BOOTTIME)
        return Epoch.at_start(runtime_folder(self._instance), utc_s=self._timekeeper.clocks.utc(), uptime_s=uptime_s)

    def _microphone_thread(self, settings: Settings) -> SourceThread:
        microphone = open_microphone(settings.microphone)

        def status() -> SourceStatus:
            return SourceStatus(microphone.name, microphone.overruns, microphone.reopened)

        name = microphone.name
        return SourceThread(self._wrap(microphone), waits=False, name_at=lambda _second: name, status=status)

    def _input_thread(self, settings: Settings) -> SourceThread:
        from device.sources.conversion import STANDARD_INPUT
        from device.sources.streams.standard_input import StandardInput

        source = StandardInput(0, settings.microphone.channel, self._options.raw)

        def status() -> SourceStatus:
            return SourceStatus(STANDARD_INPUT, source.overruns)

        return SourceThread(self._wrap(source), waits=False, name_at=lambda _second: STANDARD_INPUT, status=status)

    def _recordings_thread(self, settings: Settings) -> SourceThread:
        from device.daemon.audio.file_playback import FilePlayback  # 2 MB that a microphone does not need

        options, channel = self._options, settings.recording.channel
        playback = FilePlayback(self._recordings, channel=channel, speed=options.speed, loops=options.loops)
        self._playback = playback
        return SourceThread(
            self._wrap(playback), waits=not options.sheds, name_at=playback.name_at, status=SourceStatus
        )

    def _log_path(self, settings: Settings) -> Path | None:
        if settings.log.file == "auto":
            return log_file(self._instance)
        return Path(settings.log.file) if settings.log.file else None


def close_sinks(sinks: Sequence[NoticeSink]) -> None:
    """Let all sinks write what they hold, at once, and close them."""
    close_concurrently([partial(sink.close, SINKS_CLOSE_S) for sink in sinks], SINKS_CLOSE_S)


def greeting(parts: LoopParts) -> str:
    """One line on what runs: version, source and models."""
    models = listed([f"{model.name} {model.version}" for model in parts.runner.models.listed])
    return f"auricle {installed_version()} listens to {parts.source_thread.name_at(0.0)} with {models}"
