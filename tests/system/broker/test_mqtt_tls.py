"""TLS with an authority of one's own, client certificates, and addresses of IPv6."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from device.config.settings import MqttSettings
from device.runtime.certificates import expiries
from tests.system.broker.authority import Authority, with_tls
from tests.system.broker.telling import RIGHT, Owner, Telling, both, fed, reason_in, settings_for, until

if TYPE_CHECKING:
    from pathlib import Path

    from device.config.settings import MqttProtocol
    from tests.system.conftest import Mosquitto

pytestmark = pytest.mark.system


@both
def test_a_broker_whose_own_authority_is_configured_is_trusted(
    broker: Mosquitto, telling: Telling, authority: Authority, protocol: MqttProtocol
) -> None:
    with_tls(broker, authority, authority.sign("server"))
    owner = Owner()
    owner.owe(*((f"a{number}", 0) for number in range(300)))
    settings = settings_for(broker, protocol=protocol, tls=True, ca_file=str(authority.certificate))
    mqtt = telling.begin(settings, owner)
    owner.until_paid(mqtt)
    assert mqtt.counts.connected == 1


def test_the_date_of_the_brokers_certificate_is_that_of_the_last_connection(
    broker: Mosquitto, telling: Telling, authority: Authority
) -> None:
    dates = []
    for name, days in (("server", 2), ("renewed", 1)):
        with_tls(broker, authority, server := authority.sign(name, days=days))
        mqtt = telling.begin(settings_for(broker, tls=True, ca_file=str(authority.certificate)), Owner())
        until(lambda mqtt=mqtt: mqtt.link.is_up, "a connection")  # type: ignore[misc]
        shown = mqtt.link.certificate
        assert shown is not None
        assert shown.endpoint == f"127.0.0.1:{broker.port}"
        assert [shown.expires_utc_s] == list(expiries(server[0].read_bytes()))
        dates.append(shown.expires_utc_s)
        mqtt.close(3.0)
    assert dates[1] < dates[0]


def test_without_tls_no_certificate_is_known(broker: Mosquitto, telling: Telling) -> None:
    mqtt = telling.begin(settings_for(broker), Owner())
    until(lambda: mqtt.link.is_up, "a connection")
    assert mqtt.link.certificate is None


def test_what_is_wrong_with_a_brokers_certificate_is_said_and_no_password_is_sent(
    broker: Mosquitto, telling: Telling, authority: Authority, private_folder: Path
) -> None:
    other = Authority(private_folder, "other")
    cases = [
        (authority.sign("expired", days=0), authority, "has expired"),
        (authority.sign("elsewhere", alternative="DNS:elsewhere"), authority, "not for 127.0.0.1"),
        (authority.sign("server"), other, "not vouched for"),
        (authority.sign("server2"), None, "set ca_file"),
    ]
    for server, trusted, said in cases:
        with_tls(broker, authority, server)
        ca_file = str(trusted.certificate) if trusted else None
        mqtt = telling.begin(settings_for(broker, tls=True, ca_file=ca_file, username="u"), Owner(), password=RIGHT)
        assert said in reason_in(mqtt, "refused")
        mqtt.close(3.0)
        assert "as auricle-anna" not in broker.log


@both
def test_a_broker_at_an_address_of_ipv6_receives_what_is_owed(
    ipv6_broker: Mosquitto, telling: Telling, protocol: MqttProtocol
) -> None:
    owner = Owner()
    owner.owe(("a", 0))
    mqtt = telling.begin(MqttSettings(host="::1", port=ipv6_broker.port, protocol=protocol), owner)
    owner.until_paid(mqtt)
    assert mqtt.link.reason == f"connected to [::1]:{ipv6_broker.port}"


def test_a_certificate_for_an_address_of_ipv6_is_compared_with_it(
    ipv6_broker: Mosquitto, telling: Telling, authority: Authority
) -> None:
    with_tls(ipv6_broker, authority, authority.sign("server", alternative="IP:::1"))
    settings = MqttSettings(host="::1", port=ipv6_broker.port, tls=True, ca_file=str(authority.certificate))
    owner = Owner()
    owner.owe(("a", 0))
    mqtt = telling.begin(settings, owner)
    owner.until_paid(mqtt)
    mqtt.close(3.0)
    for alternative in ("IP:::2", "IP:127.0.0.1", "DNS:localhost"):
        with_tls(ipv6_broker, authority, authority.sign("elsewhere", alternative=alternative))
        refused = telling.begin(settings, Owner())
        reason = "the broker's certificate is not for ::1: name the host as its certificate does"
        assert reason_in(refused, "refused") == reason
        refused.close(3.0)


def test_a_port_of_ipv6_on_which_nothing_listens_is_one_sentence(ipv6_broker: Mosquitto, telling: Telling) -> None:
    ipv6_broker.kill()
    mqtt = telling.begin(MqttSettings(host="::1", port=ipv6_broker.port), Owner())
    assert reason_in(mqtt, "lost") == f"nothing listens at [::1]:{ipv6_broker.port}: is the broker running?"


def test_a_port_without_tls_and_one_with_it_are_told(broker: Mosquitto, telling: Telling, authority: Authority) -> None:
    plain = telling.begin(settings_for(broker, tls=True, ca_file=str(authority.certificate)), Owner())
    until(lambda: plain.link.state in {"lost", "refused"}, "the first try")
    assert "speak TLS" in plain.link.reason
    with_tls(broker, authority, authority.sign("server"))
    encrypted = telling.begin(settings_for(broker), Owner())
    assert "without TLS" in reason_in(encrypted, "lost")


def test_a_client_is_known_by_its_certificate(
    broker: Mosquitto, telling: Telling, authority: Authority, private_folder: Path
) -> None:
    rights = private_folder / "rights"
    rights.write_text("user anna\ntopic readwrite auricle/anna/#\n")
    rights.chmod(0o600)
    own = ("require_certificate true", "use_identity_as_username true", f"acl_file {rights}")
    with_tls(broker, authority, authority.sign("server"), *own)

    def settings(name: str | None, days: int = 2) -> MqttSettings:
        files = [str(path) for path in authority.sign(name, days=days)] if name else [None, None]
        known = {"tls": True, "ca_file": str(authority.certificate)}
        return settings_for(broker, cert_file=files[0], key_file=files[1], **known)

    owner, stranger = Owner(), Owner()
    owner.owe(("a", 0))
    owner.until_paid(telling.begin(settings("anna"), owner))
    stranger.owe(("a", 0))
    berta = telling.begin(settings("berta"), stranger, client_id="berta")
    fed(stranger, berta, lambda: berta.counts.denied, "the broker denying")
    without = telling.begin(settings(None), Owner(), client_id="without")
    assert "cert_file" in reason_in(without, "refused")
    expired = telling.begin(settings("carla", days=0), Owner(), client_id="carla")
    assert "expired" in reason_in(expired, "refused")
