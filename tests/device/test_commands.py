"""Commands: what is meant is understood, all else changes nothing, whoever sent it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.commands import (
    MAX_PAUSE_S,
    MAX_PAYLOAD_BYTES,
    Acknowledge,
    CertificateReport,
    Pause,
    PushReport,
    Reload,
    Resume,
    SelfTest,
    SetMode,
    SetSensitivity,
    Verb,
    parse_command,
    parse_local_command,
)
from device.errors import CommandError

if TYPE_CHECKING:
    from device.messages import ModeSwitch

VERBS = ("acknowledge", "pause", "resume", "self_test", "sensitivity", "mode")

_ids = st.text(st.characters(codec="ascii", categories=["L", "N", "Pd"]), min_size=1, max_size=200)
_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=8,
)


def _refused(verb: str, payload: bytes) -> str:
    with pytest.raises(CommandError) as caught:
        parse_command(verb, payload, by="mqtt")
    return str(caught.value)


# --- what is meant


@given(_ids)
def test_an_alarm_is_acknowledged_by_its_id(alarm_id: str) -> None:
    payload = json.dumps({"alarm_id": alarm_id}).encode()
    assert parse_command("acknowledge", payload, by="mqtt") == Acknowledge(alarm_id, "mqtt")


@pytest.mark.parametrize("payload", [b"", b" \n", b"{}"])
def test_an_empty_payload_acknowledges_all_resumes_and_tests(payload: bytes) -> None:
    assert parse_command("acknowledge", payload, by="button") == Acknowledge(None, "button")
    assert parse_command("resume", payload, by="button") == Resume("button")
    assert parse_command("self_test", payload, by="button") == SelfTest("button")


@given(st.integers(1, 7200) | st.floats(1, MAX_PAUSE_S))
def test_a_pause_says_how_long(duration_s: float) -> None:
    payload = json.dumps({"duration_s": duration_s}).encode()
    assert parse_command("pause", payload, by="mqtt") == Pause(duration_s, "mqtt")


@given(st.integers(-5, 5))
def test_a_sensitivity_is_set_by_model_and_label(steps: int) -> None:
    payload = json.dumps({"model": "cry", "label": "scream", "sensitivity": steps}).encode()
    assert parse_command("sensitivity", payload, by="mqtt") == SetSensitivity("cry", "scream", steps, "mqtt")


# --- what is not


@pytest.mark.parametrize(
    ("member", "value", "complaint"),
    [
        ("sensitivity", 6, "-5 to 5"),
        ("sensitivity", -6, "-5 to 5"),
        ("sensitivity", 1.0, "a whole number"),
        ("sensitivity", True, "a whole number"),
        ("sensitivity", "1", "a whole number"),
        ("sensitivity", None, "a whole number"),
        ("model", "", "a name"),
        ("label", 3, "a name"),
        ("label", "x" * 65, "1 to 64 characters"),
        ("other", 1, "only model, label, sensitivity do"),
    ],
)
def test_a_sensitivity_that_is_none_is_refused(member: str, value: object, complaint: str) -> None:
    said = {"model": "cry", "label": "cry", "sensitivity": 1} | {member: value}
    assert complaint in _refused("sensitivity", json.dumps(said).encode())


@pytest.mark.parametrize("said", ["null", "true", "1", "[]", '["a"]', '""', '"\\u0000"', '"\\ud800"', '"a\\nb"'])
def test_an_id_that_got_lost_acknowledges_not_everything(said: str) -> None:
    """An automation whose template gives null for an alarm's id must not silence all there are."""
    assert "left out for all" in _refused("acknowledge", f'{{"alarm_id": {said}}}'.encode())


def test_a_member_that_is_said_twice_means_nothing() -> None:
    """JSON takes the last one in silence: of `{"alarm_id": "a", "alarm_id": "b"}` one was not meant."""
    assert "'alarm_id' twice" in _refused("acknowledge", b'{"alarm_id": "a", "alarm_id": "b"}')
    assert "'duration_s' twice" in _refused("pause", b'{"duration_s": 5, "duration_s": 7200}')


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("name", ["", "alarm_ids", "by", "\ud800", "x" * 300])
def test_a_member_that_nobody_knows_is_told_and_obeyed_nowhere(verb: str, name: str) -> None:
    message = _refused(verb, json.dumps({name: 1}).encode())
    assert "means nothing here" in message
    assert len(message) < 160


@pytest.mark.parametrize(
    "said", ["null", "true", "0", "0.999", "-1", "7201", "1e999", "-Infinity", "NaN", '"300"', "[300]", "9" * 400]
)
def test_a_pause_without_a_bounded_duration_is_none(said: str) -> None:
    assert "1 to 7200" in _refused("pause", f'{{"duration_s": {said}}}'.encode())


def test_a_pause_must_say_how_long() -> None:
    assert "1 to 7200" in _refused("pause", b"")


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize(
    "payload",
    [b"null", b"1", b'"PRESS"', b"PRESS", b"[]", b"{", b"{'a': 1}", b"\xff\xfe", b"\xef\xbb\xbf{}", b"[" * 1000],
)
def test_what_is_no_object_is_no_command(verb: str, payload: bytes) -> None:
    assert "JSON" in _refused(verb, payload)


@pytest.mark.parametrize("verb", VERBS)
def test_the_size_is_looked_at_before_the_content(verb: str) -> None:
    assert parse_command("self_test", b" " * MAX_PAYLOAD_BYTES, by="mqtt") == SelfTest("mqtt")
    assert f"{MAX_PAYLOAD_BYTES + 1} bytes" in _refused(verb, b" " * (MAX_PAYLOAD_BYTES + 1))


@pytest.mark.parametrize("verb", ["", "Acknowledge", "acknowledge ", "reload", "pause\n", "x" * 60_000, "\x1b[2J"])
def test_a_verb_that_is_none_is_named_in_one_short_line(verb: str) -> None:
    message = _refused(verb, b"")
    assert "is no command" in message
    assert message.isprintable()
    assert len(message) < 200


@given(st.sampled_from(VERBS), st.binary(max_size=1100) | _json.map(lambda said: json.dumps(said).encode()))
def test_whatever_comes_is_a_bounded_command_or_refused_in_a_printable_line(verb: str, payload: bytes) -> None:
    try:
        command = parse_command(verb, payload, by="mqtt")
    except CommandError as error:
        assert str(error).isprintable()  # noqa: PT017 - both outcomes are lawful, each has its law
        return
    assert command.by == "mqtt"
    assert not isinstance(command, Pause) or 1 <= command.duration_s <= MAX_PAUSE_S
    assert not isinstance(command, Acknowledge) or command.alarm_id != ""


def test_only_a_command_of_this_machine_reloads() -> None:
    assert parse_local_command("reload", b'{"why": "cry 1.1.0 was installed"}', by="root") == Reload(
        "cry 1.1.0 was installed", "root"
    )
    assert parse_local_command("reload", b"", by="root") == Reload("", "root")
    assert parse_local_command("resume", b"", by="root") == Resume("root")
    assert "reload" not in get_args(Verb)


@pytest.mark.parametrize("payload", [b'{"why": 1}', b'{"why": null}', b'{"why": "a\\nb"}', b'{"file": "/"}'])
def test_a_reload_that_says_no_line_is_refused(payload: bytes) -> None:
    with pytest.raises(CommandError):
        parse_local_command("reload", payload, by="root")
    with pytest.raises(CommandError, match="at most 200 characters"):
        parse_local_command("reload", json.dumps({"why": "x" * 201}).encode(), by="root")


def test_push_reports_from_this_machine_alone_and_within_bounds() -> None:
    payload = b'{"owed": 3, "rules": 2, "fault": "phone: no network"}'
    assert parse_local_command("push_report", payload, by="auricle") == PushReport(3, 2, "phone: no network", "auricle")
    with pytest.raises(CommandError, match="is no command"):
        parse_command("push_report", payload, by="mqtt")
    for wrong in (
        b"",
        b'{"owed": -1, "rules": 2, "fault": ""}',
        b'{"owed": true, "rules": 2, "fault": ""}',
        b'{"owed": 1, "rules": 2, "fault": 3}',
        b'{"owed": 1, "rules": 2, "fault": "a\\nb"}',
        b'{"owed": 1, "rules": 2, "fault": "%s"}' % (b"x" * 301),
        b'{"owed": 1, "rules": 2, "fault": "", "by": "me"}',
    ):
        with pytest.raises(CommandError):
            parse_local_command("push_report", wrong, by="auricle")


def test_a_page_reports_its_certificate_from_this_machine_alone_and_within_bounds() -> None:
    report = {"path": "/etc/page.crt", "expires_utc_s": 1.9e9, "due_utc_s": 1800000000}
    payload = json.dumps(report).encode()
    expected = CertificateReport("/etc/page.crt", 1.9e9, 1.8e9, "auricle-web")
    assert parse_local_command("certificate_report", payload, by="auricle-web") == expected
    with pytest.raises(CommandError, match="is no command"):
        parse_command("certificate_report", payload, by="mqtt")
    for wrong in (
        {},
        {**report, "path": "a\nb"},
        {**report, "path": "x" * 301},
        {**report, "expires_utc_s": "soon"},
        {**report, "due_utc_s": True},
        {**report, "due_utc_s": 1e12},
        {**report, "expires_utc_s": float("nan")},
        {**report, "by": "me"},
    ):
        with pytest.raises(CommandError):
            parse_local_command("certificate_report", json.dumps(wrong).encode(), by="auricle-web")


@pytest.mark.parametrize("mode", ["auto", "alarm", "log", "off"])
def test_a_mode_is_set_by_label(mode: ModeSwitch) -> None:
    payload = json.dumps({"label": "cry", "mode": mode}).encode()
    assert parse_command("mode", payload, by="mqtt") == SetMode("cry", mode, "mqtt")


@pytest.mark.parametrize(
    ("said", "complaint"),
    [
        ({"label": "cry", "mode": "quiet"}, "mode must be auto, alarm, log or off"),
        ({"label": "cry", "mode": None}, "mode must be auto, alarm, log or off"),
        ({"label": "cry", "mode": ["off"]}, "mode must be auto, alarm, log or off"),
        ({"label": "cry"}, "mode must be auto, alarm, log or off"),
        ({"mode": "off"}, "label must be a name"),
        ({"label": "cry", "mode": "off", "for_s": 60}, "only label, mode do"),
        ({}, "label must be a name"),
    ],
)
def test_a_mode_that_is_none_is_refused(said: dict[str, object], complaint: str) -> None:
    assert complaint in _refused("mode", json.dumps(said).encode())
