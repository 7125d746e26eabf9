"""Publishes the daemon's current state to the broker: the newest message of each topic, if it changed.

Availability of the daemon and its microphone, open alarms, labels that are heard, their scores and sensitivities,
faults, coverage and level. Belongs to the main loop. Knows no connection: messages go to a callable, and whoever has a
connection repeats the retained ones after each new one.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from device.daemon.publishing.figure_pace import FigurePace
from device.daemon.publishing.sound_states import SoundStates
from device.sinks import frigate_payloads, payloads

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    from device.alarms.label_modes import ModeNow
    from device.config.settings import MqttSettings
    from device.daemon.publishing.announcer import Announcer
    from device.messages import Alarm, AlarmHistory, Heard, LabelMode
    from device.runtime.daemon_state import DaemonState
    from device.sinks.payloads import Message, Topics

FIGURES_EVERY_S = 10.0
"""Level, scores and coverage at most; nobody needs them more often, and a network may be metered."""

ALL_FIGURES_FOR_S = 60.0
"""After a connection, or a start of Home Assistant, every figure is published at each turn of `FIGURES_EVERY_S`.

Figures are not retained, and a new subscriber needs seconds until it has subscribed to them.
"""

LEVEL_STEP_DB, SCORE_STEP, COVERAGE_STEP = 3.0, 0.1, 0.01
"""A figure that moved by less is published when `figure_pace` repeats it."""

_NO_HISTORIES: Mapping[str, AlarmHistory] = MappingProxyType({})
_LEVEL = "level"
"""Name of that figure in `figure_pace`; a score's is its topic."""

ANNOUNCED = "announced"
"""Key of the journal note on what the broker was ever given to keep, and may have to be made to forget."""


class StatePublisher:
    """Publishes what changed.

    Args:
        topics: of the instance.
        settings: of the broker.
        holds: (model, label) of all that raise alarms -> its hold in seconds.
        publish: accepts messages.
        announcer: announces the device to Home Assistant, and withdraws what earlier names left.
    """

    def __init__(
        self,
        topics: Topics,
        settings: MqttSettings,
        *,
        holds: Mapping[tuple[str, str], float],
        publish: Callable[[Message], None],
        announcer: Announcer,
    ) -> None:
        self.announcer = announcer
        self._topics = topics
        self._settings = settings
        self._sounds = SoundStates(holds)
        self._publish = publish
        self._latest: dict[str, Message] = {}
        self._highest: dict[tuple[str, str], float] = {}  # score since the last message
        self._newest: dict[tuple[str, str], float] = {}
        self._pace = FigurePace()
        self._now_s = self._figures_s = float("-inf")
        self._figures_wanted = False
        self._all_until_s = float("-inf")
        self._alarms: tuple[Alarm, ...] = ()
        self._histories: Mapping[str, AlarmHistory] = _NO_HISTORIES
        self._hearing = self._paused = False
        self._listening_in: int | None = None
        self._published_state: object = None
        self._modes: dict[str, LabelMode] = {}
        self._hidden: Collection[tuple[str, str]] = ()
        self._initial_messages: tuple[Message, ...] = ()

    def __repr__(self) -> str:
        return f"StatePublisher({self._topics!r}, {len(self._latest)} topics)"

    def initial_messages(self) -> Iterable[Message]:
        """What a broker must receive first after each connection; from any thread.

        The figures, which it does not retain, follow for a minute.
        """
        self._figures_wanted = True
        return self._initial_messages

    def start(self) -> None:
        """Publish that the daemon runs. What is heard is unknown as yet, so nothing is published about that."""
        self._publish_changed(payloads.availability(self._topics, online=True))
        self._publish_changed(payloads.microphone_availability(self._topics, online=False))
        self._collect_initial_messages()

    def restore_announced(self, note: str | None) -> None:
        """Announce the device under the identity that the journal's note holds, if any."""
        self.announcer.restore(note)
        self._collect_initial_messages()

    def publish_heard(self, heard: Heard) -> None:
        """Publish which labels are heard, after these events and decisions."""
        for event in heard.events:
            self._sounds.apply_event(event)
            self._publish_sounds()  # each phase, though one push holds a beginning and an end
        self._sounds.apply_decisions(heard.decisions)
        self._publish_sounds()
        for scores in heard.scores:
            self._note_scores({(scores.model, label): value for label, value in scores.probabilities.items()})

    def publish_sensitivities(self, values: Mapping[tuple[str, str], tuple[int, int]]) -> None:
        """Publish (sensitivity in force, configured sensitivity) of each (model, label)."""
        for (model, label), (value, configured) in values.items():
            if (model, label) in self._sounds.heard:
                message = payloads.sensitivity(self._topics, model, label, value=value, configured=configured)
                self._publish_changed(message)

    def publish_modes(self, modes: Mapping[str, ModeNow], hidden: Collection[tuple[str, str]]) -> None:
        """Publish what each scheduled label does; of `hidden` (model, label) nobody knows whether they are heard."""
        self._modes = {label: now.mode for label, now in modes.items()}
        self._hidden = hidden
        self._sounds.hide(hidden)
        for key in hidden:
            self._highest.pop(key, None)
        for label, now in modes.items():
            self._publish_changed(payloads.mode(self._topics, label, now))
        self._publish_sounds()

    def publish_alarms(
        self,
        alarms: tuple[Alarm, ...],
        *,
        paused: bool,
        utc_s: float,
        histories: Mapping[str, AlarmHistory] = _NO_HISTORIES,
    ) -> None:
        """Publish the open alarms, with what is remembered of each."""
        self._alarms, self._paused, self._histories = alarms, paused, histories
        self._publish_summary(utc_s)

    def publish_state(self, state: DaemonState, now_s: float) -> None:
        """Publish the daemon's state; called periodically."""
        self._now_s = now_s
        self._hearing = state.hearing
        self._listening_in = None if state.listening_in is None else len(state.listening_in)
        if not state.hearing:
            self._sounds.lose_hearing()
        if self.announcer.step(now_s, is_connected=state.broker == "connected"):
            self._collect_initial_messages()
        self._publish_summary(state.told_utc_s)
        kinds = {fault.kind for fault in state.faults}
        has_sound = state.sample_rate_hz is not None and "microphone" not in kinds
        self._publish_changed(payloads.microphone_availability(self._topics, online=has_sound))
        self._publish_changed(payloads.faults(self._topics, state.faults))
        self._publish_changed(payloads.software(self._topics, version=state.version, models=state.models))
        if self._figures_wanted:
            self._figures_wanted = False
            self._all_until_s, self._figures_s = now_s + ALL_FIGURES_FOR_S, float("-inf")
        if now_s - self._figures_s >= FIGURES_EVERY_S:
            self._figures_s = now_s
            if now_s <= self._all_until_s:
                self._pace.forget()
            self._publish_figures(state)
        self._publish_sign(state)

    def publish_microphone_offline(self) -> None:
        """Publish that no more sound comes; that the daemon ends, the broker's thread publishes itself, last."""
        self._publish_changed(payloads.microphone_availability(self._topics, online=False))

    def _collect_initial_messages(self) -> None:
        own = (self._latest.get(topic) for topic in (self._topics.available, self._topics.microphone_available))
        first = (self.announcer.announcement, *own)
        self._initial_messages = tuple(message for message in first if message is not None)

    def _publish_figures(self, state: DaemonState) -> None:
        if self._have_moved({"listened": state.listened, "windows": state.windows}, COVERAGE_STEP):
            coverage = payloads.coverage(
                self._topics, listened=state.listened, windows=state.windows, night=state.night
            )
            if self._publish_changed(coverage):
                self._pace.record_sign(self._now_s)
        if self._have_moved({_LEVEL: state.level_dbfs}, LEVEL_STEP_DB):
            self._publish_level(state)
        self._publish_scores([key for key in self._highest if self._score_has_moved(key)])

    def _publish_sign(self, state: DaemonState) -> None:
        """Publish a figure that has not moved, if nothing else has shown for long that this daemon lives."""
        scores = {self._topics.score(*key): key for key in self._highest}
        name = self._pace.next_sign([_LEVEL, *scores], self._now_s)
        if name == _LEVEL:
            self._pace.record(_LEVEL, state.level_dbfs, self._now_s)
            self._publish_level(state)
        elif name is not None:
            self._publish_scores([scores[name]])

    def _publish_level(self, state: DaemonState) -> None:
        self._pace.record_sign(self._now_s)
        self._publish(payloads.level(self._topics, rms_dbfs=state.level_dbfs, peak_dbfs=state.peak_dbfs))
        if self._settings.frigate_topics:
            for message in frigate_payloads.frigate_level(self._topics, state.level_dbfs):
                self._publish(message)

    def _score_has_moved(self, key: tuple[str, str]) -> bool:
        """Whether the highest score since the last message of a label is far from that of the message."""
        return self._pace.is_due(self._topics.score(*key), self._highest[key], self._now_s, step=SCORE_STEP)

    def _have_moved(self, figures: Mapping[str, float | None], step: float) -> bool:
        """Whether one of the figures of a message is due; then all of them count as published."""
        if not any(self._pace.is_due(name, value, self._now_s, step=step) for name, value in figures.items()):
            return False
        for name, value in figures.items():
            self._pace.record(name, value, self._now_s)
        return True

    def _publish_summary(self, utc_s: float) -> None:
        sounds = self._sounds.heard
        key = self._alarms, tuple(sounds.values()), self._hearing, self._paused, self._modes, self._listening_in
        if key != self._published_state:
            self._published_state = key
            flags = {"hearing": self._hearing, "paused": self._paused}
            message = payloads.state(
                self._topics,
                self._alarms,
                sounds,
                **flags,
                utc_s=utc_s,
                modes=self._modes,
                histories=self._histories,
                listening_in=self._listening_in,
            )
            self._publish(message)

    def _publish_sounds(self) -> None:
        """Publish what is known; a form with only ON and OFF stays as it is while nobody knows, OFF if it is hidden."""
        for (model, label), known in self._sounds.heard.items():
            if known is None and (model, label) not in self._hidden:
                continue
            heard = known or False
            message = payloads.sound(self._topics, model, label, on=heard)
            if self._latest.get(message.topic) != message:
                self._publish_scores([key for key in self._highest if key == (model, label)])
            self._publish_changed(message)
            if self._settings.frigate_topics:
                self._publish_changed(frigate_payloads.frigate_sound(self._topics, label, on=heard))

    def _note_scores(self, scores: Mapping[tuple[str, str], float]) -> None:
        for key in scores.keys() & self._sounds.heard.keys():
            self._newest[key] = scores[key]
            self._highest[key] = max(scores[key], self._highest.get(key, 0.0))

    def _publish_scores(self, keys: Iterable[tuple[str, str]]) -> None:
        """Publish the scores since the last message of these labels."""
        for key in keys:
            highest = self._highest.pop(key)
            self._pace.record(self._topics.score(*key), highest, self._now_s)
            self._pace.record_sign(self._now_s)
            self._publish(payloads.score(self._topics, *key, newest=self._newest[key], highest=highest))

    def _publish_changed(self, message: Message) -> bool:
        """Publish a message unless it is the topic's last one; whether it was published."""
        if self._latest.get(message.topic) == message:
            return False
        self._latest[message.topic] = message
        self._publish(message)
        return True
