"""The check of the broker, without one. Real brokers are in tests/system/operation/test_check.py."""

from __future__ import annotations

import dataclasses
import socket
from typing import TYPE_CHECKING

import pytest

from device.config.settings import MqttSettings
from device.errors import ConfigError
from device.tools.check import broker_check
from device.tools.check.broker_check import check_broker

if TYPE_CHECKING:
    from pathlib import Path

    from device.runtime.daemon_state import DaemonState


def test_no_broker_is_well_and_asks_nobody() -> None:
    assert check_broker(MqttSettings(), "anna", None).outcome == "ok"


def test_a_port_where_nothing_listens_is_a_failure() -> None:
    with socket.socket() as taken:  # bound, and listening to nobody
        taken.bind(("127.0.0.1", 0))
        settings = MqttSettings(host="127.0.0.1", port=taken.getsockname()[1])
        finding = check_broker(settings, "anna", None)
    assert finding.outcome == "failure"
    assert "nothing listens at 127.0.0.1" in finding.summary
    assert "owed" in finding.cure


def test_a_name_that_nobody_knows_is_a_failure() -> None:
    finding = check_broker(MqttSettings(host="broker.invalid"), "anna", None)
    assert finding.outcome == "failure"
    assert "no address of broker.invalid is known" in finding.summary


def test_what_is_no_broker_is_said_to_be_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(broker_check, "ANSWERS_WITHIN_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as mute:  # the kernel takes the connection, and nobody answers
        finding = check_broker(MqttSettings(host="127.0.0.1", port=mute.getsockname()[1]), "anna", None)
    assert finding.outcome == "failure"
    assert "does not answer" in finding.summary


def test_a_password_file_that_others_may_read_is_refused(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("secret\n")
    (tmp_path / "password").chmod(0o644)
    settings = MqttSettings(host="127.0.0.1", username="anna", password_file=str(tmp_path / "password"))
    with pytest.raises(ConfigError, match="open to everybody"):
        check_broker(settings, "anna", None)


@pytest.mark.parametrize(
    ("broker", "outcome"), [("connected", "ok"), ("denied", "warning"), ("refused", "failure"), ("lost", "failure")]
)
def test_a_daemon_that_alone_knows_the_password_is_asked(state: DaemonState, broker: str, outcome: str) -> None:
    settings = MqttSettings(host="broker.invalid", username="anna")
    finding = check_broker(settings, "anna", dataclasses.replace(state, broker=broker), {})
    assert finding.outcome == outcome
    assert broker in finding.summary
    assert bool(finding.cure) == (outcome != "ok")
