"""Each bed has a certificate of its own, and what docs/fleet.md promises holds against a real mosquitto."""

from __future__ import annotations

import json
import socket
import subprocess
from typing import TYPE_CHECKING
from urllib.request import urlopen

import pytest

from tests.programs import program
from tests.system.broker.fleet import Fleet, Member, running_fleet
from tests.system.conftest import wait_until
from tests.system.running_daemon import AURICLE, CRY_WITHIN_S, RunningDaemon, Sounds

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.system

SOON_S = 20.0
EXPIRING = "auricle/anna/alarm/technical/certificate"
CRY = "auricle/anna/alarm/sound/cry/cry"
EVIL = b"evil"
DENIED = "Not authorized"  # MQTT 5, reason code 0x87
WILDCARDS = (
    *("#", "$share/x/auricle/#", "+/+/alarm/#", "auricle/#", "auricle/+/alarm/#"),
    *("auricle/anna/#", CRY, "auricle/anna/command/+"),
)
OF_ANNA = (
    CRY,
    "auricle/anna/state",
    "auricle/anna/available",
    "auricle/anna/owner",
    "auricle/anna/command/acknowledge",
    "homeassistant/device/anna/auricle_anna_1/config",
    "homeassistant/device/auricle_anna_1/config",
    "homeassistant/status",
)


@pytest.fixture(scope="module")
def fleet() -> Iterator[Fleet]:
    with running_fleet() as made:
        yield made


def _anna(folder: Path, fleet: Fleet) -> RunningDaemon:
    fleet.sign("anna", days=29)
    recording = Sounds(folder).endless_cry()
    command = [str(AURICLE), "listen", "--speed", "4", "--loop", "--source", str(recording)]
    config = f"{fleet.bed('anna')}[status]\nmetrics_port = {_free_port()}\n"
    return RunningDaemon(folder, {}, config, name="anna", command=command)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _members_of(member: Member, topic: str) -> dict[str, object]:
    newest = (member.payloads(topic) or [b"{}"])[-1]
    members: dict[str, object] = json.loads(newest)
    return members


def test_a_bed_is_heard_by_its_ward_alone_obeys_its_operator_alone_and_is_out_once_its_certificate_is_revoked(
    private_folder: Path, fleet: Fleet
) -> None:
    with (
        Member(fleet, "homeassistant", ["homeassistant/#"]) as home,
        Member(fleet, "north-reader", ["auricle/#"]) as reader,
        Member(fleet, "south-reader", WILDCARDS) as stranger,
        Member(fleet, "ben", [*WILDCARDS, "auricle/ben/command/+"], user="anna") as thief,
        Member(fleet, "north-operator") as operator,
        _anna(private_folder, fleet) as daemon,
    ):
        daemon.wait_until(lambda: reader.payloads(CRY), "an alarm", 2 * CRY_WITHIN_S)
        daemon.wait_until(lambda: (state := daemon.status()) and state.broker == "connected", "a connection", SOON_S)
        (announced,) = {topic for topic, _ in home.heard if topic.startswith("homeassistant/device/")}
        assert announced.startswith("homeassistant/device/anna/auricle_anna_")
        _expiring_certificate_is_said_everywhere(daemon, reader, fleet)
        for member in (thief, stranger, reader):
            answers = {topic: member.publish(topic, EVIL, retain=True) for topic in OF_ANNA}
            assert set(answers.values()) == {DENIED}, answers
        assert operator.publish("auricle/anna/state", EVIL) == DENIED
        before = len(reader.payloads("auricle/anna/state"))
        assert operator.publish("auricle/anna/command/acknowledge") == "Success"
        daemon.wait_until(
            lambda: (
                len(reader.payloads("auricle/anna/state")) > before
                and _members_of(reader, "auricle/anna/state")["unacknowledged"] == 0
            ),
            "the acknowledgement",
            SOON_S,
        )
        assert thief.publish("auricle/ben/command/ping") == "Success"
        wait_until(lambda: thief.payloads("auricle/ben/command/ping"), "what ben may read")
        assert {topic for topic, _ in thief.heard} == {"auricle/ben/command/ping"}
        assert stranger.heard == []
        assert EVIL not in {payload for _, payload in (*reader.heard, *home.heard)}
        _revoked_while_it_runs(daemon, fleet)
    daemon.kill()
    with Member(fleet, "ben") as other:
        assert other.publish("auricle/ben/state") != DENIED, "the others go on"


def _expiring_certificate_is_said_everywhere(daemon: RunningDaemon, reader: Member, fleet: Fleet) -> None:
    """The certificate was made for 29 days, which is when the page says that a fault begins."""
    detail = daemon.wait_for({"fault": "certificate", "begins": True}, within_s=SOON_S)["detail"]
    named = f'"cert_file" in [mqtt] is "{fleet.file("anna.crt")}", which expires on 20'
    assert detail.startswith(named)
    daemon.wait_until(lambda: reader.payloads(EXPIRING), "the technical alarm", SOON_S)
    alarm = _members_of(reader, EXPIRING)
    assert (alarm["priority"], alarm["change"], alarm["detail"]) == ("low", "raised", detail)
    daemon.wait_until(lambda: "certificate" in str(_members_of(reader, "auricle/anna/faults")), "the fault", SOON_S)
    state = daemon.status()
    assert state is not None
    assert [(fault.kind, fault.detail) for fault in state.faults] == [("certificate", detail)]
    assert detail in daemon.ask("status", "--instance", "anna").stdout
    port = daemon.config_path.read_text().rpartition("metrics_port = ")[2].strip()
    with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=SOON_S) as answer:
        assert 'auricle_fault{kind="certificate"} 1.0' in answer.read().decode()


def _revoked_while_it_runs(daemon: RunningDaemon, fleet: Fleet) -> None:
    fleet.revoke("anna")
    fleet.broker.kill()
    fleet.broker.start()
    reason = "the broker says that this client's certificate was revoked: renew cert_file"
    daemon.wait_until(lambda: (state := daemon.status()) and state.broker == "refused", "a refusal", SOON_S)
    state = daemon.status()
    assert state is not None
    assert state.broker_reason == reason
    daemon.wait_for({"kind": "fault", "fault": "broker", "begins": True}, within_s=SOON_S)


def test_a_last_will_for_another_bed_is_never_published_and_no_reader_writes_below_its_own_name(fleet: Fleet) -> None:
    with Member(fleet, "north-reader", ["auricle/#"]) as reader, Member(fleet, "homeassistant", ["#"]) as home:
        for name in ("north-reader", "north-operator", "south-reader"):
            with Member(fleet, name) as member:
                assert member.publish(f"auricle/{name}/state", EVIL) == DENIED
                assert member.publish(f"homeassistant/device/{name}/x/config", EVIL) == DENIED
        with Member(fleet, "ben", will=("auricle/anna/available", EVIL)) as thief:
            thief.die()
        with Member(fleet, "ben", will=("auricle/ben/available", b"offline")) as honest:
            honest.die()
        wait_until(lambda: reader.payloads("auricle/ben/available"), "a last will of its own")
        assert EVIL not in {payload for _, payload in (*reader.heard, *home.heard)}


def test_a_certificate_of_a_bed_cannot_pose_as_the_broker_nor_one_of_the_broker_log_in(fleet: Fleet) -> None:
    def verified(certificate: str, purpose: str) -> bool:
        command = ["verify", "-CAfile", fleet.file("ca.crt"), "-purpose", purpose, fleet.file(certificate)]
        return subprocess.run([program("openssl"), *command], capture_output=True, check=False).returncode == 0

    assert verified("ben.crt", "sslclient")
    assert verified("broker.crt", "sslserver")
    assert not verified("ben.crt", "sslserver")
    assert not verified("broker.crt", "sslclient")
    member = Member(fleet, "broker")
    try:
        assert not member.connected.wait(0.5)
    finally:
        member.__exit__()
