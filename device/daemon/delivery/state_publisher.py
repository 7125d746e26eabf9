"""What is the case, told to the broker: the newest of each topic, where it changed. Belongs to the main loop.

Availability of the daemon and its microphone, open alarms, labels that are heard, faults, coverage and level, and
the announcement to Home Assistant. Knows no connection: what is published is handed to whoever has one, who
repeats what is retained after each new one.
"""

from __future__ import annotations

import json
from importlib import metadata
from typing import TYPE_CHECKING

from device.sinks import homeassistant, payloads
from device.sinks.homeassistant import Announced

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from device.config.settings import MqttSettings
    from device.messages import Alarm, Event
    from device.runtime.daemon_state import DaemonState
    from device.sinks.payloads import Message, Topics

FIGURES_EVERY_S = 10.0
"""Level and coverage; nobody needs them more often, and a network may be metered."""

ANNOUNCED = "announced"
"""Name of the durable note: what Home Assistant was told of at any time, and may have to be told to forget."""


class StatePublisher:
    """Publishes what changed.

    Args:
        topics: of the instance.
        settings: of the broker.
        labels: (model, label) of all that raises alarms.
        publish: takes what is to be told.
        note: keeps what was announced, for later starts.
    """

    def __init__(
        self,
        topics: Topics,
        settings: MqttSettings,
        *,
        labels: Sequence[tuple[str, str]],
        publish: Callable[[Message], None],
        note: Callable[[str], None],
    ) -> None:
        self._topics = topics
        self._settings = settings
        self._labels = tuple(labels)
        self._announced = Announced(topics, settings.discovery_topic, self._labels, metadata.version("auricle"))
        self._publish = publish
        self._note = note
        self._latest: dict[str, Message] = {}
        self._figures_s = float("-inf")
        self._alarms: tuple[Alarm, ...] = ()
        self._hearing = self._paused = False
        self._told_state: object = None
        self._first: tuple[Message, ...] = ()
        self._before: Mapping[str, str] = {}

    def __repr__(self) -> str:
        return f"StatePublisher({self._topics!r}, {len(self._latest)} topics)"

    def first(self) -> Iterable[Message]:
        """What a broker that takes us must know before all else; from any thread."""
        return self._first

    def begin(self) -> None:
        """Tell that the daemon runs, and what there is."""
        self._changed(payloads.availability(self._topics, online=True))
        self._changed(payloads.microphone_availability(self._topics, online=False))
        for model, label in self._labels:
            self._sound(model, label, on=False)
        self._announce()

    def remember(self, note: str | None) -> None:
        """What was announced at any time before, as it was kept; tells Home Assistant what is gone by now."""
        try:
            before = json.loads(note or "{}")
        except ValueError:
            before = {}
        if isinstance(before, dict):
            self._before = {str(name): str(platform) for name, platform in before.items()}
        self._announce()
        known = self.known if self._settings.home_assistant else {}
        if known != self._before:
            self._note(json.dumps(known))

    @property
    def known(self) -> Mapping[str, str]:
        """What Home Assistant was told of, by now and before: component -> platform."""
        return {**self._before, **self._wanted()}

    def heard(self, events: Iterable[Event]) -> None:
        """Labels begin and end to be heard."""
        for event in events:
            if (event.model, event.label) in self._labels:
                self._sound(event.model, event.label, on=event.phase != "end")

    def alarms(self, alarms: tuple[Alarm, ...], *, paused: bool, utc_s: float) -> None:
        """What is open now."""
        self._alarms, self._paused = alarms, paused
        self._state(utc_s)

    def state(self, now: DaemonState, now_s: float) -> None:
        """What is the case now; called once in a while."""
        self._hearing = now.hearing
        self._state(now.told_utc_s)
        kinds = {fault.kind for fault in now.faults}
        heard = now.sample_rate_hz is not None and "microphone" not in kinds
        self._changed(payloads.microphone_availability(self._topics, online=heard))
        self._changed(payloads.faults(self._topics, now.faults))
        if now_s - self._figures_s < FIGURES_EVERY_S:
            return
        self._figures_s = now_s
        self._changed(payloads.coverage(self._topics, listened=now.listened, windows=now.windows))
        self._publish(payloads.level(self._topics, rms_dbfs=now.level_dbfs, peak_dbfs=now.peak_dbfs))
        if self._settings.frigate_topics:
            for message in payloads.frigate_level(self._topics, now.level_dbfs):
                self._publish(message)

    def leave(self) -> None:
        """The microphone is heard no more; of the daemon the broker's thread says so itself, last."""
        self._changed(payloads.microphone_availability(self._topics, online=False))

    def _state(self, utc_s: float) -> None:
        key = self._alarms, self._hearing, self._paused
        if key != self._told_state:
            self._told_state = key
            self._publish(
                payloads.state(self._topics, self._alarms, hearing=self._hearing, paused=self._paused, utc_s=utc_s)
            )

    def _sound(self, model: str, label: str, *, on: bool) -> None:
        self._changed(payloads.sound(self._topics, model, label, on=on))
        if self._settings.frigate_topics:
            self._changed(payloads.frigate_sound(self._topics, label, on=on))

    def _announce(self) -> None:
        """To Home Assistant, or, where that is not wanted any more, that there is nothing."""
        if self._settings.home_assistant:
            self._changed(homeassistant.discovery(self._announced, self._before))
        elif self._before:
            self._changed(homeassistant.removal(self._announced))
        topics = (self._announced.topic, self._topics.available, self._topics.microphone_available)
        self._first = tuple(self._latest[topic] for topic in topics if topic in self._latest)

    def _wanted(self) -> Mapping[str, str]:
        return homeassistant.platforms(self._announced) if self._settings.home_assistant else {}

    def _changed(self, message: Message) -> None:
        """Only what is new is told."""
        if self._latest.get(message.topic) != message:
            self._latest[message.topic] = message
            self._publish(message)
