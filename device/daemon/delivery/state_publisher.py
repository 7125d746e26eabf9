"""Publishes the daemon's current state to the broker: the newest message of each topic, if it changed.

Availability of the daemon and its microphone, open alarms, labels that are on, faults, coverage and level, and the
discovery message for Home Assistant. Belongs to the main loop. Knows no connection: messages go to a callable, and
whoever has a connection repeats the retained ones after each new one.
"""

from __future__ import annotations

import json
from importlib import metadata
from typing import TYPE_CHECKING

from device.sinks import homeassistant, payloads
from device.sinks.homeassistant import AnnouncedDevice

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from device.config.settings import MqttSettings
    from device.messages import Alarm, Event
    from device.runtime.daemon_state import DaemonState
    from device.sinks.payloads import Message, Topics

FIGURES_EVERY_S = 10.0
"""Level and coverage; nobody needs them more often, and a network may be metered."""

ANNOUNCED = "announced"
"""Key of the journal note on what Home Assistant was ever told of, and may have to be told to forget."""


class StatePublisher:
    """Publishes what changed.

    Args:
        topics: of the instance.
        settings: of the broker.
        labels: each (model, label) that raises alarms.
        publish: accepts messages.
        save_note: stores what was announced, for later starts.
    """

    def __init__(
        self,
        topics: Topics,
        settings: MqttSettings,
        *,
        labels: Sequence[tuple[str, str]],
        publish: Callable[[Message], None],
        save_note: Callable[[str], None],
    ) -> None:
        self._topics = topics
        self._settings = settings
        self._labels = tuple(labels)
        self._announced = AnnouncedDevice(topics, settings.discovery_topic, self._labels, metadata.version("auricle"))
        self._publish = publish
        self._save_note = save_note
        self._latest: dict[str, Message] = {}
        self._figures_s = float("-inf")
        self._alarms: tuple[Alarm, ...] = ()
        self._hearing = self._paused = False
        self._published_state: object = None
        self._initial_messages: tuple[Message, ...] = ()
        self._before: Mapping[str, str] = {}  # components announced by earlier starts

    def __repr__(self) -> str:
        return f"StatePublisher({self._topics!r}, {len(self._latest)} topics)"

    def initial_messages(self) -> Iterable[Message]:
        """What a broker must receive first after each connection; from any thread."""
        return self._initial_messages

    def start(self) -> None:
        """Publish that the daemon runs, and what it offers."""
        self._publish_changed(payloads.availability(self._topics, online=True))
        self._publish_changed(payloads.microphone_availability(self._topics, online=False))
        for model, label in self._labels:
            self._publish_sound(model, label, on=False)
        self._announce()

    def restore_announced(self, note: str | None) -> None:
        """Read the note on what was announced before, and remove from Home Assistant what is gone by now."""
        try:
            before = json.loads(note or "{}")
        except ValueError:
            before = {}
        if isinstance(before, dict):
            self._before = {str(name): str(platform) for name, platform in before.items()}
        self._announce()
        known = self.known_components if self._settings.home_assistant else {}
        if known != self._before:
            self._save_note(json.dumps(known))

    @property
    def known_components(self) -> Mapping[str, str]:
        """What Home Assistant was told of, now and before: component -> platform."""
        return {**self._before, **self._wanted()}

    def publish_sounds(self, events: Iterable[Event]) -> None:
        """Publish which labels are on, after these events."""
        for event in events:
            if (event.model, event.label) in self._labels:
                self._publish_sound(event.model, event.label, on=event.phase != "end")

    def publish_alarms(self, alarms: tuple[Alarm, ...], *, paused: bool, utc_s: float) -> None:
        """Publish the open alarms."""
        self._alarms, self._paused = alarms, paused
        self._publish_summary(utc_s)

    def publish_state(self, state: DaemonState, now_s: float) -> None:
        """Publish the daemon's state; called periodically."""
        self._hearing = state.hearing
        self._publish_summary(state.told_utc_s)
        kinds = {fault.kind for fault in state.faults}
        has_sound = state.sample_rate_hz is not None and "microphone" not in kinds
        self._publish_changed(payloads.microphone_availability(self._topics, online=has_sound))
        self._publish_changed(payloads.faults(self._topics, state.faults))
        if now_s - self._figures_s < FIGURES_EVERY_S:
            return
        self._figures_s = now_s
        self._publish_changed(payloads.coverage(self._topics, listened=state.listened, windows=state.windows))
        self._publish(payloads.level(self._topics, rms_dbfs=state.level_dbfs, peak_dbfs=state.peak_dbfs))
        if self._settings.frigate_topics:
            for message in payloads.frigate_level(self._topics, state.level_dbfs):
                self._publish(message)

    def publish_microphone_offline(self) -> None:
        """Publish that no more sound comes; that the daemon ends, the broker's thread publishes itself, last."""
        self._publish_changed(payloads.microphone_availability(self._topics, online=False))

    def _publish_summary(self, utc_s: float) -> None:
        key = self._alarms, self._hearing, self._paused
        if key != self._published_state:
            self._published_state = key
            self._publish(
                payloads.state(self._topics, self._alarms, hearing=self._hearing, paused=self._paused, utc_s=utc_s)
            )

    def _publish_sound(self, model: str, label: str, *, on: bool) -> None:
        self._publish_changed(payloads.sound(self._topics, model, label, on=on))
        if self._settings.frigate_topics:
            self._publish_changed(payloads.frigate_sound(self._topics, label, on=on))

    def _announce(self) -> None:
        """Announce to Home Assistant what there is; if that is not wanted any more, that there is nothing."""
        if self._settings.home_assistant:
            self._publish_changed(homeassistant.discovery(self._announced, self._before))
        elif self._before:
            self._publish_changed(homeassistant.removal(self._announced))
        topics = (self._announced.topic, self._topics.available, self._topics.microphone_available)
        self._initial_messages = tuple(self._latest[topic] for topic in topics if topic in self._latest)

    def _wanted(self) -> Mapping[str, str]:
        return homeassistant.platforms(self._announced) if self._settings.home_assistant else {}

    def _publish_changed(self, message: Message) -> None:
        """Publish a message unless it is the topic's last one."""
        if self._latest.get(message.topic) != message:
            self._latest[message.topic] = message
            self._publish(message)
