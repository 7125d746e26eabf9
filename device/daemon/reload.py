"""A reload: reads the configuration again and replaces what it changes, all of it or nothing.

Everything that can fail is opened first, beside what runs: the models in the background, for their trial may take long,
then the outputs. Only then is anything replaced, between two turns of the loop.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

from device.config.loading import locating
from device.daemon.alerting.alarm_labels import AlarmLabels
from device.daemon.assembly import close_sinks, greeting
from device.daemon.background_opening import BackgroundOpening, start_thread
from device.errors import AuricleError, one_sentence
from device.messages import OperationNote
from device.runtime.self_test.known_sound import known_sounds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from device.config.settings import Settings
    from device.daemon.assembly import Assembly
    from device.daemon.audio.listening import ModelRunner
    from device.daemon.main_loop import MainLoop
    from device.daemon.options import ListenOptions
    from device.daemon.outputs import Prepared
    from device.daemon.ports.metrics_port import MetricsPort
    from device.daemon.ports.sound_port import SoundPort
    from device.runtime.self_test.known_sound import KnownSound
    from device.runtime.systemd_notify import Notifier


@dataclass(frozen=True, slots=True, eq=False)
class _OpenedModels:
    """A new configuration, and the models that were opened for it."""

    settings: Settings
    runner: ModelRunner
    sounds: Sequence[KnownSound]

    def close(self) -> None:
        """Close the models."""
        self.runner.close()


@dataclass(frozen=True, slots=True, eq=False)
class _Replacement:
    """What was opened for a new configuration, ready to replace what runs."""

    settings: Settings
    runner: ModelRunner
    sounds: Sequence[KnownSound]
    prepared: Prepared


class Reload:
    """Reloads one daemon.

    Args:
        loop: whose parts are replaced.
        options: where the configuration is read from.
        settings: by which the parts were opened.
        assembly: opens and closes parts.
        metrics: the metrics server.
        sound: lets people listen in.
        notifier: the service manager.
    """

    def __init__(
        self,
        loop: MainLoop,
        *,
        options: ListenOptions,
        settings: Settings,
        assembly: Assembly,
        metrics: MetricsPort,
        sound: SoundPort,
        notifier: Notifier,
    ) -> None:
        self._loop = loop
        self._options = options
        self._settings = settings
        self._assembly = assembly
        self._metrics = metrics
        self._sound = sound
        self._notifier = notifier
        self._opening: BackgroundOpening[_OpenedModels] | None = None
        self._is_requested_again = False

    def __repr__(self) -> str:
        return f"Reload({self._options!r})"

    def request(self) -> None:
        """Start to open the configuration as it is now; `step` replaces what runs, once that has succeeded."""
        if self._opening is not None:
            self._is_requested_again = True
            return
        self._notifier.reloading()
        try:
            self._opening = BackgroundOpening(self._open_models, _OpenedModels.close, start_thread)
        except RuntimeError as error:  # no thread can be started
            self._refuse(str(error))

    def step(self) -> None:
        """Apply a configuration whose models are open by now; if it is refused, everything stays as it was."""
        opened = None if self._opening is None else self._opening.result
        if opened is None:
            return
        self._opening = None
        if isinstance(opened, Exception):
            self._refuse(one_sentence(opened))
        else:
            self._apply(opened)
        if self._is_requested_again:
            self._is_requested_again = False
            self.request()

    def close(self) -> None:
        """Close what is being opened, once it is open."""
        if self._opening is not None:
            self._opening.discard()

    def _apply(self, opened: _OpenedModels) -> None:
        try:
            with locating(self._options.config):
                replacement = self._prepare(opened)
        except (AuricleError, OSError) as error:
            self._refuse(str(error))
        else:
            self._replace(replacement)
            self._notifier.ready(greeting(self._loop.parts))

    def _refuse(self, why: str) -> None:
        self._loop.report(OperationNote("reload_refused", f"{why}; what was configured before is kept"))
        self._loop.tracker.record_reload(refused=why)
        self._notifier.ready(greeting(self._loop.parts))

    def _open_models(self) -> _OpenedModels:
        """Read the configuration and open its models; called in the background.

        Raises:
            AuricleError: the configuration is invalid, or a model cannot be opened.
        """
        settings = self._options.settings()
        with locating(self._options.config), ExitStack() as opened:
            runner = self._assembly.open_runner(settings)
            opened.callback(runner.close)
            sounds = known_sounds(settings, runner.models)
            opened.pop_all()
        return _OpenedModels(settings, runner, sounds)

    def _prepare(self, models: _OpenedModels) -> _Replacement:
        """Open everything else that can fail.

        Raises:
            AuricleError: a part cannot be opened; the models are closed.
        """
        settings, outputs = models.settings, self._assembly.outputs
        with ExitStack() as opened:
            opened.callback(models.runner.close)
            self._assembly.check_source(settings)
            prepared = outputs.prepare(settings)
            opened.callback(outputs.discard, prepared)
            self._metrics.apply(settings)
            self._sound.apply(settings)  # last: a reload that is refused lets nobody listen in
            opened.pop_all()
        return _Replacement(settings, models.runner, models.sounds, prepared)

    def _replace(self, replacement: _Replacement) -> None:
        settings, before = replacement.settings, self._settings
        self._settings = settings
        self._loop.finish("reload")
        self._replace_runner(replacement.runner)
        self._replace_channels(replacement)
        self._replace_source(settings, before)
        self._replace_sinks(settings, before)
        self._loop.report(OperationNote("reloaded", greeting(self._loop.parts)))
        self._loop.tracker.record_reload()

    def _replace_runner(self, runner: ModelRunner) -> None:
        parts = self._loop.parts
        self._loop.tracker.replace_listener(parts.runner.listener)
        parts.runner.close()
        parts.runner, parts.notice_maker = runner, self._assembly.notice_maker(runner)
        parts.controller.sensitivities.use_models(runner)

    def _replace_channels(self, replacement: _Replacement) -> None:
        controller, settings = self._loop.parts.controller, replacement.settings
        labels = AlarmLabels.of(replacement.runner.models)
        channels = self._assembly.outputs.apply(replacement.prepared, labels)
        controller.reconfigure(settings.alarms, labels, channels, settings.schedule)
        self._assembly.self_tests.configure(settings, replacement.runner, controller.channels, replacement.sounds)

    def _replace_source(self, settings: Settings, before: Settings) -> None:
        """Another microphone, if it is configured otherwise; what the command line names goes on."""
        if settings.microphone != before.microphone and not self._assembly.has_given_source:
            parts = self._loop.parts
            parts.source_thread.close()
            # Cannot fail: a microphone's name or address is valid once it is configured, whether there is one or not.
            parts.source_thread = self._assembly.open_source(settings)

    def _replace_sinks(self, settings: Settings, before: Settings) -> None:
        """Other sinks, if the log is configured otherwise."""
        if settings.log != before.log:
            parts = self._loop.parts
            closed, parts.sinks = parts.sinks, self._assembly.open_sinks(settings)
            close_sinks(closed)
