"""A daemon's state as JSON, its limits, and how old it is."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.errors import ServiceError
from device.runtime.daemon_state import AlarmStatus, DaemonState, FaultStatus, LabelStatus, StateAge, from_json, to_json

_FINITE = st.floats(allow_nan=False, allow_infinity=False)
_LABELS = st.builds(
    LabelStatus, st.text(), st.text(), on=st.booleans(), score=st.none() | _FINITE, since_utc_s=st.none() | _FINITE
)
_FAULTS = st.builds(FaultStatus, st.sampled_from(["silence", "microphone"]), _FINITE, st.text())
_ALARMS = st.builds(
    AlarmStatus,
    kind=st.sampled_from(["sound", "technical"]),
    priority=st.sampled_from(["high", "medium", "low"]),
    state=st.sampled_from(["active", "latched"]),
)
_COUNT = st.integers(0, 2**53)
_STATES = st.builds(
    DaemonState,
    pid=_COUNT,
    sample_rate_hz=st.none() | _COUNT,
    labels=st.lists(_LABELS, max_size=3).map(tuple),
    faults=st.lists(_FAULTS, max_size=3).map(tuple),
    alarms=st.lists(_ALARMS, max_size=3).map(tuple),
    owed=st.none() | _COUNT,
    models=st.lists(st.text(), max_size=3).map(tuple),
    **{name: st.none() | _FINITE for name in ("level_dbfs", "peak_dbfs", "listened", "windows")},
    **dict.fromkeys(("events", "faults_told", "gaps", "overruns", "reopened", "dropped_notices"), _COUNT),
    **dict.fromkeys(("windows_scored", "windows_due"), _COUNT),
    **dict.fromkeys(("started_utc_s", "told_utc_s", "uptime_s", "hop_s", "configured_hop_s"), _FINITE),
    **dict.fromkeys(("backlog_s", "dropped_s", "age_s"), _FINITE),
)


# --- as JSON


@given(_STATES)
def test_a_state_survives_the_way_there(state: DaemonState) -> None:
    assert from_json(to_json(state).encode()) == state


def _with(state: DaemonState, **changed: Any) -> bytes:
    told = json.loads(to_json(state))
    told["state"].update(changed)
    return json.dumps(told).encode()


@pytest.mark.parametrize(
    ("changed", "complaint"),
    [
        ({"pid": "4711"}, "state.pid is '4711'"),
        ({"pid": True}, "state.pid is True"),
        ({"hearing": 1}, "state.hearing is 1"),
        ({"uptime_s": None}, "state.uptime_s is None"),
        ({"labels": {}}, "state.labels is {}"),
        ({"models": ["cry", 1]}, r"state.models\[1\] is 1"),
        ({"faults": [{"kind": "rain", "since_utc_s": 1.0, "detail": ""}]}, r"state.faults\[0\].kind is 'rain'"),
        ({"faults": [{"kind": [], "since_utc_s": 1.0, "detail": ""}]}, r"state.faults\[0\].kind is \[\]"),
    ],
)
def test_what_is_no_state_is_refused_with_its_place(
    state: DaemonState, changed: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(ServiceError, match=complaint):
        from_json(_with(state, **changed))


def test_a_field_of_a_newer_daemon_is_ignored_and_one_that_an_older_lacks_has_its_default(state: DaemonState) -> None:
    assert from_json(_with(state, more=1)) == state
    told = json.loads(to_json(dataclasses.replace(state, commands_rejected=3)))
    del told["state"]["commands_rejected"]
    assert from_json(json.dumps(told).encode()) == dataclasses.replace(state, commands_rejected=0)
    del told["state"]["pid"]
    with pytest.raises(ServiceError, match="state must have instance"):
        from_json(json.dumps(told).encode())


def test_a_state_of_another_version_is_not_guessed_at(state: DaemonState) -> None:
    told = json.dumps({**json.loads(to_json(state)), "version": 3}).encode()
    with pytest.raises(ServiceError, match="in version 3, this is 2"):
        from_json(told)


@pytest.mark.parametrize("data", [b"[]", b"{}", b"null", b'{"version": 1}', b"\xff", b'{"version": 1, "state": NaN}'])
def test_what_is_no_status_at_all_is_refused_in_one_sentence(data: bytes) -> None:
    with pytest.raises(ServiceError) as refused:
        from_json(data)
    assert "\n" not in str(refused.value)


def test_a_number_that_is_none_is_never_told(state: DaemonState) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        to_json(dataclasses.replace(state, level_dbfs=float("-inf")))


# --- how old it is


@given(st.lists(st.tuples(st.floats(0, 100), st.floats(0, 100)), min_size=1, max_size=20), _FINITE)
def test_the_age_is_right_once_a_fresh_state_was_seen(waits: list[tuple[float, float]], started_s: float) -> None:
    started_s = started_s % 1e6
    base = _bare(0.0)
    age = StateAge()
    assert age.apply(base, started_s).age_s == 0.0
    now_s = 0.0
    for until_made_s, until_told_s in waits:
        made_s = now_s + until_made_s
        now_s = made_s + until_told_s
        told = age.apply(dataclasses.replace(base, uptime_s=made_s), started_s + now_s)
        assert told.age_s == pytest.approx(until_told_s, abs=1e-6)


def _bare(uptime_s: float) -> DaemonState:
    values = {field.name: 0 for field in dataclasses.fields(DaemonState)}
    return DaemonState(**{**values, "uptime_s": uptime_s, "hearing": True})  # type: ignore[arg-type]


def test_a_daemon_whose_loop_hangs_does_not_hear_whatever_it_last_said(state: DaemonState) -> None:
    assert dataclasses.replace(state, age_s=1.0).hears
    hung = dataclasses.replace(state, age_s=6.0)
    assert hung.hangs
    assert not hung.hears
