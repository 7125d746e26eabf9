"""The trials: each changes the household and states what Home Assistant must show."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Any

from tests.ha.claims import say
from tests.ha.household import (
    ACKNOWLEDGE,
    ALARM,
    CONFIG,
    CRY,
    ENTITIES,
    FAULT,
    HEARD,
    HEARING,
    LEVEL,
    LISTENED,
    NAME,
    PAUSE,
    PAUSED,
    RESUME,
    SCORE,
    SELF_TEST,
    SENSITIVITY,
    TECHNICAL,
    TOLD,
    UNACKNOWLEDGED,
    UNAVAILABLE,
)
from tests.system.running_daemon import AURICLE, RATE_HZ, UP_WITHIN_S, RunningDaemon, Sounds

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.ha.household import Trial

BIRTH_S = 40.0
"""From Home Assistant's start to all entities: it says that it has started about 10 s after it answers."""

SILENCE_S = 45.0
"""The guide's automation waits 30 s before it says that nobody listens."""

APART_S = 4.0
"""Between two cries: windows that overlap the previous cry would reopen it instead of raising a new alarm."""

DEAF_S = 60.0
"""The daemon reports silence as a fault only after a while."""


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


RINGS, SILENCE = "Anna cries", "Nobody listens to Anna"


_CONNECTION_LOST = "Error returned from MQTT server: The connection was lost."


_SECOND = """
[model.second]
bundle = "cry"
"""


def appears(trial: Trial) -> None:
    """A daemon that Home Assistant does not know starts for the first time."""
    table, table.part = trial.table, "first start of the daemon"
    table.stays("nothing of it is there before", lambda: not trial.ours(), 1.0)
    trial.daemon.start()
    for entity_id in ENTITIES:
        table.expect(f"{entity_id} appears", partial(trial.is_available, entity_id), UP_WITHIN_S)
    table.expect("and nothing else", lambda: trial.ours() == set(ENTITIES))
    table.expect("it hears", lambda: trial.state(HEARING) == "on", UP_WITHIN_S)
    table.expect("no fault", lambda: trial.state(FAULT) == "off")
    table.expect("the level is a number", lambda: _number(trial.state(LEVEL)))
    table.expect("so is the share that was listened to", lambda: _number(trial.state(LISTENED)), UP_WITHIN_S)


def follows(trial: Trial) -> None:
    """An infant cries, somebody acknowledges, it is quiet again."""
    table, since, rung = trial.table, len(trial.house.changes), trial.runs_of(RINGS)
    time.sleep(APART_S)
    trial.room.cry()
    table.expect("a cry: the sensor is on", lambda: trial.state(CRY) == "on")
    raised = table.expect("the event is fired", lambda: trial.fired(ALARM, since, event_type="raised")) or {}
    table.expect("it says all that the alarm says", lambda: all(name in raised for name in MEMBERS), 0.0)
    table.expect("the guide's automation rings", lambda: trial.runs_of(RINGS) > rung)
    trial.house.press(ACKNOWLEDGE)
    alarm_id = raised.get("alarm_id")
    same = {"alarm_id": alarm_id, "event_type": "acknowledged", "cause": "acknowledged by mqtt"}
    table.expect("the button acknowledges it", lambda: bool(trial.fired(ALARM, since, **same)))
    table.expect("the state says so", lambda: _is_acknowledged(trial.retained.newest("state"), alarm_id))
    trial.room.calm()
    table.expect("it is quiet: the sensor is off", lambda: trial.state(CRY) == "off")
    over = {"alarm_id": alarm_id, "event_type": "ended", "cause": "quiet"}
    table.expect("the event says that it is over", lambda: bool(trial.fired(ALARM, since, **over)))
    table.expect("it rang once", lambda: trial.runs_of(RINGS) == rung + 1, 0.0)


def tries_itself(trial: Trial) -> None:
    """The button of the self-test."""
    table, table.part = trial.table, "self-test"
    after, since = len(trial.daemon.lines()), len(trial.house.changes)
    trial.house.press(SELF_TEST)
    asked = {"happening": "asked", "detail": "mqtt asks for a self-test"}
    table.expect("the button reaches the daemon", lambda: bool(trial.daemon.find(asked, after=after)))
    table.expect("it passes", lambda: trial.retained.newest("self_test").get("passed") is True, UP_WITHIN_S)
    table.stays(
        "no entity takes it for an alarm",
        lambda: not (trial.fired(ALARM, since) or trial.fired(TECHNICAL, since)),
    )


def hears_nothing(trial: Trial) -> None:
    """The microphone is muted: it is there, and deaf."""
    table, table.part, since = trial.table, "microphone muted", len(trial.house.changes)
    trial.room.card.mute(muted=True)
    table.expect("the fault is on", lambda: trial.state(FAULT) == "on", DEAF_S)
    table.expect("it says which", lambda: "silence" in trial.open_faults())
    table.expect("the event of technical alarms is fired", lambda: bool(trial.fired(TECHNICAL, since, name="silence")))
    table.expect("hearing is off", lambda: trial.state(HEARING) == "off")
    trial.room.card.mute(muted=False)
    table.part = "and no more"
    table.expect("no fault", lambda: trial.state(FAULT) == "off" and not trial.open_faults(), DEAF_S)
    over = {"name": "silence", "event_type": "ended"}
    table.expect("the event says that it is over", lambda: bool(trial.fired(TECHNICAL, since, **over)))
    table.expect("it hears", lambda: trial.state(HEARING) == "on", DEAF_S)


def loses_the_microphone(trial: Trial) -> None:
    """The card is pulled out, and put back."""
    table, table.part = trial.table, "microphone pulled out"
    since, rung = len(trial.house.changes), trial.runs_of(RINGS)
    trial.room.card.unplug()
    table.expect("what is heard is unavailable", lambda: trial.all_unavailable(HEARD))
    table.expect("all else is available", lambda: trial.all_available(TOLD), 0.0)
    table.expect("hearing is off", lambda: trial.state(HEARING) == "off")
    table.expect("the fault is on", lambda: trial.state(FAULT) == "on")
    table.expect(
        "the event of technical alarms is fired", lambda: bool(trial.fired(TECHNICAL, since, name="microphone"))
    )
    table.expect("the alarm is counted", lambda: _number(trial.state(UNACKNOWLEDGED)))
    trial.house.press(ACKNOWLEDGE)
    table.expect("it can be acknowledged", lambda: trial.state(UNACKNOWLEDGED) == "0")
    trial.room.card.plug()
    trial.room.calm()
    table.part = "microphone put back"
    table.expect("all are available", trial.all_available, UP_WITHIN_S)
    table.expect(
        "its alarm has ended", lambda: bool(trial.fired(TECHNICAL, since, event_type="ended", name="microphone"))
    )
    table.expect("no fault", lambda: trial.state(FAULT) == "off", UP_WITHIN_S)
    table.expect("nothing rang for the old cry", lambda: trial.runs_of(RINGS) == rung, 0.0)
    follows(trial)


def loses_the_microphone_in_mid_cry(trial: Trial) -> None:
    """The card is pulled out while the infant cries, and put back when it is quiet."""
    table, table.part = trial.table, "microphone pulled out in mid-cry"
    time.sleep(APART_S)
    trial.room.cry()
    table.expect("the sensor is on", lambda: trial.state(CRY) == "on")
    since = len(trial.house.changes)
    trial.room.card.unplug()
    table.expect("the sensor is unavailable", lambda: trial.state(CRY) == UNAVAILABLE)
    trial.room.card.plug()
    trial.room.calm()
    table.expect("it is quiet: the sensor is off", lambda: trial.state(CRY) == "off", UP_WITHIN_S)
    seen = [change["state"] for change in trial.house.changes[since:] if change["entity_id"] == CRY]
    shown = "off" not in seen[: seen.index("on")] if "on" in seen else False
    table.expect("it was on until then, and not off", lambda: shown, 0.0)


def sets_it(trial: Trial) -> None:
    """Pause, resume and sensitivity."""
    table, table.part = trial.table, "pause, resume, sensitivity"
    trial.house.press(PAUSE)
    table.expect("pause: paused is on", lambda: trial.state(PAUSED) == "on")
    trial.house.press(RESUME)
    table.expect("resume: paused is off", lambda: trial.state(PAUSED) == "off")
    table.expect("the sensitivity is as configured", lambda: trial.state(SENSITIVITY) == "0")
    trial.house.set_number(SENSITIVITY, 2)
    table.expect("another one is shown", lambda: trial.state(SENSITIVITY) == "2")
    table.expect("and in force", lambda: (now := trial.daemon.status()) and now.labels[0].sensitivity == 2)
    trial.house.set_number(SENSITIVITY, 0)
    table.expect("and set back", lambda: trial.state(SENSITIVITY) == "0")
    table.expect("the score is a number", lambda: _number(trial.state(SCORE)) is not None)


def gets_another_topic(trial: Trial) -> None:
    """The topic is changed: the same device, the same entities, and nothing left of the old topic."""
    table, table.part = trial.table, "another topic"
    trial.configure(mqtt='topic = "home/auricle"')
    trial.daemon.reload()
    table.expect("its topics are new", lambda: bool(trial.retained.below("home/auricle/")), UP_WITHIN_S)
    table.expect("the old ones are withdrawn", lambda: not trial.retained.below("auricle/anna/"), UP_WITHIN_S)
    table.expect("all are available", trial.all_available, UP_WITHIN_S)
    table.expect("the entities are the same, and no others", lambda: trial.ours() == set(ENTITIES))
    trial.configure()
    trial.daemon.reload()
    table.expect("back again: the other ones are withdrawn", lambda: not trial.retained.below("home/"), UP_WITHIN_S)
    table.expect("all are available", trial.all_available, UP_WITHIN_S)
    table.expect("the entities are the same, and no others", lambda: trial.ours() == set(ENTITIES))


def loses_the_daemon(trial: Trial) -> None:
    """It is killed, and started again; then told to stop, and started again."""
    table, table.part, silences = trial.table, "daemon killed (SIGKILL)", trial.runs_of(SILENCE)
    trial.daemon.kill()
    table.expect("all are unavailable", trial.all_unavailable)
    table.expect("the guide's second automation says so", lambda: trial.runs_of(SILENCE) == silences + 1, SILENCE_S)
    _comes_back(trial, "daemon started again")
    follows(trial)
    table.part = "daemon stopped (SIGTERM)"
    trial.daemon.terminate()
    table.expect("all are unavailable", trial.all_unavailable)
    _comes_back(trial, "daemon started again")
    follows(trial)


def is_killed_while_it_cries(trial: Trial) -> None:
    """An alarm that is open when the daemon is killed is closed by the next one, which raises the cry anew."""
    table, table.part, since = trial.table, "daemon killed during a cry", len(trial.house.changes)
    time.sleep(APART_S)
    trial.room.cry()
    raised = table.expect("the event is fired", lambda: trial.fired(ALARM, since, event_type="raised")) or {}
    trial.daemon.kill()
    table.expect("all are unavailable", trial.all_unavailable)
    trial.daemon.start()

    def raised_anew() -> list[str]:
        """Ids of the open alarms, once the old one is not among them."""
        ids = [
            alarm["alarm_id"] for alarm in trial.retained.newest("state").get("alarms", []) if alarm["kind"] == "sound"
        ]
        return ids if raised.get("alarm_id") not in ids else []

    fresh = table.expect("the cry is raised anew, and the old alarm closed", raised_anew, UP_WITHIN_S) or [None]
    table.expect("the event is fired", lambda: bool(trial.fired(ALARM, since, event_type="raised", alarm_id=fresh[0])))
    table.expect("the sensor is on", lambda: trial.state(CRY) == "on")
    trial.room.calm()
    table.expect("it is quiet: the sensor is off", lambda: trial.state(CRY) == "off")


def restarts_the_house(trial: Trial) -> None:
    """Home Assistant is stopped and started; the broker has forgotten all, so only its birth message brings it back."""
    table, table.part = trial.table, "Home Assistant restarted"
    rung = trial.runs_of(RINGS)
    trial.house.stop()
    trial.house.start()
    table.expect("all are available", trial.all_available, BIRTH_S)
    table.expect("nothing rang for the old cry", lambda: trial.runs_of(RINGS) == rung, 0.0)
    follows(trial)
    table.part = "and the broker has forgotten all"
    trial.house.stop()
    table.expect("retained topics were emptied", trial.retained.clear)
    trial.house.start()
    table.expect("all are available after its birth message", trial.all_available, BIRTH_S)
    table.expect("what is heard is known", lambda: (trial.state(CRY), trial.state(FAULT)) == ("off", "off"), BIRTH_S)
    follows(trial)


def is_away_during_a_cry(trial: Trial) -> None:
    """Home Assistant is stopped when an alarm is raised, and the broker retains no events."""
    table, table.part = trial.table, "Home Assistant away at a cry"
    trial.house.stop()
    rung, after = trial.runs_of(RINGS), len(trial.daemon.lines())
    time.sleep(APART_S)
    trial.room.cry()
    table.expect("the daemon tells the cry", lambda: bool(trial.daemon.find({"label": "cry"}, after=after)))
    trial.house.start()
    table.expect("the sensor is on", lambda: trial.state(CRY) == "on", BIRTH_S)
    table.expect("the reminder rings", lambda: trial.runs_of(RINGS) > rung, BIRTH_S)
    trial.room.calm()
    table.expect("it is quiet: the sensor is off", lambda: trial.state(CRY) == "off")


def restarts_the_broker(trial: Trial) -> None:
    """It is killed and keeps nothing."""
    table, table.part = trial.table, "broker killed, and started empty"
    trial.broker.kill()
    table.expect("all are unavailable", trial.all_unavailable)
    trial.broker.start()
    table.expect("all are available", trial.all_available, BIRTH_S)
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
    fresh = (
        f"{CRY}_second",
        ALARM.replace("_alarm", "_second_alarm"),
        SCORE.replace("_score", "_second_score"),
        SENSITIVITY.replace("_sensitivity", "_second_sensitivity"),
    )
    for name in fresh:
        trial.table.expect(f"{name} appears", partial(trial.is_available, name), UP_WITHIN_S)
    trial.table.expect("and nothing else", lambda: trial.ours() == {*ENTITIES, *fresh})


def _second_is_gone(trial: Trial, after: str) -> None:
    trial.table.expect(
        f"its entities are gone after {after} without it", lambda: trial.ours() == set(ENTITIES), UP_WITHIN_S
    )
    trial.table.expect("the others are available", trial.all_available, UP_WITHIN_S)


def hears_a_recording(trial: Trial, folder: Path, sounds: Sounds) -> None:
    """Another instance, on the same broker, hears a recording to its end."""
    table, table.part = trial.table, "another instance, on a recording"
    folder.mkdir()
    recording = sounds.write("night.wav", [sounds.room(4.0), sounds.crying(8.0), sounds.room(12.0)])
    command = [str(AURICLE), "listen", "--source", str(recording)]
    config = CONFIG.format(rate_hz=RATE_HZ, port=trial.broker.port, more="", mqtt="")
    since = len(trial.house.changes)
    with RunningDaemon(folder, {}, config, name="ben", command=command) as daemon:
        cry, alarm = CRY.replace(NAME, "ben"), ALARM.replace(NAME, "ben")
        table.expect("its sensor is on", lambda: trial.state(cry) == "on", UP_WITHIN_S)
        table.expect("its event is fired", lambda: bool(trial.fired(alarm, since, event_type="raised")))
        table.expect("the sensor is off", lambda: trial.state(cry) == "off", UP_WITHIN_S)
        table.expect("its event says so", lambda: bool(trial.fired(alarm, since, event_type="ended")))
        table.expect("the recording is over, and it leaves", lambda: daemon.process.poll() == 0, UP_WITHIN_S)
        table.expect("its entities are unavailable", lambda: trial.state(cry) == UNAVAILABLE)
        table.expect("the first one's are available", trial.all_available, 0.0)


def is_not_wanted(trial: Trial) -> None:
    """Discovery is switched off."""
    table, table.part = trial.table, "home_assistant = false"
    trial.configure(mqtt="home_assistant = false")
    trial.daemon.reload()
    table.expect("all entities are gone", lambda: not trial.ours(), UP_WITHIN_S)
    table.expect("the daemon hears", lambda: (state := trial.daemon.status()) is not None and state.hears)


def complains_of_nothing(trial: Trial) -> None:
    """Home Assistant logs no complaint about Auricle's messages."""
    trial.table.part = "Home Assistant's log"
    lines = trial.house.log_path.read_text("utf-8").splitlines()
    complaints = [line for line in lines if "components.mqtt" in line and not line.endswith(_CONNECTION_LOST)]
    for line in complaints:
        say(line)
    trial.table.expect("says nothing against what Auricle tells", lambda: not complaints, 0.0)


def _comes_back(trial: Trial, part: str) -> None:
    trial.table.part, rung = part, trial.runs_of(RINGS)
    trial.daemon.start()
    trial.table.expect("all are available", trial.all_available, UP_WITHIN_S)
    trial.table.expect("it hears", lambda: trial.state(HEARING) == "on", UP_WITHIN_S)
    trial.table.stays("nothing rings for the old cry", lambda: trial.runs_of(RINGS) == rung)


def _is_acknowledged(state: Mapping[str, Any], alarm_id: str | None) -> bool:
    return any(alarm["alarm_id"] == alarm_id and alarm["acknowledged"] for alarm in state.get("alarms", []))


def _number(state: str) -> float | None:
    try:
        return float(state)
    except ValueError:
        return None


def try_all(trial: Trial, folder: Path) -> None:
    appears(trial)
    trial.table.part = "an alarm"
    follows(trial)
    tries_itself(trial)
    hears_nothing(trial)
    loses_the_microphone(trial)
    loses_the_microphone_in_mid_cry(trial)
    sets_it(trial)
    gets_another_topic(trial)
    loses_the_daemon(trial)
    is_killed_while_it_cries(trial)
    restarts_the_house(trial)
    is_away_during_a_cry(trial)
    restarts_the_broker(trial)
    changes_labels(trial)
    hears_a_recording(trial, folder / "ben", Sounds(folder))
    is_not_wanted(trial)
    complains_of_nothing(trial)
