"""Opens each delivery channel as the settings say: broker, journal, pins and clips.

Knows every concrete channel, but not when one is opened or replaced: see `outputs`.
"""

from __future__ import annotations

import secrets
import socket
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from device.alarms.journal.command_notes import COUNT_KEY
from device.alarms.journal.store import Journal
from device.commands import MAX_PAUSE_S, Acknowledge, Pause
from device.daemon.alerting.epoch import EPOCH
from device.daemon.alerting.label_schedule import SWITCHES
from device.daemon.alerting.restore import PAUSED_UNTIL
from device.daemon.alerting.sensitivities import SENSITIVITIES
from device.daemon.delivery.journal_writer import JournalWriter
from device.daemon.delivery.null_journal import NullJournal
from device.daemon.delivery.reply_queue import CommandReceived
from device.daemon.publishing.night_coverage import NIGHT
from device.daemon.publishing.state_publisher import ANNOUNCED
from device.errors import JournalError
from device.quantity import quantity
from device.runtime.device_identity import machine_digest
from device.runtime.paths import clips_folder, journal_file, runtime_folder
from device.runtime.self_test.outcome import alert_topic
from device.sinks import homeassistant, payloads
from device.sinks.gpio.pins import Gpio, named_pins
from device.sinks.gpio.printed_pins import PrintedPins
from device.sinks.payloads import Topics

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    import numpy.typing as npt

    from device.config.settings import ClipSettings, GpioSettings, JournalSettings, MqttSettings
    from device.daemon.delivery.alarm_publisher import Broker
    from device.daemon.delivery.channels import AlarmJournal, Clips, Pins
    from device.daemon.delivery.outbox import Outbox
    from device.daemon.delivery.reply_queue import ReplyQueue


class ChannelFactory:
    """Opens the delivery channels of one daemon.

    Args:
        instance: name of the daemon.
        replies: receives the replies and commands of all channels.
        report_pin: receives a line on what a pin would do.
        prints_pins: on a machine without GPIO, report what the pins would do.
        on_echo: receives what the broker returns of a self-test, in the broker's thread; None to subscribe to nothing.
    """

    def __init__(
        self,
        instance: str,
        *,
        replies: ReplyQueue,
        report_pin: Callable[[str], None],
        prints_pins: bool,
        on_echo: Callable[[bytes], None] | None = None,
    ) -> None:
        self._instance = instance
        self._replies = replies
        self._report_pin = report_pin
        self._prints_pins = prints_pins
        self._on_echo = on_echo

    def __repr__(self) -> str:
        return f"ChannelFactory({self._instance!r})"

    def topics(self, settings: MqttSettings) -> Topics:
        """The instance's topics."""
        return Topics(settings.topic, self._instance)

    def open_broker(self, settings: MqttSettings) -> Broker | None:
        """A connection that is not started yet; None if no broker is configured.

        Raises:
            ConfigError: the password, a certificate or a key is not valid.
            MissingExtraError: paho-mqtt is not installed.
        """
        if settings.host is None:
            return None
        from device.sinks.mqtt.client import Mqtt  # 0.1 s to import, which a daemon without a broker need not spend
        from device.sinks.mqtt.connection import read_password
        from device.sinks.mqtt.link import Echo
        from device.sinks.mqtt.ownership import MOST_CHARACTERS, Owner

        topics = self.topics(settings)
        birth = homeassistant.birth_topic(settings.discovery_topic) if settings.home_assistant else None
        device = machine_digest(self._instance)
        return Mqtt(
            settings,
            client_id=settings.client_id or f"auricle-{self._instance}-{device}",
            owner=Owner(device, secrets.token_hex(4), socket.gethostname()[:MOST_CHARACTERS]),
            owner_topic=topics.owner,
            will=payloads.availability(topics, online=False),
            password=read_password(settings),
            handler=self._replies,
            commands=topics.commands,
            birth_topic=birth,
            echo=None if self._on_echo is None else Echo(alert_topic(topics), self._on_echo),
        )

    @staticmethod
    def identity_digest(settings: MqttSettings) -> bytes:
        """Of the files that a connection to the broker is made with; empty if no broker is configured."""
        if settings.host is None:
            return b""
        from device.sinks.mqtt.connection import identity_digest

        return identity_digest(settings)

    def open_journal(self, settings: JournalSettings, outbox: Outbox) -> AlarmJournal:
        """The journal with its thread; one that stores nothing if none is configured.

        Args:
            settings: of the journal.
            outbox: of the daemon; with a disk if a journal is configured.
        """
        if settings.file is None:
            return NullJournal(outbox)
        path = journal_file(self._instance) if settings.file == "auto" else Path(settings.file)
        notes = (PAUSED_UNTIL, ANNOUNCED, SENSITIVITIES, SWITCHES, NIGHT, EPOCH, COUNT_KEY)
        return JournalWriter(partial(_open_journal, path, settings), self._replies.put, outbox=outbox, notes=notes)

    def open_pins(self, settings: GpioSettings) -> Pins:
        """The GPIO pins; on a machine without GPIO, printed ones if that is wanted."""
        pause = Pause(MAX_PAUSE_S, "button")  # the alarm machine limits it
        pins = Gpio(
            settings,
            on_acknowledge=lambda: self._replies.put(CommandReceived(Acknowledge(None, "button"))),
            on_pause=lambda: self._replies.put(CommandReceived(pause)),
            work_folder=runtime_folder(self._instance),
        )
        if pins.problem is None or not self._prints_pins or not named_pins(settings):
            return pins
        pins.close()
        return PrintedPins(settings, write_line=self._report_pin)

    def open_clips(self, settings: ClipSettings) -> Clips | None:
        """The writer of audio clips; None if they are not enabled."""
        if not settings.enabled:
            return None
        from device.sinks.clips.worker import Clips as ClipWriter

        folder = clips_folder(self._instance) if settings.folder == "auto" else Path(settings.folder)
        return ClipWriter(settings, folder, picture=clip_picture)


def clip_picture(samples: npt.NDArray[np.float32], sample_rate_hz: int) -> bytes:
    """A clip's spectrogram as PNG.

    Args:
        samples: float32 (n,) in [-1, 1].
        sample_rate_hz: of them.

    Raises:
        ValueError: the clip is too short for one.
    """
    from device.messages import AudioBlock
    from device.report.spectrogram import SpectrogramCollector

    collector = SpectrogramCollector(sample_rate_hz)
    collector.push(AudioBlock(samples, sample_rate_hz, 0))
    spectrogram = collector.finish()
    if spectrogram is None:
        raise ValueError(f"{quantity(len(samples), 'sample is', 'samples are')} too few for a picture")
    return spectrogram.png


def _open_journal(path: Path, settings: JournalSettings) -> Journal:
    """Open the journal; called by its own thread, the only one that waits for its disk.

    Raises:
        JournalError: it can be neither read nor written.
    """
    if settings.file == "auto":
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise JournalError(f"the folder of the journal {path} cannot be made: {error.strerror or error}") from error
    return Journal.open(path, max_bytes=round(settings.max_mb * 1e6))
