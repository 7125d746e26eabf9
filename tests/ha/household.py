"""The household of a trial: Home Assistant, a broker, a sound card, and the daemon."""

from __future__ import annotations

import contextlib
import json
import re
import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.subscribeoptions import SubscribeOptions

from tests.ha.claims import SOON_S, Table
from tests.ha.house import HomeAssistant
from tests.system.conftest import Mosquitto, PulseCard
from tests.system.running_daemon import RATE_HZ, UP_WITHIN_S, RunningDaemon, Sounds

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator, Sequence

    from tests.ha.house import Entity

CHECKOUT = Path(__file__).resolve().parents[2]
GUIDE = CHECKOUT / "docs" / "home-assistant.md"


NAME = "anna"
CRY = f"binary_sensor.auricle_{NAME}_cry"
ALARM = f"event.auricle_{NAME}_cry_alarm"
TECHNICAL = f"event.auricle_{NAME}_technical_alarm"
FAULT = f"binary_sensor.auricle_{NAME}_fault"
HEARING = f"binary_sensor.auricle_{NAME}_hearing"
LEVEL = f"sensor.auricle_{NAME}_level"
LISTENED = f"sensor.auricle_{NAME}_listened"
ACKNOWLEDGE = f"button.auricle_{NAME}_acknowledge"
SELF_TEST = f"button.auricle_{NAME}_self_test"
SCORE = f"sensor.auricle_{NAME}_cry_score"
SENSITIVITY = f"number.auricle_{NAME}_cry_sensitivity"
UNACKNOWLEDGED = f"sensor.auricle_{NAME}_unacknowledged_alarms"
PAUSED = f"binary_sensor.auricle_{NAME}_paused"
PAUSE = f"button.auricle_{NAME}_pause"
RESUME = f"button.auricle_{NAME}_resume"
HEARD = (CRY, SCORE, LEVEL, LISTENED)
"""What depends on the microphone; all else depends on the daemon alone."""

TOLD = (
    ALARM,
    TECHNICAL,
    FAULT,
    HEARING,
    SENSITIVITY,
    UNACKNOWLEDGED,
    PAUSED,
    ACKNOWLEDGE,
    PAUSE,
    RESUME,
    SELF_TEST,
)
ENTITIES = (*HEARD, *TOLD)


UNAVAILABLE = "unavailable"


_AS_PUBLISHED = SubscribeOptions(qos=1, retainAsPublished=True)  # or retained messages could not be recognized


CONFIG = """
[microphone]
device = "fakemic"
sample_rate_hz = {rate_hz}

[model.cry.label.cry]
hold_s = 1.0
cooldown_s = 0.0
[model.scream]
enabled = false
{more}
[alarms]
remind_s = 10.0

[self_test]
daily_at = "off"

[mqtt]
host = "127.0.0.1"
port = {port}
{mqtt}
"""


class RetainedMessages:
    """The newest payload of each retained topic of the broker."""

    def __init__(self, port: int) -> None:
        self._payloads: dict[str, bytes] = {}
        self._client = paho.Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
        self._client.reconnect_delay_set(1, 1)
        self._client.on_connect = lambda client, *_: client.subscribe("#", options=_AS_PUBLISHED)
        self._client.on_message = self._on_message
        self._client.connect_async("127.0.0.1", port)
        self._client.loop_start()

    def close(self) -> None:
        """Disconnect."""
        self._client.disconnect()
        self._client.loop_stop()

    def newest(self, topic: str) -> Any:
        """The payload of a topic of the instance, parsed; an empty object if there is none."""
        return json.loads(self._payloads.get(f"auricle/{NAME}/{topic}") or b"{}")

    def below(self, prefix: str) -> list[str]:
        """The topics that begin so."""
        return [topic for topic, payload in list(self._payloads.items()) if topic.startswith(prefix) and payload]

    def clear(self) -> int:
        """Clear all retained topics, like a broker without persistence that restarts; returns their number."""
        kept = [topic for topic, payload in list(self._payloads.items()) if payload]
        for topic in kept:
            self._client.publish(topic, b"", qos=1, retain=True).wait_for_publish(SOON_S)
        return len(kept)

    def _on_message(self, _client: object, _data: object, message: paho.MQTTMessage) -> None:
        if message.retain:
            self._payloads[message.topic] = bytes(message.payload)


class Room:
    """A sound card into which a room, or an infant crying, is played without end."""

    def __init__(self, card: PulseCard, sounds: Sounds) -> None:
        self.card = card
        self._room = sounds.write("room.wav", [sounds.room(1800.0)])
        self._cry = sounds.write("cry.wav", [sounds.crying(300.0)])
        self._player: subprocess.Popen[bytes] | None = None

    def cry(self) -> None:
        """An infant cries."""
        self._play(self._cry)

    def calm(self) -> None:
        """It is quiet."""
        self._play(self._room)

    def _play(self, path: Path) -> None:
        if self._player is not None:
            self._player.kill()
            self._player.wait(UP_WITHIN_S)
        self._player = self.card.play(path)


@dataclass(slots=True)
class Trial:
    """The parts of the household, and the table of claims."""

    house: HomeAssistant
    broker: Mosquitto
    retained: RetainedMessages
    room: Room
    daemon: RunningDaemon
    table: Table

    # --- what Home Assistant shows

    def state(self, entity_id: str) -> str:
        """State of an entity; empty if there is none."""
        entity = self.house.entity(entity_id)
        return "" if entity is None else str(entity["state"])

    def is_available(self, entity_id: str) -> bool:
        """Whether the entity exists and is available."""
        return self.state(entity_id) not in {"", UNAVAILABLE}

    def all_available(self, names: Sequence[str] = ENTITIES) -> bool:
        """Whether each of these entities exists and is available."""
        known = self.house.entities()
        return all(name in known and known[name]["state"] != UNAVAILABLE for name in names)

    def all_unavailable(self, names: Sequence[str] = ENTITIES) -> bool:
        """Whether each of these entities exists and is unavailable."""
        known = self.house.entities()
        return all(name in known and known[name]["state"] == UNAVAILABLE for name in names)

    def ours(self) -> set[str]:
        """All entities of the instance."""
        return {name for name in self.house.entities() if f".auricle_{NAME}_" in name}

    def open_faults(self) -> set[str]:
        """Kinds, as the sensor's attributes list them."""
        fault = self.house.entity(FAULT) or {"attributes": {}}
        return {listed["kind"] for listed in fault["attributes"].get("open", [])}

    def fired(self, event_id: str, since: int, **attributes: object) -> Entity | None:
        """Attributes of the first event after `since` that has these attributes; None if there is none."""
        for state in self.house.changes[since:]:
            if state["entity_id"] == event_id and attributes.items() <= state["attributes"].items():
                return state["attributes"]  # type: ignore[no-any-return]
        return None

    def runs_of(self, automation: str) -> int:
        """How often it ran since the first start."""
        return self.house.automations_run.count(automation)

    def configure(self, *, more: str = "", mqtt: str = "") -> None:
        """Write the daemon's configuration."""
        self.daemon.configure(CONFIG.format(rate_hz=RATE_HZ, port=self.broker.port, more=more, mqtt=mqtt))


def guide() -> list[str]:
    """The automations of the guide, in the form that Home Assistant's editor accepts."""
    return re.findall(r"```yaml\n(alias: .*?)```", GUIDE.read_text("utf-8"), re.DOTALL)


def as_list(automations: Sequence[str]) -> str:
    """As the file that holds them all."""
    return "".join(f"- {textwrap.indent(text, '  ').strip()}\n" for text in automations)


@contextlib.contextmanager
def household(tree: Path, folder: Path) -> Iterator[Trial]:
    """Start the household without the daemon, which has never run."""
    broker, card, sounds = Mosquitto(folder), PulseCard(folder), Sounds(folder)
    house = HomeAssistant(tree, "household")
    with contextlib.ExitStack() as opened:
        broker.start()
        opened.callback(broker.kill)
        retained = RetainedMessages(broker.port)
        opened.callback(retained.close)
        card.start()
        opened.callback(card.stop)
        room = Room(card, sounds)
        room.calm()
        opened.enter_context(house)
        house.know_broker(broker.port)
        house.automate(as_list(guide()))
        daemon = RunningDaemon(folder, card.environment, "", name=NAME)
        opened.callback(daemon.kill)
        trial = Trial(house, broker, retained, room, daemon, Table())
        trial.configure()
        yield trial
