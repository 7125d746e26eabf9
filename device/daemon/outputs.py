"""The delivery channels of one daemon: opened as configured, replaced by a reload, closed in time.

Whatever can be refused is prepared before anything that runs is closed. Knows no alarm, and not how a channel is
opened: see `channel_factory`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from device.daemon.closing import close_concurrently
from device.daemon.delivery.alarm_publisher import AlarmPublisher
from device.daemon.delivery.channels import Channels
from device.daemon.delivery.outbox import Outbox
from device.daemon.publishing.announcer import Announcer
from device.daemon.publishing.state_publisher import ANNOUNCED, StatePublisher
from device.runtime.certificates import certificate_expiries
from device.runtime.clocks import zone_of
from device.runtime.daemon_state import installed_version
from device.runtime.device_identity import device_id_of_machine, new_device_id

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import tzinfo

    from device.config.settings import MqttSettings, Settings
    from device.daemon.alerting.alarm_labels import AlarmLabels
    from device.daemon.channel_factory import ChannelFactory
    from device.daemon.delivery.alarm_publisher import Broker
    from device.daemon.delivery.channels import AlarmJournal, Clips, Pins
    from device.daemon.delivery.reply_queue import ReplyQueue
    from device.runtime.certificates import CertificateExpiry
    from device.runtime.clocks import Timekeeper

BROKER_CLOSE_S = 1.2
JOURNAL_CLOSE_S = 0.8
CLIPS_CLOSE_S = 1.0
"""systemd is promised an end within 5 s, whatever hangs."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """What a configuration can be refused for, ready to be applied.

    Attributes:
        settings: of the new configuration.
        zone: time zone of quiet hours; None for the machine's own.
        broker: not started; None if none is configured, or the current one stays.
        clips: None if they are not enabled, or the current ones stay.
        connection: how the broker is reached, with the digest of the files that this needs.
        certificates: those in use.
    """

    settings: Settings
    zone: tzinfo | None
    broker: Broker | None
    clips: Clips | None
    connection: tuple[MqttSettings, bytes]
    certificates: Sequence[CertificateExpiry]


@dataclass(frozen=True, slots=True, eq=False)
class _Applied:
    """The configuration in force, and its channels."""

    prepared: Prepared
    channels: Channels

    @property
    def settings(self) -> Settings:
        return self.prepared.settings


class Outputs:
    """Opens, replaces and closes the delivery channels.

    Args:
        factory: opens channels.
        replies: tells a broker what it receives first after each connection.
        timekeeper: both clocks; gets the configured time zone.
    """

    def __init__(self, factory: ChannelFactory, *, replies: ReplyQueue, timekeeper: Timekeeper) -> None:
        self._factory = factory
        self._replies = replies
        self._timekeeper = timekeeper
        self._applied: _Applied | None = None

    def __repr__(self) -> str:
        return f"Outputs({self._factory!r}, {None if self._applied is None else self._applied.channels!r})"

    def prepare(self, settings: Settings) -> Prepared:
        """Open what can be refused, and close nothing.

        Raises:
            ConfigError: the time zone, the password, a certificate or a key is not valid.
            MissingExtraError: a library is not installed.
        """
        before = None if self._applied is None else self._applied.prepared
        connection = settings.mqtt, self._factory.identity_digest(settings.mqtt)
        zone = zone_of(settings.alarms.time_zone)
        keeps_broker = before is not None and before.connection == connection
        broker = None if keeps_broker else self._factory.open_broker(settings.mqtt)
        keeps_clips = before is not None and before.settings.clips == settings.clips
        clips = None if keeps_clips else self._factory.open_clips(settings.clips)
        return Prepared(settings, zone, broker, clips, connection, certificate_expiries(settings))

    def apply(self, prepared: Prepared, labels: AlarmLabels) -> Channels:
        """Close the channels that are configured otherwise now, open their successors; returns the new set."""
        settings, old = prepared.settings, self._applied
        self._timekeeper.zone = prepared.zone
        broker = self._replaced_broker(prepared, old)
        channels = Channels(self._replaced_journal(settings, old), self._replaced_pins(settings, old))
        channels.clips = self._replaced_clips(prepared, old)
        channels.wants_push = settings.wants_push
        channels.certificates = prepared.certificates
        channels.certificate_days = settings.status.certificate_days
        if broker is not None:
            self._attach_broker(channels, broker, settings, labels, old)
        self._applied = _Applied(prepared, channels)
        self._start_publishing(channels, settings, old)
        return channels

    def discard(self, prepared: Prepared) -> None:
        """Close what was prepared and will not be applied."""
        if prepared.broker is not None:
            prepared.broker.close(0.0)
        if prepared.clips is not None:
            prepared.clips.close(CLIPS_CLOSE_S)

    def close(self, process_replies: Callable[[], None], others: Sequence[Callable[[], object]] = ()) -> None:
        """Close all, within `BROKER_CLOSE_S` and `JOURNAL_CLOSE_S`, whatever hangs; idempotent.

        Args:
            process_replies: passes the broker's last acknowledgements to the journal before that is closed.
            others: closed at the same time.
        """
        applied, self._applied = self._applied, None
        if applied is None:
            return
        channels = applied.channels
        closing: list[Callable[[], object]] = [
            channels.pins.close,
            partial(_close_broker_and_journal, channels, process_replies),
            *others,
        ]
        if channels.clips is not None:
            closing.append(partial(channels.clips.close, CLIPS_CLOSE_S))
        close_concurrently(closing, BROKER_CLOSE_S + JOURNAL_CLOSE_S)

    # --- each channel, kept or replaced

    def _replaced_broker(self, prepared: Prepared, old: _Applied | None) -> Broker | None:
        if old is None:
            return prepared.broker
        if old.prepared.connection == prepared.connection:
            return old.channels.broker
        if old.channels.broker is not None:
            old.channels.broker.close(BROKER_CLOSE_S)  # first: two clients of one id would drive each other out
        return prepared.broker

    def _replaced_journal(self, settings: Settings, old: _Applied | None) -> AlarmJournal:
        """Another one if it is configured otherwise; what is in flight goes on with it."""
        window, has_disk = _window(settings), settings.journal.file is not None
        if old is None:
            return self._factory.open_journal(settings.journal, Outbox(window, has_disk=has_disk))
        journal = old.channels.journal
        journal.resize(window)
        if old.settings.journal == settings.journal:
            return journal
        journal.close(JOURNAL_CLOSE_S)
        same_journal = old.settings.journal.file == settings.journal.file
        outbox = journal.take_outbox().successor(has_disk=has_disk, same_journal=same_journal)
        return self._factory.open_journal(settings.journal, outbox)

    def _replaced_pins(self, settings: Settings, old: _Applied | None) -> Pins:
        if old is not None:
            if old.settings.gpio == settings.gpio:
                return old.channels.pins
            old.channels.pins.close()
        return self._factory.open_pins(settings.gpio)

    def _replaced_clips(self, prepared: Prepared, old: _Applied | None) -> Clips | None:
        if old is not None:
            if old.settings.clips == prepared.settings.clips:
                return old.channels.clips
            if old.channels.clips is not None:
                old.channels.clips.close(CLIPS_CLOSE_S)
        return prepared.clips

    # --- what publishes through the broker

    def _attach_broker(
        self, channels: Channels, broker: Broker, settings: Settings, labels: AlarmLabels, old: _Applied | None
    ) -> None:
        """Set the broker and its publishers; what waits for the old broker is published through the new one."""
        topics = self._factory.topics(settings.mqtt)
        publisher = None if old is None else old.channels.alarm_publisher
        channels.broker = broker
        channels.alarm_publisher = publisher or AlarmPublisher(topics, self._timekeeper)
        machine_id = device_id_of_machine(topics.instance)
        announcer = Announcer(
            topics,
            settings.mqtt,
            labels=tuple(labels.priorities),
            fresh_id=machine_id if settings.journal.file is None else new_device_id(topics.instance),
            machine_id=machine_id,
            version=installed_version(),
            page_url=settings.web.url,
            fixed=labels.fixed,
            listens_in=settings.web.listen_in,
            scheduled={each.name: each.switch for each in settings.schedule},
            publish=broker.publish,
            save_note=partial(channels.journal.set_note, ANNOUNCED),
        )
        channels.state_publisher = StatePublisher(
            topics, settings.mqtt, holds=labels.hold_s, publish=broker.publish, announcer=announcer
        )
        if _is_new_broker(channels, old):
            channels.alarm_publisher.use_topics(topics)

    def _start_publishing(self, channels: Channels, settings: Settings, old: _Applied | None) -> None:
        """Publish the state anew, and start the broker if it is a new one."""
        publisher, broker = channels.state_publisher, channels.broker
        if publisher is None or broker is None:
            return
        self._replies.initial_messages = publisher.initial_messages
        publisher.start()
        before = None if old is None else old.channels.state_publisher
        note = None if before is None else before.announcer.note
        if note is not None or settings.journal.file is None:
            publisher.restore_announced(note)
        if _is_new_broker(channels, old):
            broker.start()


def _is_new_broker(channels: Channels, old: _Applied | None) -> bool:
    return old is None or channels.broker is not old.channels.broker


def _window(settings: Settings) -> int:
    """How many owed entries are held in memory for the broker."""
    return settings.mqtt.in_flight if settings.mqtt.host else 0


def _close_broker_and_journal(channels: Channels, process_replies: Callable[[], None]) -> None:
    if channels.broker is not None:
        channels.broker.close(BROKER_CLOSE_S)
        process_replies()
    channels.journal.close(JOURNAL_CLOSE_S)
