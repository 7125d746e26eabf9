"""Refused logins, and alarms that a broker does not take."""

from __future__ import annotations

import signal
import subprocess
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.programs import program
from tests.system.broker.telling import (
    CRY,
    QUICK,
    RIGHT,
    TOPICS,
    WRONG,
    Owner,
    Telling,
    both,
    fed,
    reason_in,
    settings_for,
    up,
)

if TYPE_CHECKING:
    from pathlib import Path

    from device.config.settings import MqttProtocol
    from tests.system.conftest import Mosquitto

pytestmark = pytest.mark.system


def _with_password(broker: Mosquitto, folder: Path, *more: str, password: str = RIGHT) -> None:
    command = [program("mosquitto_passwd"), "-b", "-c", str(folder / "passwords"), "auricle", password]
    subprocess.run(command, check=True, capture_output=True)
    broker.kill()
    broker.configure("allow_anonymous false", f"password_file {folder / 'passwords'}", *more)
    broker.start()


@both
def test_a_login_that_is_refused_is_no_lost_network_and_is_tried_slowly(
    broker: Mosquitto, telling: Telling, private_folder: Path, protocol: MqttProtocol
) -> None:
    _with_password(broker, private_folder)
    owner = Owner()
    owner.owe(("a", 0))
    settings = settings_for(broker, protocol=protocol, username="auricle")
    wrong = telling.begin(settings, owner, password=WRONG, timeouts=replace(QUICK, refused_s=60.0))
    right = telling.begin(settings, owner, password=RIGHT, client_id="right")
    assert "refuses the login" in reason_in(wrong, "refused")
    assert WRONG not in repr(wrong)
    owner.until_paid(right)
    time.sleep(1.0)
    assert broker.log.count("auricle-anna") <= 4, "one try: its connection, refusal and end"


def test_a_login_that_was_refused_is_let_in_once_the_password_is_right(
    broker: Mosquitto, telling: Telling, private_folder: Path
) -> None:
    _with_password(broker, private_folder, password=WRONG)
    mqtt = telling.begin(settings_for(broker, username="auricle"), Owner(), password=RIGHT)
    reason_in(mqtt, "refused")
    _with_password(broker, private_folder, password=RIGHT)
    up(mqtt)


def _denying(folder: Path, *rights: str) -> str:
    path = folder / "rights"
    path.write_text("\n".join(["user auricle", *rights, ""]))
    path.chmod(0o600)
    return f"acl_file {path}"


def test_an_alarm_that_the_broker_does_not_take_stays_owed_until_it_may_be_written(
    broker: Mosquitto, telling: Telling, private_folder: Path
) -> None:
    rights = ("topic write auricle/anna/available", "topic write auricle/anna/alarm/technical/#")
    _with_password(broker, private_folder, _denying(private_folder, *rights))
    owner = Owner()
    keys = [("a", 0), ("a", 1), ("b", 0), ("a", 2)]
    owner.owe(*keys)
    mqtt = telling.begin(settings_for(broker, username="auricle"), owner, password=RIGHT)
    fed(owner, mqtt, lambda: mqtt.counts.denied >= 3, "the broker denying")
    assert "auricle must be allowed to write" in reason_in(mqtt, "denied")
    assert CRY in mqtt.link.reason
    owner.owe(("fault", 0), topic=TOPICS.alarm("technical", model="", name="silence"))
    fed(owner, mqtt, lambda: owner.paid() == [("fault", 0)], "what may be written arriving even so")
    _denying(private_folder, "topic readwrite auricle/anna/#")
    broker.signal(signal.SIGHUP)
    owner.until_paid(mqtt)
    assert [key for key in owner.paid() if key[0] == "a"] == [("a", 0), ("a", 1), ("a", 2)]
    assert mqtt.link.state == "connected"
    assert mqtt.counts.connected == 1


def test_mqtt_3_cannot_say_that_an_alarm_is_not_taken(
    broker: Mosquitto, telling: Telling, private_folder: Path
) -> None:
    _with_password(broker, private_folder, _denying(private_folder, "topic write auricle/anna/available"))
    owner = Owner()
    owner.owe(("a", 0))
    mqtt = telling.begin(settings_for(broker, protocol="3.1.1", username="auricle"), owner, password=RIGHT)
    owner.until_paid(mqtt)
    assert mqtt.counts.denied == 0, "MQTT 3.1.1 acknowledges what is thrown away; docs/mqtt.md says so"
