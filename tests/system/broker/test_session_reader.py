"""A reader of a real mosquitto that lets it write below one topic alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from device.config.settings import MqttSettings
from device.sinks.mqtt.session_reader import Reader
from tests.system.broker.telling import until
from tests.system.conftest import Mosquitto

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.system

WITHIN_S = 30.0


@pytest.fixture
def guarded(private_folder: Path) -> Iterator[Mosquitto]:
    """A broker that takes messages below `allowed/` alone."""
    rights = private_folder / "acl"
    rights.write_text("topic readwrite allowed/#\n", encoding="utf-8")
    rights.chmod(0o600)
    running = Mosquitto(private_folder, f"acl_file {rights}")
    try:
        running.start()
        yield running
    finally:
        running.kill()


def test_a_number_that_comes_again_does_not_bring_the_denial_of_an_earlier_message(guarded: Mosquitto) -> None:
    settings = MqttSettings(host="127.0.0.1", port=guarded.port)
    with Reader(settings, None, client_id="reader", subscriptions=[("allowed/#", 1)], keeps_session=False) as reader:
        until(lambda: reader.turn(0.2) is not None and reader.is_up, "the connection", WITHIN_S)
        denied = reader.publish("other/bed", b"1")
        until(lambda: reader.turn(0.2) is not None and bool(reader.denial(denied)), "the denial", WITHIN_S)
        assert reader._client is not None
        reader._client._last_mid = denied - 1  # as after 65,535 further requests
        assert reader.publish("allowed/bed", b"2") == denied
        heard = [b""]

        def has_come() -> bool:
            heard.extend(each.payload for each in reader.turn(0.2))
            return b"2" in heard

        until(has_come, "the message that is allowed", WITHIN_S)
        assert reader.denial(denied) == ""
