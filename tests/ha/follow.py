"""Does a real Home Assistant follow a real daemon? What `make test-ha` runs; a table, and exit code 1 on any miss.

    python tests/ha/follow.py [--out build/ha]

A tree with a locked Home Assistant is made below `--out` once; household, broker, sound card and daemon are fresh each
time. Each row of the table is a claim that came true within its time, or did not: that every entity appears by itself,
follows an alarm, is available only while the daemon lives and hears, that the buttons reach the daemon, and all of it
again after a restart of the daemon, of Home Assistant, and of the broker. The automations are those of
docs/home-assistant.md, word for word. Needs root, debootstrap, mosquitto and PulseAudio.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import re
import sys
import tempfile
import textwrap
import time
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.subscribeoptions import SubscribeOptions

from tests.ha.house import HomeAssistant, demand_tools, make_tree
from tests.system.conftest import Mosquitto, PulseCard
from tests.system.running_daemon import AURICLE, RATE_HZ, UP_WITHIN_S, RunningDaemon, Sounds

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from tests.ha.house import Entity

CHECKOUT = Path(__file__).resolve().parents[2]
GUIDE = CHECKOUT / "docs" / "home-assistant.md"

SOON_S = 15.0
"""From a cause to what Home Assistant shows of it; a microphone that is back may take 8 s to be opened."""

BIRTH_S = 40.0
"""From Home Assistant's start to all entities: it says that it has started about 10 s after it answers."""

SILENCE_S = 45.0
"""The guide's automation waits 30 s before it says that nobody listens."""

APART_S = 4.0
"""Between two cries: windows that reach into the one before would make the next a reopening of it."""

DEAF_S = 60.0
"""Silence is no fault before it has lasted a while."""

STAYS_S = 3.0
"""What must not happen has so long to happen."""

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
ENTITIES = (CRY, ALARM, TECHNICAL, FAULT, HEARING, LEVEL, LISTENED, ACKNOWLEDGE, SELF_TEST)
MEMBERS = (
    "alarm_id",
    "seq",
    "change",
    "priority",
    "score",
    "detail",
    "decided_utc",
    "time_quality",
    "late",
    "not_durable",
)

UNAVAILABLE = "unavailable"
RINGS, SILENCE = "Anna cries", "Nobody listens to Anna"

_AS_PUBLISHED = SubscribeOptions(qos=1, retainAsPublished=True)  # or nobody could tell what the broker keeps
_CONNECTION_LOST = "Error returned from MQTT server: The connection was lost."

_CONFIG = """
[microphone]
device = "fakemic"
sample_rate_hz = {rate_hz}

[model.cry.label.cry]
hold_s = 1.0
cooldown_s = 0.0
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
_SECOND = """
[model.second]
bundle = "cry"
"""


# --- the table


@dataclass(frozen=True, slots=True)
class Row:
    """A claim, and whether it came true.

    Attributes:
        part: of the trial.
        claim: what was to be seen.
        took_s: until it was; None where it was not.
        seen: the number that was seen, where one was asked for.
    """

    part: str
    claim: str
    took_s: float | None
    seen: str = ""

    def __str__(self) -> str:
        told = "MISSED" if self.took_s is None else f"{self.took_s:5.1f} s"
        return f"{told:7}  {self.part:34}  {self.claim}{f': {self.seen}' if self.seen else ''}"


@dataclass(slots=True)
class Table:
    """Collects rows, and prints each as it comes.

    Attributes:
        part: of the trial, for the rows to come.
        rows: so far.
    """

    part: str = ""
    rows: list[Row] = field(default_factory=list)

    def want(self, claim: str, holds: Callable[[], object], within_s: float = SOON_S) -> Any:
        """Ask until it holds, which is returned, or the time is over: then it is missed, and the trial goes on."""
        began_s = time.monotonic()
        while not (held := holds()) and time.monotonic() - began_s < within_s:
            time.sleep(0.1)
        took_s = time.monotonic() - began_s if held else None
        is_number = isinstance(held, int | float) and not isinstance(held, bool)
        self._add(claim, took_s, str(held) if is_number else "")
        return held

    def stays(self, claim: str, holds: Callable[[], object], for_s: float = STAYS_S) -> None:
        """It must hold all the time."""
        began_s = time.monotonic()
        held = holds()
        while held and time.monotonic() - began_s < for_s:
            time.sleep(0.1)
            held = holds()
        self._add(claim, for_s if held else None)

    def __str__(self) -> str:
        missed = sum(row.took_s is None for row in self.rows)
        return f"{len(self.rows)} claims, {missed} missed"

    @property
    def holds(self) -> bool:
        """Whether something was claimed, and all came true."""
        return bool(self.rows) and all(row.took_s is not None for row in self.rows)

    def _add(self, claim: str, took_s: float | None, seen: str = "") -> None:
        self.rows.append(Row(self.part, claim, took_s, seen))
        _say(str(self.rows[-1]))


# --- the parts of a household


class Postbox:
    """What the broker keeps for whoever comes: the newest of each retained topic."""

    def __init__(self, port: int) -> None:
        self._kept: dict[str, bytes] = {}
        self._client = paho.Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
        self._client.reconnect_delay_set(1, 1)
        self._client.on_connect = lambda client, *_: client.subscribe("#", options=_AS_PUBLISHED)
        self._client.on_message = self._take
        self._client.connect_async("127.0.0.1", port)
        self._client.loop_start()

    def close(self) -> None:
        """Look no more."""
        self._client.disconnect()
        self._client.loop_stop()

    def newest(self, topic: str) -> Any:
        """What stands below the instance's topic, as JSON; an empty one where nothing does."""
        return json.loads(self._kept.get(f"auricle/{NAME}/{topic}") or b"{}")

    def forget_all(self) -> int:
        """Empty it, as a broker does that keeps nothing over a restart; how many topics that were."""
        kept = [topic for topic, payload in list(self._kept.items()) if payload]
        for topic in kept:
            self._client.publish(topic, b"", qos=1, retain=True).wait_for_publish(SOON_S)
        return len(kept)

    def _take(self, _client: object, _data: object, message: paho.MQTTMessage) -> None:
        if message.retain:
            self._kept[message.topic] = bytes(message.payload)


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
    """All that takes part."""

    house: HomeAssistant
    broker: Mosquitto
    postbox: Postbox
    room: Room
    daemon: RunningDaemon
    table: Table

    # --- what Home Assistant shows

    def state(self, entity_id: str) -> str:
        """Of an entity; empty where there is none."""
        entity = self.house.entity(entity_id)
        return "" if entity is None else str(entity["state"])

    def is_available(self, entity_id: str) -> bool:
        """Whether it is there, and says something of itself."""
        return self.state(entity_id) not in {"", UNAVAILABLE}

    def all_available(self) -> bool:
        """Whether every entity is there, and says something of itself."""
        known = self.house.entities()
        return all(name in known and known[name]["state"] != UNAVAILABLE for name in ENTITIES)

    def all_unavailable(self) -> bool:
        """Whether every entity is there, and says that nothing is known."""
        known = self.house.entities()
        return all(name in known and known[name]["state"] == UNAVAILABLE for name in ENTITIES)

    def ours(self) -> set[str]:
        """All entities of the instance."""
        return {name for name in self.house.entities() if f".auricle_{NAME}_" in name}

    def open_faults(self) -> set[str]:
        """Kinds, as the sensor's attributes list them."""
        fault = self.house.entity(FAULT) or {"attributes": {}}
        return {listed["kind"] for listed in fault["attributes"].get("open", [])}

    def told(self, event_id: str, since: int, **attributes: object) -> Entity | None:
        """The attributes of the first event since then that has these."""
        for state in self.house.changes[since:]:
            if state["entity_id"] == event_id and attributes.items() <= state["attributes"].items():
                return state["attributes"]  # type: ignore[no-any-return]
        return None

    def runs_of(self, automation: str) -> int:
        """How often it ran since the first start."""
        return self.house.automations_run.count(automation)

    def configure(self, *, more: str = "", mqtt: str = "") -> None:
        """Write the daemon's configuration."""
        self.daemon.configure(_CONFIG.format(rate_hz=RATE_HZ, port=self.broker.port, more=more, mqtt=mqtt))


# --- what is tried


def appears(trial: Trial) -> None:
    """A daemon that nobody here has heard of starts for the first time."""
    table, table.part = trial.table, "first start of the daemon"
    table.stays("nothing of it is there before", lambda: not trial.ours(), 1.0)
    trial.daemon.start()
    for entity_id in ENTITIES:
        table.want(f"{entity_id} appears", partial(trial.is_available, entity_id), UP_WITHIN_S)
    table.want("and nothing else", lambda: trial.ours() == set(ENTITIES))
    table.want("it hears", lambda: trial.state(HEARING) == "on", UP_WITHIN_S)
    table.want("no fault", lambda: trial.state(FAULT) == "off")
    table.want("the level is a number", lambda: _number(trial.state(LEVEL)))
    table.want("so is the share that was listened to", lambda: _number(trial.state(LISTENED)), UP_WITHIN_S)


def follows(trial: Trial) -> None:
    """An infant cries, somebody acknowledges, it is quiet again."""
    table, since, rung = trial.table, len(trial.house.changes), trial.runs_of(RINGS)
    time.sleep(APART_S)
    trial.room.cry()
    table.want("a cry: the sensor is on", lambda: trial.state(CRY) == "on")
    raised = table.want("the event is fired", lambda: trial.told(ALARM, since, event_type="raised")) or {}
    table.want("it says all that the alarm says", lambda: all(name in raised for name in MEMBERS), 0.0)
    table.want("the guide's automation rings", lambda: trial.runs_of(RINGS) > rung)
    trial.house.press(ACKNOWLEDGE)
    alarm_id = raised.get("alarm_id")
    same = {"alarm_id": alarm_id, "event_type": "acknowledged", "cause": "acknowledged by mqtt"}
    table.want("the button acknowledges it", lambda: bool(trial.told(ALARM, since, **same)))
    table.want("the state says so", lambda: _is_acknowledged(trial.postbox.newest("state"), alarm_id))
    trial.room.calm()
    table.want("it is quiet: the sensor is off", lambda: trial.state(CRY) == "off")
    over = {"alarm_id": alarm_id, "event_type": "ended", "cause": "quiet"}
    table.want("the event says that it is over", lambda: bool(trial.told(ALARM, since, **over)))
    table.want("it rang once", lambda: trial.runs_of(RINGS) == rung + 1, 0.0)


def tries_itself(trial: Trial) -> None:
    """The button of the self-test."""
    table, table.part = trial.table, "self-test"
    after, since = len(trial.daemon.lines()), len(trial.house.changes)
    trial.house.press(SELF_TEST)
    asked = {"happening": "asked", "detail": "mqtt asks for a self-test"}
    table.want("the button reaches the daemon", lambda: bool(trial.daemon.find(asked, after=after)))
    table.want("it passes", lambda: trial.postbox.newest("self_test").get("passed") is True, UP_WITHIN_S)
    table.stays(
        "no entity takes it for an alarm", lambda: not (trial.told(ALARM, since) or trial.told(TECHNICAL, since))
    )


def hears_nothing(trial: Trial) -> None:
    """The microphone is muted: it is there, and deaf."""
    table, table.part, since = trial.table, "microphone muted", len(trial.house.changes)
    trial.room.card.mute(muted=True)
    table.want("the fault is on", lambda: trial.state(FAULT) == "on", DEAF_S)
    table.want("it says which", lambda: "silence" in trial.open_faults())
    table.want("the event of technical alarms is fired", lambda: bool(trial.told(TECHNICAL, since, name="silence")))
    table.want("hearing is off", lambda: trial.state(HEARING) == "off")
    trial.room.card.mute(muted=False)
    table.part = "and no more"
    table.want("no fault", lambda: trial.state(FAULT) == "off" and not trial.open_faults(), DEAF_S)
    over = {"name": "silence", "event_type": "ended"}
    table.want("the event says that it is over", lambda: bool(trial.told(TECHNICAL, since, **over)))
    table.want("it hears", lambda: trial.state(HEARING) == "on", DEAF_S)


def loses_the_microphone(trial: Trial) -> None:
    """The card is pulled out, and put back."""
    table, table.part = trial.table, "microphone pulled out"
    since, rung = len(trial.house.changes), trial.runs_of(RINGS)
    trial.room.card.unplug()
    table.want("all are unavailable", trial.all_unavailable)
    trial.room.card.plug()
    trial.room.calm()
    table.part = "microphone put back"
    table.want("all are available", trial.all_available, UP_WITHIN_S)
    table.want("its alarm has ended", lambda: bool(trial.told(TECHNICAL, since, event_type="ended", name="microphone")))
    table.want("no fault", lambda: trial.state(FAULT) == "off", UP_WITHIN_S)
    table.want("nothing rang for the old cry", lambda: trial.runs_of(RINGS) == rung, 0.0)
    follows(trial)


def loses_the_daemon(trial: Trial) -> None:
    """It is killed, and started again; then told to stop, and started again."""
    table, table.part, silences = trial.table, "daemon killed (SIGKILL)", trial.runs_of(SILENCE)
    trial.daemon.kill()
    table.want("all are unavailable", trial.all_unavailable)
    table.want("the guide's second automation says so", lambda: trial.runs_of(SILENCE) == silences + 1, SILENCE_S)
    _comes_back(trial, "daemon started again")
    follows(trial)
    table.part = "daemon stopped (SIGTERM)"
    trial.daemon.terminate()
    table.want("all are unavailable", trial.all_unavailable)
    _comes_back(trial, "daemon started again")
    follows(trial)


def is_killed_while_it_cries(trial: Trial) -> None:
    """What was open when it was killed is closed by the next one, which hears the cry anew."""
    table, table.part, since = trial.table, "daemon killed during a cry", len(trial.house.changes)
    time.sleep(APART_S)
    trial.room.cry()
    raised = table.want("the event is fired", lambda: trial.told(ALARM, since, event_type="raised")) or {}
    trial.daemon.kill()
    table.want("all are unavailable", trial.all_unavailable)
    trial.daemon.start()

    def raised_anew() -> list[str]:
        """Ids of what is open, where the old one is not among them any more."""
        ids = [
            alarm["alarm_id"] for alarm in trial.postbox.newest("state").get("alarms", []) if alarm["kind"] == "sound"
        ]
        return ids if raised.get("alarm_id") not in ids else []

    fresh = table.want("the cry is raised anew, and the old alarm closed", raised_anew, UP_WITHIN_S) or [None]
    table.want("the event is fired", lambda: bool(trial.told(ALARM, since, event_type="raised", alarm_id=fresh[0])))
    table.want("the sensor is on", lambda: trial.state(CRY) == "on")
    trial.room.calm()
    table.want("it is quiet: the sensor is off", lambda: trial.state(CRY) == "off")


def restarts_the_house(trial: Trial) -> None:
    """Home Assistant is stopped and started; the broker has forgotten all, so only its birth message brings it back."""
    table, table.part = trial.table, "Home Assistant restarted"
    rung = trial.runs_of(RINGS)
    trial.house.stop()
    trial.house.start()
    table.want("all are available", trial.all_available, BIRTH_S)
    table.want("nothing rang for the old cry", lambda: trial.runs_of(RINGS) == rung, 0.0)
    follows(trial)
    table.part = "and the broker has forgotten all"
    trial.house.stop()
    table.want("retained topics were emptied", trial.postbox.forget_all)
    trial.house.start()
    table.want("all are available after its birth message", trial.all_available, BIRTH_S)
    table.want("what is heard is known", lambda: (trial.state(CRY), trial.state(FAULT)) == ("off", "off"), BIRTH_S)
    follows(trial)


def is_away_during_a_cry(trial: Trial) -> None:
    """Home Assistant is not there when an alarm is raised, which its broker does not keep for it."""
    table, table.part = trial.table, "Home Assistant away at a cry"
    trial.house.stop()
    rung, after = trial.runs_of(RINGS), len(trial.daemon.lines())
    time.sleep(APART_S)
    trial.room.cry()
    table.want("the daemon tells the cry", lambda: bool(trial.daemon.find({"label": "cry"}, after=after)))
    trial.house.start()
    table.want("the sensor is on", lambda: trial.state(CRY) == "on", BIRTH_S)
    table.want("the reminder rings", lambda: trial.runs_of(RINGS) > rung, BIRTH_S)
    trial.room.calm()
    table.want("it is quiet: the sensor is off", lambda: trial.state(CRY) == "off")


def restarts_the_broker(trial: Trial) -> None:
    """It is killed and keeps nothing."""
    table, table.part = trial.table, "broker killed, and started empty"
    trial.broker.kill()
    table.want("all are unavailable", trial.all_unavailable)
    trial.broker.start()
    table.want("all are available", trial.all_available, BIRTH_S)
    follows(trial)


def changes_labels(trial: Trial) -> None:
    """A second model comes and goes by a reload; it comes again, and goes while the daemon is stopped."""
    trial.table.part = "a second model"
    _second_comes(trial)
    trial.configure()
    trial.daemon.reload()
    _second_is_gone(trial, "a reload")
    _second_comes(trial)
    trial.configure()
    trial.daemon.terminate()
    trial.daemon.start()
    _second_is_gone(trial, "a restart")


def _second_comes(trial: Trial) -> None:
    trial.configure(more=_SECOND)
    trial.daemon.reload()
    fresh = (f"{CRY}_second", ALARM.replace("_alarm", "_second_alarm"))
    for name in fresh:
        trial.table.want(f"{name} appears", partial(trial.is_available, name), UP_WITHIN_S)
    trial.table.want("and nothing else", lambda: trial.ours() == {*ENTITIES, *fresh})


def _second_is_gone(trial: Trial, after: str) -> None:
    trial.table.want(
        f"its entities are gone after {after} without it", lambda: trial.ours() == set(ENTITIES), UP_WITHIN_S
    )
    trial.table.want("the others are available", trial.all_available, UP_WITHIN_S)


def hears_a_recording(trial: Trial, folder: Path, sounds: Sounds) -> None:
    """Another instance, on the same broker, hears a recording to its end."""
    table, table.part = trial.table, "another instance, on a recording"
    folder.mkdir()
    recording = sounds.write("night.wav", [sounds.room(4.0), sounds.crying(8.0), sounds.room(12.0)])
    command = [str(AURICLE), "listen", "--source", str(recording)]
    config = _CONFIG.format(rate_hz=RATE_HZ, port=trial.broker.port, more="", mqtt="")
    since = len(trial.house.changes)
    with RunningDaemon(folder, {}, config, name="ben", command=command) as daemon:
        cry, alarm = CRY.replace(NAME, "ben"), ALARM.replace(NAME, "ben")
        table.want("its sensor is on", lambda: trial.state(cry) == "on", UP_WITHIN_S)
        table.want("its event is fired", lambda: bool(trial.told(alarm, since, event_type="raised")))
        table.want("the sensor is off", lambda: trial.state(cry) == "off", UP_WITHIN_S)
        table.want("its event says so", lambda: bool(trial.told(alarm, since, event_type="ended")))
        table.want("the recording is over, and it leaves", lambda: daemon.process.poll() == 0, UP_WITHIN_S)
        table.want("its entities are unavailable", lambda: trial.state(cry) == UNAVAILABLE)
        table.want("the first one's are available", trial.all_available, 0.0)


def is_not_wanted(trial: Trial) -> None:
    """Discovery is switched off."""
    table, table.part = trial.table, "home_assistant = false"
    trial.configure(mqtt="home_assistant = false")
    trial.daemon.reload()
    table.want("all entities are gone", lambda: not trial.ours(), UP_WITHIN_S)
    table.want("the daemon hears", lambda: (state := trial.daemon.status()) is not None and state.hears)


def complains_of_nothing(trial: Trial) -> None:
    """What Home Assistant takes without a word it also understands."""
    trial.table.part = "Home Assistant's log"
    lines = trial.house.log_path.read_text("utf-8").splitlines()
    complaints = [line for line in lines if "components.mqtt" in line and not line.endswith(_CONNECTION_LOST)]
    for line in complaints:
        _say(line)
    trial.table.want("says nothing against what Auricle tells", lambda: not complaints, 0.0)


def _comes_back(trial: Trial, part: str) -> None:
    trial.table.part, rung = part, trial.runs_of(RINGS)
    trial.daemon.start()
    trial.table.want("all are available", trial.all_available, UP_WITHIN_S)
    trial.table.want("it hears", lambda: trial.state(HEARING) == "on", UP_WITHIN_S)
    trial.table.stays("nothing rings for the old cry", lambda: trial.runs_of(RINGS) == rung)


def _is_acknowledged(state: Mapping[str, Any], alarm_id: str | None) -> bool:
    return any(alarm["alarm_id"] == alarm_id and alarm["acknowledged"] for alarm in state.get("alarms", []))


def _number(state: str) -> float | None:
    try:
        return float(state)
    except ValueError:
        return None


# --- the household


def guide() -> list[str]:
    """The automations of the guide, as Home Assistant's editor takes each."""
    return re.findall(r"```yaml\n(alias: .*?)```", GUIDE.read_text("utf-8"), re.DOTALL)


def as_list(automations: Sequence[str]) -> str:
    """As the file that holds them all."""
    return "".join(f"- {textwrap.indent(text, '  ').strip()}\n" for text in automations)


@contextlib.contextmanager
def household(tree: Path, folder: Path) -> Iterator[Trial]:
    """All that takes part, up and running, but for the daemon, which has never run."""
    broker, card, sounds = Mosquitto(folder), PulseCard(folder), Sounds(folder)
    house = HomeAssistant(tree, "household")
    with contextlib.ExitStack() as opened:
        broker.start()
        opened.callback(broker.kill)
        postbox = Postbox(broker.port)
        opened.callback(postbox.close)
        card.start()
        opened.callback(card.stop)
        room = Room(card, sounds)
        room.calm()
        opened.enter_context(house)
        house.know_broker(broker.port)
        house.automate(as_list(guide()))
        daemon = RunningDaemon(folder, card.environment, "", name=NAME)
        opened.callback(daemon.kill)
        trial = Trial(house, broker, postbox, room, daemon, Table())
        trial.configure()
        yield trial


def main() -> int:
    """Try all; the exit code is 1 on any miss."""
    given = _arguments()
    demand_tools()
    began_s = time.monotonic()
    tree = make_tree(given.out.resolve())
    _say(f"Home Assistant's tree: {time.monotonic() - began_s:.0f} s")
    began_s = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="auricle-") as folder, household(tree, Path(folder)) as trial:
        try:
            _try_all(trial, Path(folder))
        except (Exception, pytest.fail.Exception) as error:  # noqa: BLE001 - what else befalls it is a miss too
            trial.table.want(f"{type(error).__name__}: {error}", lambda: False, 0.0)
        if not trial.table.holds:
            _say(f"Home Assistant said:\n{trial.house.log_path.read_text()[-3000:]}\nthe daemon: {trial.daemon!r}")
    _say(f"{trial.table}, {time.monotonic() - began_s:.0f} s")
    return 0 if trial.table.holds else 1


def _try_all(trial: Trial, folder: Path) -> None:
    appears(trial)
    trial.table.part = "an alarm"
    follows(trial)
    tries_itself(trial)
    hears_nothing(trial)
    loses_the_microphone(trial)
    loses_the_daemon(trial)
    is_killed_while_it_cries(trial)
    restarts_the_house(trial)
    is_away_during_a_cry(trial)
    restarts_the_broker(trial)
    changes_labels(trial)
    hears_a_recording(trial, folder / "ben", Sounds(folder))
    is_not_wanted(trial)
    complains_of_nothing(trial)


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--out", type=Path, default=CHECKOUT / "build" / "ha", help="where the tree is kept")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
