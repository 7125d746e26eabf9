"""The ways to people, opened as the configuration says, replaced where it says otherwise, and closed in time.

Journal, broker, pins and clips, and what belongs to each. Knows no alarm; whatever can be refused is tried before
anything is let go.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, cast

from device.alarms.journal.store import Journal
from device.commands import MAX_PAUSE_S, Acknowledge, Pause
from device.daemon.alerting.restore import PAUSED_UNTIL
from device.daemon.closing import close_concurrently
from device.daemon.delivery.alarm_publisher import AlarmPublisher
from device.daemon.delivery.channels import Channels
from device.daemon.delivery.journal_writer import JournalWriter
from device.daemon.delivery.null_journal import NullJournal
from device.daemon.delivery.reply_queue import CommandReceived
from device.daemon.delivery.state_publisher import ANNOUNCED, StatePublisher
from device.errors import JournalError
from device.runtime.clocks import zone_of
from device.runtime.paths import clips_folder, journal_file, runtime_folder
from device.runtime.self_test.outcome import alert_topic
from device.sinks import homeassistant, payloads
from device.sinks.gpio.pins import Gpio, named_pins
from device.sinks.gpio.printed_pins import PrintedPins
from device.sinks.payloads import Topics

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import tzinfo

    import numpy as np
    import numpy.typing as npt

    from device.config.settings import ClipSettings, JournalSettings, MqttSettings, Settings
    from device.daemon.alerting.alarm_labels import AlarmLabels
    from device.daemon.delivery.alarm_publisher import Broker
    from device.daemon.delivery.channels import Clips, Pins
    from device.daemon.delivery.null_journal import AlarmJournal
    from device.daemon.delivery.reply_queue import ReplyQueue
    from device.runtime.clocks import Timekeeper

BROKER_CLOSE_S = 1.2
JOURNAL_CLOSE_S = 0.8
CLIPS_CLOSE_S = 1.0
"""A service manager is promised an end within 5 s, whatever hangs."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """What a configuration may be refused for, ready to be taken.

    Attributes:
        settings: that were read.
        zone: of quiet hours.
        broker: not started; None where none is configured, or where it is to stay as it is.
        clips: None where no sound is kept, or where they are to stay as they are.
    """

    settings: Settings
    zone: tzinfo | None
    broker: Broker | None
    clips: Clips | None


class Outputs:
    """Opens, replaces and closes the ways to people.

    Args:
        instance: name of the daemon.
        replies: takes what they have to say.
        timekeeper: both clocks.
        report_pin: takes a line on what a pin would do.
        prints_pins: on a machine without GPIO, say what pins would do.
        on_echo: takes what the broker brings back of a self-test; called by its thread.
    """

    def __init__(
        self,
        instance: str,
        *,
        replies: ReplyQueue,
        timekeeper: Timekeeper,
        report_pin: Callable[[str], None],
        prints_pins: bool,
        on_echo: Callable[[bytes], None] | None = None,
    ) -> None:
        self._instance = instance
        self._replies = replies
        self._timekeeper = timekeeper
        self._report_pin = report_pin
        self._prints_pins = prints_pins
        self._on_echo = on_echo
        self._settings: Settings | None = None
        self._channels: Channels | None = None

    def __repr__(self) -> str:
        return f"Outputs({self._instance!r}, {self._channels!r})"

    def prepare(self, settings: Settings) -> Prepared:
        """Try all that may be refused.

        Raises:
            ConfigError: the zone, the password, a certificate or a key does not hold.
            MissingExtraError: a library is not installed.
        """
        before = self._settings
        zone = zone_of(settings.alarms.time_zone)
        broker = None if before is not None and before.mqtt == settings.mqtt else self._new_broker(settings.mqtt)
        clips = None if before is not None and before.clips == settings.clips else self._new_clips(settings.clips)
        return Prepared(settings, zone, broker, clips)

    def apply(self, prepared: Prepared, labels: AlarmLabels) -> Channels:
        """Let go of what is configured otherwise by now, and open what is; the channels from now on."""
        settings, before, old = prepared.settings, self._settings, self._channels
        self._timekeeper.zone = prepared.zone
        broker, is_new = self._broker(prepared, old)
        if before is not None and before.mqtt != settings.mqtt and old is not None and old.broker is not None:
            old.broker.close(BROKER_CLOSE_S)  # first, or the new one would be taken for an intruder
        journal = self._journal(settings, before, old)
        pins = old.pins if old and before and before.gpio == settings.gpio else self._pins(settings, old)
        channels = Channels(journal, pins, clips=self._clips(prepared, old))
        if broker is not None:
            topics = Topics(settings.mqtt.topic, self._instance)
            channels.broker = broker
            kept = old.alarm_publisher if old else None
            channels.alarm_publisher = kept or AlarmPublisher(topics, self._timekeeper)
            channels.state_publisher = self._state_publisher(topics, settings.mqtt, labels, channels)
            if is_new:
                channels.alarm_publisher.use_topics(topics)
        self._settings, self._channels = settings, channels
        if channels.state_publisher is not None and broker is not None:
            self._replies.initial_messages = channels.state_publisher.initial_messages
            channels.state_publisher.start()
            if old is not None and old.state_publisher is not None:
                channels.state_publisher.restore_announced(json.dumps(old.state_publisher.known_components))
            if is_new:
                broker.start()
        return channels

    def discard(self, prepared: Prepared) -> None:
        """What was prepared is not to be taken."""
        if prepared.broker is not None:
            prepared.broker.close(0.0)
        if prepared.clips is not None:
            prepared.clips.close(CLIPS_CLOSE_S)

    def close(self, hear: Callable[[], None], others: Sequence[Callable[[], object]] = ()) -> None:
        """Let all go, within `BROKER_CLOSE_S` and `JOURNAL_CLOSE_S`, whatever hangs; idempotent.

        Args:
            hear: takes what the broker acknowledged last, so that the journal knows.
            others: to be closed beside them.
        """
        channels, self._channels = self._channels, None
        if channels is None:
            return
        closing: list[Callable[[], object]] = [channels.pins.close, partial(_leave, channels, hear), *others]
        if channels.clips is not None:
            closing.append(partial(channels.clips.close, CLIPS_CLOSE_S))
        close_concurrently(closing, BROKER_CLOSE_S + JOURNAL_CLOSE_S)

    # --- the broker

    def _new_broker(self, settings: MqttSettings) -> Broker | None:
        if settings.host is None:
            return None
        from device.sinks.mqtt.client import Mqtt  # a tenth of a second that no daemon without a broker needs
        from device.sinks.mqtt.connection import read_password
        from device.sinks.mqtt.link import Echo

        topics = Topics(settings.topic, self._instance)
        birth = homeassistant.birth_topic(settings.discovery_topic) if settings.home_assistant else None
        return Mqtt(
            settings,
            client_id=f"auricle-{self._instance}",
            will=payloads.availability(topics, online=False),
            password=read_password(settings),
            handler=self._replies,
            commands=topics.commands,
            birth_topic=birth,
            echo=None if self._on_echo is None else Echo(alert_topic(topics), self._on_echo),
        )

    def _broker(self, prepared: Prepared, old: Channels | None) -> tuple[Broker | None, bool]:
        """The broker from now on, and whether it is another one."""
        same = self._settings is not None and self._settings.mqtt == prepared.settings.mqtt
        if same and old is not None:
            return old.broker, False
        return prepared.broker, True

    def _state_publisher(
        self, topics: Topics, settings: MqttSettings, labels: AlarmLabels, channels: Channels
    ) -> StatePublisher:
        publish = cast("Broker", channels.broker).publish
        save_note = partial(channels.journal.set_note, ANNOUNCED)
        return StatePublisher(topics, settings, labels=tuple(labels.priorities), publish=publish, save_note=save_note)

    # --- the journal

    def _journal(self, settings: Settings, before: Settings | None, old: Channels | None) -> AlarmJournal:
        at_once = settings.mqtt.in_flight if settings.mqtt.host else 0
        if before is not None and old is not None:
            at_once_before = before.mqtt.in_flight if before.mqtt.host else 0
            if (before.journal, at_once_before) == (settings.journal, at_once):
                return old.journal
            old.journal.close(JOURNAL_CLOSE_S)
        if settings.journal.file is None:
            return NullJournal()
        open_journal = partial(_open_journal, self._journal_path(settings.journal), settings.journal)
        notes = (PAUSED_UNTIL, ANNOUNCED)
        return JournalWriter(open_journal, self._replies.put, max_in_flight=at_once, notes=notes)

    def _journal_path(self, settings: JournalSettings) -> Path:
        return journal_file(self._instance) if settings.file == "auto" else Path(str(settings.file))

    # --- pins

    def _pins(self, settings: Settings, old: Channels | None) -> Pins:
        if old is not None:
            old.pins.close()
        pause = Pause(MAX_PAUSE_S, "button")  # the machine knows how long it may be
        pins = Gpio(
            settings.gpio,
            on_acknowledge=lambda: self._replies.put(CommandReceived(Acknowledge(None, "button"))),
            on_pause=lambda: self._replies.put(CommandReceived(pause)),
            work_folder=runtime_folder(self._instance),
        )
        if pins.problem is None or not self._prints_pins or not named_pins(settings.gpio):
            return pins
        pins.close()
        return PrintedPins(settings.gpio, write_line=self._report_pin)

    # --- clips

    def _new_clips(self, settings: ClipSettings) -> Clips | None:
        if not settings.enabled:
            return None
        from device.sinks.clips.worker import Clips as KeptClips

        folder = clips_folder(self._instance) if settings.folder == "auto" else Path(settings.folder)
        return KeptClips(settings, folder, picture=picture)

    def _clips(self, prepared: Prepared, old: Channels | None) -> Clips | None:
        if old is None or self._settings is None:
            return prepared.clips
        if self._settings.clips == prepared.settings.clips:
            return old.clips
        if old.clips is not None:
            old.clips.close(CLIPS_CLOSE_S)
        return prepared.clips


def picture(samples: npt.NDArray[np.float32], sample_rate_hz: int) -> bytes:
    """A clip's spectrogram as PNG.

    Args:
        samples: float32 (n,) in [-1, 1].
        sample_rate_hz: of them.

    Raises:
        ValueError: it is too short for one.
    """
    from device.messages import AudioBlock
    from device.report.spectrogram import SpectrogramCollector

    collector = SpectrogramCollector(sample_rate_hz)
    collector.push(AudioBlock(samples, sample_rate_hz, 0))
    drawn = collector.finish()
    if drawn is None:
        raise ValueError(f"{len(samples)} samples are too few for a picture")
    return drawn.png


def _leave(channels: Channels, hear: Callable[[], None]) -> None:
    if channels.broker is not None:
        channels.broker.close(BROKER_CLOSE_S)
        hear()
    channels.journal.close(JOURNAL_CLOSE_S)


def _open_journal(path: Path, settings: JournalSettings) -> Journal:
    """By the journal's thread, which alone waits for its disk.

    Raises:
        JournalError: it can be neither read nor written.
    """
    if settings.file == "auto":
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise JournalError(f"the folder of the journal {path} cannot be made: {error.strerror or error}") from error
    return Journal.open(path, max_bytes=round(settings.max_mb * 1e6))
