"""A ward shows what is open and who is silent, whatever is repeated, late or interrupted."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from device.daemon.publishing.figure_pace import SIGN_EVERY_S
from device.ward.ward_state import MAX_BEDS, SILENT_AFTER_S, BedView, Ward

ALARM = "alarm/sound/cry/cry"
LEVEL = b'{"rms_dbfs":-50.0,"peak_dbfs":-40.0}'
BEDS = ("anna", "ben")


def moment(second: int) -> str:
    return f"2026-11-21T{second // 3600:02d}:{second // 60 % 60:02d}:{second % 60:02d}.000Z"


def state(
    *, hearing: bool = True, told_s: int = 0, alarms: list[dict[str, Any]] | None = None, omitted: int = 0
) -> bytes:
    members = {"hearing": hearing, "alarms": alarms or [], "omitted": omitted, "told_utc": moment(told_s)}
    return json.dumps(members).encode()


def ward(**options: Any) -> Ward:
    made = Ward("auricle", **options)
    made.connect(0.0)
    return made


def tell(to: Ward, topic: str, payload: bytes, *, now_s: float = 0.0, retained: bool = False) -> None:
    to.receive(f"auricle/{topic}", payload, retained=retained, now_s=now_s)


def bed(of: Ward, name: str = "anna", now_s: float = 0.0) -> BedView:
    return next(each for each in of.view(now_s).beds if each.name == name)


def test_a_daemon_gives_a_sign_well_before_it_counts_as_silent_and_that_is_within_90_seconds() -> None:
    assert SIGN_EVERY_S + 10.0 < SILENT_AFTER_S < 90.0 - 1.0


def test_a_bed_without_a_message_is_silent_by_the_clock_of_the_ward_and_any_message_ends_that() -> None:
    made = ward()
    tell(made, "anna/available", b"online", retained=True)
    tell(made, "anna/state", state(), retained=True)
    assert bed(made, now_s=SILENT_AFTER_S - 0.1).hearing == "hears"
    assert bed(made, now_s=SILENT_AFTER_S).hearing == "silent", "what is retained is no sign of life"
    tell(made, "anna/level", LEVEL, now_s=100.0)
    assert bed(made, now_s=100.0 + SILENT_AFTER_S - 0.1).hearing == "hears"
    assert bed(made, now_s=100.0 + SILENT_AFTER_S).hearing == "silent"


def test_the_last_will_makes_a_bed_silent_at_once_until_it_is_online_again() -> None:
    made = ward()
    tell(made, "anna/state", state())
    tell(made, "anna/available", b"offline", now_s=1.0)
    assert bed(made, now_s=1.0).hearing == "silent"
    assert "offline" in bed(made, now_s=1.0).why
    tell(made, "anna/available", b"online", now_s=2.0)
    assert bed(made, now_s=2.0).hearing == "hears"


def test_a_deaf_bed_says_why() -> None:
    made = ward()
    faults = [
        {"kind": "certificate", "since_utc": moment(0), "detail": "anna.crt expires"},
        {"kind": "microphone", "since_utc": moment(0), "detail": "no sound"},
    ]
    tell(made, "anna/faults", json.dumps({"open": faults}).encode())
    tell(made, "anna/state", state(hearing=False))
    shown = bed(made)
    assert (shown.hearing, shown.why, shown.certificate) == ("deaf", "microphone: no sound", "anna.crt expires")


def test_while_the_ward_is_not_connected_nobody_knows_and_afterwards_each_bed_has_its_time_again() -> None:
    made = ward()
    tell(made, "anna/state", state())
    made.lose("the broker is gone")
    assert (bed(made).hearing, made.view(5.0).trouble) == ("unknown", "the broker is gone")
    made.connect(500.0)
    assert bed(made, now_s=500.0 + SILENT_AFTER_S - 0.1).hearing == "hears"
    assert bed(made, now_s=500.0 + SILENT_AFTER_S).hearing == "silent"


def test_a_bed_that_is_expected_is_shown_though_the_broker_knows_nothing_and_no_other_is() -> None:
    made = ward(expected=["anna"])
    tell(made, "ben/state", state())
    assert [each.name for each in made.view(0.0).beds] == ["anna"]
    assert bed(made).hearing == "unknown"
    assert bed(made, now_s=SILENT_AFTER_S).hearing == "silent"
    assert ("auricle/anna/alarm/#", 1) in made.subscriptions()
    assert ("auricle/+/alarm/#", 1) in ward().subscriptions()


def test_what_was_cleared_at_the_broker_is_forgotten() -> None:
    made = ward()
    tell(made, "anna/state", state())
    tell(made, "anna/available", b"")
    assert made.view(0.0).beds == ()


@pytest.mark.parametrize("name", ["", "\x1b[2J", "A", "+", "a" * 33, "é", "-a"])
def test_what_is_no_name_of_a_bed_is_none(name: str) -> None:
    made = ward()
    tell(made, f"{name}/available", b"online")
    assert made.view(0.0).beds == ()


def test_a_flood_of_names_is_bounded_and_what_is_not_read_is_counted() -> None:
    made = ward()
    for number in range(MAX_BEDS + 7):
        tell(made, f"b{number}/available", b"online")
    tell(made, "b1/state", b"no JSON")
    tell(made, "elsewhere", b"x")
    made.receive("other/anna/available", b"online", retained=False, now_s=0.0)
    view = made.view(0.0)
    assert (len(view.beds), view.unreadable) == (MAX_BEDS, 8)


class WardLaw(RuleBasedStateMachine):
    """Beds, a broker with retained messages and a session, and a ward that is killed at any time."""

    def __init__(self) -> None:
        super().__init__()
        self.now_s = 0
        self.count = 0
        self.truth: dict[str, dict[str, dict[str, Any]]] = {name: {} for name in BEDS}
        self.is_up = dict.fromkeys(BEDS, True)
        self.owed: dict[str, list[bytes]] = {name: [] for name in BEDS}  # by the bed's journal
        self.delivered: dict[str, list[bytes]] = {name: [] for name in BEDS}
        self.retained: dict[str, bytes] = {}
        self.session: list[tuple[str, bytes]] = []  # of the reader, at the broker
        self.ward = Ward("auricle")
        for name in BEDS:
            self._publish_state(name)
            self._publish(f"{name}/available", b"online", retain=True)
        self.restart_ward()

    def _publish(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        if retain:
            self.retained[topic] = payload
        self.session.append((topic, payload))

    def _publish_state(self, name: str) -> None:
        self.now_s += 1
        listed = [alarm for alarm in self.truth[name].values() if alarm["state"] != "ended"]
        self._publish(f"{name}/state", state(told_s=self.now_s, alarms=listed), retain=True)

    def _change(self, name: str, alarm: dict[str, Any], what: str, **other: Any) -> None:
        self.now_s += 1
        alarm.update(other)
        alarm["seq"] += 1
        said = {"change": what, "cause": "acknowledged by Nora" if what == "acknowledged" else "x"}
        body = {**alarm, **said, "decided_utc": moment(self.now_s), "time_quality": "synchronized"}
        self.owed[name].append(json.dumps(body).encode())
        if self.is_up[name]:
            self._publish_state(name)

    def _open(self, name: str) -> list[dict[str, Any]]:
        return [alarm for alarm in self.truth[name].values() if alarm["state"] != "ended"]

    @rule(name=st.sampled_from(BEDS))
    def raise_alarm(self, name: str) -> None:
        self.count += 1
        alarm = {
            "alarm_id": f"a{self.count}",
            "seq": -1,
            "kind": "sound",
            "name": "cry",
            "model": "cry",
            "state": "active",
            "priority": "high",
            "acknowledged": False,
            "acknowledged_by": None,
            "detail": "",
            "start_utc": moment(self.now_s),
        }
        self.truth[name][f"a{self.count}"] = alarm
        self._change(name, alarm, "raised")

    @rule(name=st.sampled_from(BEDS), pick=st.integers(0, 9))
    def acknowledge(self, name: str, pick: int) -> None:
        waiting = [alarm for alarm in self._open(name) if not alarm["acknowledged"]]
        if waiting:
            alarm = waiting[pick % len(waiting)]
            self._change(name, alarm, "acknowledged", acknowledged=True, acknowledged_by="Nora")

    @rule(name=st.sampled_from(BEDS), pick=st.integers(0, 9))
    def lower(self, name: str, pick: int) -> None:
        if self._open(name):
            self._change(name, self._open(name)[pick % len(self._open(name))], "priority", priority="low")

    @rule(name=st.sampled_from(BEDS), pick=st.integers(0, 9))
    def end(self, name: str, pick: int) -> None:
        if self._open(name):
            self._change(name, self._open(name)[pick % len(self._open(name))], "ended", state="ended")

    @rule(name=st.sampled_from(BEDS), copies=st.integers(1, 3))
    def deliver_one(self, name: str, copies: int) -> None:
        if self.is_up[name] and self.owed[name]:
            payload = self.owed[name].pop(0)
            self.delivered[name].append(payload)
            for _ in range(copies):
                self._publish(f"{name}/{ALARM}", payload)

    @rule(name=st.sampled_from(BEDS), pick=st.integers(0, 50))
    def deliver_a_late_copy(self, name: str, pick: int) -> None:
        if self.delivered[name]:
            self._publish(f"{name}/{ALARM}", self.delivered[name][pick % len(self.delivered[name])])
            self.read_some(len(self.session))

    @rule(name=st.sampled_from(BEDS))
    def die_or_come_back(self, name: str) -> None:
        self.is_up[name] = not self.is_up[name]
        if self.is_up[name]:
            self._publish_state(name)
        self._publish(f"{name}/available", b"online" if self.is_up[name] else b"offline", retain=True)

    @rule(most=st.integers(1, 10))
    def read_some(self, most: int) -> None:
        for topic, payload in self.session[:most]:
            tell(self.ward, topic, payload, now_s=float(self.now_s))
        del self.session[:most]

    @rule()
    def restart_ward(self) -> None:
        self.ward = Ward("auricle")
        self.reconnect()

    @rule()
    def reconnect(self) -> None:
        """What waits in the session comes first, then what the broker retains."""
        self.ward.lose("gone")
        self.ward.connect(float(self.now_s))
        self.read_some(len(self.session))
        for topic, payload in self.retained.items():
            tell(self.ward, topic, payload, now_s=float(self.now_s), retained=True)

    @invariant()
    def once_everything_has_arrived_the_ward_shows_what_is_true(self) -> None:
        if self.session or any(self.owed.values()):
            return
        for name in BEDS:
            shown = {each.alarm_id: (each.acknowledged, each.acknowledged_by) for each in bed(self.ward, name).alarms}
            true = {each["alarm_id"]: (each["acknowledged"], each["acknowledged_by"]) for each in self._open(name)}
            assert shown == true
            assert (bed(self.ward, name, float(self.now_s)).hearing == "silent") == (not self.is_up[name])

    def teardown(self) -> None:
        for name in BEDS:
            if not self.is_up[name]:
                self.die_or_come_back(name)
            while self.owed[name]:
                self.deliver_one(name, copies=2)
        self.read_some(len(self.session))
        self.once_everything_has_arrived_the_ward_shows_what_is_true()


class ChangesAlone(WardLaw):
    """The beds have more alarms than their states list, so each change counts; the ward lives on."""

    def _publish_state(self, name: str) -> None:
        self.now_s += 1
        self._publish(f"{name}/state", state(told_s=self.now_s, omitted=1), retain=True)

    @rule()
    def restart_ward(self) -> None:
        self.reconnect()


for law in (WardLaw, ChangesAlone):
    law.TestCase.settings = settings(max_examples=150, stateful_step_count=30, deadline=None)
TestWardLaw = WardLaw.TestCase
TestChangesAlone = ChangesAlone.TestCase
