"""An alarm that stays until it is acknowledged needs somebody who can."""

from __future__ import annotations

from dataclasses import replace

from device.config.loading import parse_config, profile
from device.findings import Finding
from device.tools.check.acknowledgement_check import check_acknowledgement, group_members

LATCHED = parse_config('[alarms]\nlatch = "high"\n', source="anna.toml")


def test_a_latch_that_nobody_can_acknowledge_is_refused() -> None:
    assert check_acknowledgement(LATCHED, by_unit=True, members=tuple) == Finding(
        "acknowledge",
        "failure",
        '"latch" in [alarms] is "high", so alarms stay until somebody acknowledges them, and nobody can acknowledge: '
        "[mqtt] has no host, [gpio] no button, and nobody is in the group auricle",
        'sudo adduser YOU auricle, then log in again; or set "button" in [gpio], or "host" in [mqtt]; '
        'or set "latch" to "off"',
    )


def test_without_a_latch_it_is_a_warning() -> None:
    assert check_acknowledgement(profile(), by_unit=True, members=tuple).outcome == "warning"


def test_any_way_will_do() -> None:
    over_mqtt = replace(LATCHED, mqtt=replace(LATCHED.mqtt, host="broker.local"))
    with_button = replace(over_mqtt, gpio=replace(LATCHED.gpio, button=4))
    for settings, by_unit, users, ways in (
        (over_mqtt, True, (), "MQTT"),
        (with_button, True, ("anna", "ben"), "MQTT, the button or auricle acknowledge (by anna or ben)"),
        (LATCHED, True, ("anna",), "auricle acknowledge (by anna)"),
        (LATCHED, False, (), "auricle acknowledge"),
    ):
        finding = check_acknowledgement(settings, by_unit=by_unit, members=lambda users=users: users)  # type: ignore[misc]
        assert finding == Finding("acknowledge", "ok", f"alarms can be acknowledged by {ways}")


def test_a_group_that_is_not_there_has_no_members() -> None:
    assert list(group_members("no-such-group-here")) == []
    assert "root" in group_members("root")
