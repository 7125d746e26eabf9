"""What is announced to Home Assistant holds to what its documentation says, and takes back what is gone."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator, ValidationError

from device.commands import SetMode, SetSensitivity, parse_command
from device.sinks import payloads
from device.sinks.homeassistant import AnnouncedDevice, birth_topic, discovery, platforms
from device.sinks.payloads import Topics

_PATH = Path(__file__).parents[3] / "docs" / "schemas" / "discovery.schema.json"
_SCHEMA = Draft202012Validator(json.loads(_PATH.read_text()))
_TOPICS = Topics("auricle", "anna")
_NAME = st.from_regex(r"[a-z0-9][a-z0-9_-]{0,12}", fullmatch=True)


def _announced(*labels: tuple[str, str], root: str = "auricle") -> AnnouncedDevice:
    return AnnouncedDevice("auricle_anna_1", Topics(root, "anna"), "homeassistant", labels, "0.1.0")


def _told(announced: AnnouncedDevice, before: dict[str, str] | None = None) -> Any:
    return json.loads(discovery(announced, before or {}).payload)


_CRY = _announced(("cry", "cry"))


def test_the_topic_has_the_instance_as_a_level_where_that_is_wanted() -> None:
    assert _CRY.topic == "homeassistant/device/auricle_anna_1/config"
    assert replace(_CRY, below_instance=True).topic == "homeassistant/device/anna/auricle_anna_1/config"


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(_SCHEMA.schema)


@given(st.lists(st.tuples(_NAME, _NAME), unique=True, max_size=8), st.lists(st.tuples(_NAME, _NAME), max_size=8))
def test_every_announcement_is_what_the_schema_allows_and_names_each_entity_once(
    labels: list[tuple[str, str]], before: list[tuple[str, str]]
) -> None:
    told = _told(_announced(*labels), platforms(_announced(*before)))
    _SCHEMA.validate(told)
    ids = [component["uniq_id"] for component in told["components"].values() if len(component) > 1]
    whole = [part for part in told["components"].values() if "stat_t" in part and "val_tpl" not in part]
    topics = [part["stat_t"] for part in whole]
    assert len(set(ids)) == len(ids) == 4 * len(labels) + 11
    assert len(set(topics)) == len(topics), "a topic that entities share resets the others to unknown"


@pytest.mark.parametrize(
    "spoil",
    [
        lambda told: told.pop("origin"),
        lambda told: told["origin"].pop("name"),
        lambda told: told["device"].pop("identifiers"),
        lambda told: told["components"]["level"].pop("uniq_id"),
        lambda told: told["components"]["level"].pop("p"),
        lambda told: told["components"]["level"].update(availability_topic="auricle/anna/available"),
        lambda told: told["components"]["level"].pop("avty"),
        lambda told: told.update(availability=told["components"]["level"]["avty"]),
        lambda told: told["device"].update(configuration_url="anna.local"),
        lambda told: told["components"]["level"].update(device_class="sound_pressure"),
        lambda told: told["components"]["alarm.cry.cry"].update(device_class="sound"),
        lambda told: told["components"]["sound.cry.cry"].update(expire_after=60),
        lambda told: told["components"]["sound.cry.cry"].update(sate_topic="a typing error"),
        lambda told: told.update({"~": "auricle/anna"}),
    ],
)
def test_what_home_assistant_refuses_or_passes_over_the_schema_refuses(spoil: Any) -> None:
    told = _told(_CRY)
    spoil(told)
    with pytest.raises(ValidationError):
        _SCHEMA.validate(told)


def test_an_announcement_is_short_as_a_broker_keeps_one_of_each_device() -> None:
    nursery = replace(_announced(("cry", "cry"), ("scream", "scream")), device_id="auricle_nursery_3f9c21ab")
    assert len(discovery(nursery, {}).payload) < 6000


_HEARD = {"sound.cry.cry", "score.cry.cry", "level", "coverage"}


def test_what_is_heard_depends_on_the_microphone_and_all_else_on_the_daemon_alone() -> None:
    told = _told(_CRY)
    published = [payloads.availability(_TOPICS, online=True), payloads.microphone_availability(_TOPICS, online=True)]
    daemon, microphone = (message.topic for message in published)
    for name, component in told["components"].items():
        declared = [entry["t"] for entry in component["avty"]]
        assert declared == ([daemon, microphone] if name in _HEARD else [daemon]), name
        assert component.get("avty_mode") == ("all" if name in _HEARD else None), name
    assert told["components"].keys() > {"acknowledge", "faults", "technical", "hearing", "alarm.cry.cry", *_HEARD}
    assert not any("avty" in key for key in told), "beside it Home Assistant refuses the entities"


def test_a_label_has_a_sensor_and_an_event_on_the_topics_that_are_published() -> None:
    components = _told(_CRY)["components"]
    assert components["sound.cry.cry"]["stat_t"] == payloads.sound(_TOPICS, "cry", "cry", on=True).topic
    assert components["alarm.cry.cry"]["stat_t"] == _TOPICS.alarm("sound", model="cry", name="cry")
    assert components["level"]["stat_t"] == payloads.level(_TOPICS, rms_dbfs=None, peak_dbfs=None).topic


def test_two_models_with_one_label_are_told_apart_by_name() -> None:
    components = _told(_announced(("cry", "cry"), ("lung", "wheeze"), ("spare", "cry")))["components"]
    assert components["sound.cry.cry"]["name"] == "Cry (cry)"
    assert components["sound.spare.cry"]["name"] == "Cry (spare)"
    assert components["sound.lung.wheeze"]["name"] == "Wheeze"


def test_what_a_button_publishes_is_a_command() -> None:
    for verb in ("acknowledge", "pause", "resume", "self_test"):
        button = _told(_CRY)["components"][verb]
        assert _TOPICS.commands[button["cmd_t"]] == verb
        parse_command(verb, button["pl_prs"].encode(), by="mqtt")


@pytest.mark.parametrize("value", [-5, 0, 5])
def test_what_the_number_publishes_is_a_command(value: int) -> None:
    number = _told(_CRY)["components"]["sensitivity.cry.cry"]
    assert number["min"] <= value <= number["max"]
    assert _TOPICS.commands[number["cmd_t"]] == "sensitivity"
    payload = number["cmd_tpl"].replace("{{ value | int }}", str(value))
    assert parse_command("sensitivity", payload.encode(), by="mqtt") == SetSensitivity("cry", "cry", value, "mqtt")


def test_a_device_with_a_page_links_to_it() -> None:
    told = json.loads(discovery(replace(_CRY, page_url="http://anna.local:8080/"), {}).payload)
    _SCHEMA.validate(told)
    assert told["device"]["configuration_url"] == "http://anna.local:8080/"
    assert "configuration_url" not in _told(_CRY)["device"]


def test_what_is_not_there_any_more_is_taken_back_by_its_platform_alone() -> None:
    before = platforms(_announced(("cry", "cry"), ("lung", "wheeze")))
    components = _told(_CRY, before)["components"]
    assert components["sound.lung.wheeze"] == {"p": "binary_sensor"}
    assert components["alarm.lung.wheeze"] == {"p": "event"}
    assert len(components["sound.cry.cry"]) > 1


def test_nothing_is_taken_back_that_is_still_there() -> None:
    assert discovery(_CRY, platforms(_CRY)) == discovery(_CRY, {})


def test_the_topic_of_the_announcement_follows_from_the_identity_alone() -> None:
    assert _CRY.topic == "homeassistant/device/auricle_anna_1/config"
    assert _announced(root="home/auricle").topic == _CRY.topic
    assert birth_topic("homeassistant") == "homeassistant/status"


def test_the_announcement_is_retained_and_acknowledged() -> None:
    message = discovery(_CRY, {})
    assert (message.retain, message.qos) == (True, 1)


def test_a_label_whose_thresholds_are_fixed_has_no_sensitivity() -> None:
    labels = (("cry", "cry"), ("loudness", "loud"))
    told = _told(replace(_announced(*labels), fixed=frozenset({("loudness", "loud")})))
    _SCHEMA.validate(told)
    of_loud = [name for name in told["components"] if name.endswith(".loudness.loud")]
    assert of_loud == ["sound.loudness.loud", "score.loudness.loud", "alarm.loudness.loud"]
    assert "sensitivity.cry.cry" in told["components"]


def test_a_scheduled_label_shows_its_mode_and_has_a_switch_where_one_is_configured() -> None:
    told = _told(replace(_CRY, scheduled={"cry": True, "scream": False}))
    _SCHEMA.validate(told)
    modes = {name: part for name, part in told["components"].items() if name.startswith(("mode.", "switch."))}
    assert [(name, part["p"]) for name, part in modes.items()] == [
        ("mode.cry", "sensor"),
        ("switch.cry", "select"),
        ("mode.scream", "sensor"),
    ]
    switch = modes["switch.cry"]
    assert (switch["ops"], switch["cmd_t"]) == (
        ["auto", "alarm", "log", "off"],
        "auricle/anna/command/mode",
    )
    payload = switch["cmd_tpl"].replace("{{ value }}", "off")
    assert parse_command("mode", payload.encode(), by="mqtt") == SetMode("cry", "off", "mqtt")
    without = _told(_CRY, platforms(replace(_CRY, scheduled={"cry": True})))
    _SCHEMA.validate(without)
    assert without["components"]["switch.cry"] == {"p": "select"}


def test_how_many_listen_in_is_a_sensor_where_that_is_on_and_is_taken_back_where_it_is_off() -> None:
    on = replace(_CRY, listens_in=True)
    told = _told(on)
    assert [error.message for error in _SCHEMA.iter_errors(told)] == []
    sensor = told["components"]["listening_in"]
    assert (sensor["p"], sensor["stat_t"]) == ("sensor", _TOPICS.state)
    assert "listening_in" not in _told(_CRY)["components"]
    assert _told(_CRY, platforms(on))["components"]["listening_in"] == {"p": "sensor"}
