"""Announces the device to Home Assistant, and withdraws what earlier names, topics and labels left at the broker.

The journal remembers who the device is and what the broker was given to keep. So the announcement waits for the
journal; if that cannot be opened in time, the device is announced under an identity of this machine. Belongs to the
main loop.
"""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from device.daemon.publishing.announced import Announced, read_announced
from device.sinks import homeassistant, payloads
from device.sinks.homeassistant import AnnouncedDevice, announcement_topic

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from device.config.settings import MqttSettings
    from device.sinks.payloads import Message, Topics

JOURNAL_WITHIN_S = 5.0
"""How long the announcement waits for the journal."""

WITHDRAWN_AFTER_S = 30.0
"""A broker that stays connected this long has acknowledged the withdrawal: 20 s without an answer end a connection."""

_NOTHING_SCHEDULED: Mapping[str, bool] = MappingProxyType({})


class Announcer:
    """Announces one instance.

    Args:
        topics: of the instance.
        settings: of the broker.
        labels: (model, label) of all that raise alarms.
        fresh_id: identity of a device that the journal does not know yet.
        machine_id: identity of the device while the journal cannot be read.
        version: of Auricle.
        page_url: where people open the instance's page; None if it has none.
        fixed: those labels that have no sensitivity.
        scheduled: label -> whether it has a switch, of those that are scheduled.
        listens_in: whether people may listen in.
        publish: accepts messages.
        save_note: stores what was announced, for later starts.

    Attributes:
        announcement: the newest message to Home Assistant; None before the first.
    """

    def __init__(
        self,
        topics: Topics,
        settings: MqttSettings,
        *,
        labels: Sequence[tuple[str, str]],
        fresh_id: str,
        machine_id: str,
        version: str,
        page_url: str | None = None,
        fixed: Collection[tuple[str, str]] = (),
        scheduled: Mapping[str, bool] = _NOTHING_SCHEDULED,
        listens_in: bool = False,
        publish: Callable[[Message], None],
        save_note: Callable[[str], None],
    ) -> None:
        self.announcement: Message | None = None
        self._topics = topics
        self._settings = settings
        self._labels = tuple(labels)
        self._fresh_id = fresh_id
        self._machine_id = machine_id
        self._version = version
        self._page_url = page_url
        self._fixed = fixed
        self._scheduled = scheduled
        self._listens_in = listens_in
        self._publish = publish
        self._save_note = save_note
        self._announced: Announced | None = None
        self._is_provisional = False  # announced before the journal could be read
        self._current: frozenset[str] = frozenset()  # topics of retained messages that are published now
        self._saved: str | None = None
        self._started_s: float | None = None
        self._withdrawn_s: float | None = None

    def __repr__(self) -> str:
        return f"Announcer({self._topics!r}, {self._announced!r})"

    @property
    def note(self) -> str | None:
        """What is announced, as the journal keeps it; None before the announcement."""
        return None if self._announced is None else self._announced.to_json()

    def restore(self, note: str | None) -> None:
        """Announce the device under the identity of the journal's note; an identity already announced is kept."""
        before, mine = read_announced(note), self._announced
        self._saved = None if before is None else note
        if before is not None and not before.device_id:  # of a version that derived the identity from the topic
            before = replace(before, device_id=self._topics.base.replace("/", "_"))
        if mine is not None and not self._is_provisional:
            known, other = mine, before
        else:
            known, other = before or mine or Announced(self._fresh_id), mine
        self._is_provisional = False
        self._announce(known if other is None else self._merged(known, other))

    def step(self, now_s: float, *, is_connected: bool) -> bool:
        """The periodic work; whether the announcement changed.

        Args:
            now_s: monotonic.
            is_connected: the broker accepts what is published.
        """
        self._started_s = now_s if self._started_s is None else self._started_s
        if self._announced is None:
            if now_s - self._started_s < JOURNAL_WITHIN_S:
                return False
            self._is_provisional = True
            self._announce(Announced(self._machine_id))
            return True
        self._withdraw(self._announced, now_s, is_connected=is_connected)
        return False

    def _merged(self, known: Announced, other: Announced) -> Announced:
        """What is known, and what was announced besides, under another identity perhaps."""
        if known.device_id == other.device_id:
            known = replace(known, components={**other.components, **known.components})
        elif other.components:
            instance = self._topics.instance if self._settings.discovery_by_instance else None
            topic = announcement_topic(self._settings.discovery_topic, other.device_id, instance)
            known = known.with_topics([topic])
        return known.with_topics(other.topics)

    def _announce(self, known: Announced) -> None:
        """Announce what there is. If Home Assistant is not wanted any more, the announcement is withdrawn."""
        device = AnnouncedDevice(
            known.device_id,
            self._topics,
            self._settings.discovery_topic,
            self._labels,
            self._version,
            self._page_url,
            self._fixed,
            self._scheduled,
            listens_in=self._listens_in,
            below_instance=self._settings.discovery_by_instance,
        )
        components: Mapping[str, str] = {}
        if known.components:
            known = known.with_topics([device.topic])
        retained = [*self._topics.retained(self._labels, self._scheduled)]
        if self._settings.home_assistant:
            self.announcement = homeassistant.discovery(device, known.components)
            self._publish(self.announcement)
            components = {**known.components, **homeassistant.platforms(device)}
            retained.append(device.topic)
        self._announced = replace(known, components=components).with_topics(retained)
        self._current = frozenset(retained)
        self._save()

    def _withdraw(self, announced: Announced, now_s: float, *, is_connected: bool) -> None:
        """Make the broker forget what is published no more, and forget it ourselves once that must have arrived."""
        stale = [topic for topic in announced.topics if topic not in self._current]
        if not stale or not is_connected:
            self._withdrawn_s = None
        elif self._withdrawn_s is None:
            self._withdrawn_s = now_s
            for topic in stale:
                self._publish(payloads.withdrawal(topic))
        elif now_s - self._withdrawn_s >= WITHDRAWN_AFTER_S:
            if self.announcement is not None:  # ignored while an announcement elsewhere had the same entities
                self._publish(self.announcement)
            self._announced = announced.without_topics(stale)
            self._save()

    def _save(self) -> None:
        if self.note is not None and self.note != self._saved:
            self._saved = self.note
            self._save_note(self.note)
