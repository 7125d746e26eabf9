"""The process that serves the page of a ward: puts its parts together, and serves until it is stopped."""

from __future__ import annotations

import dataclasses
import os
from typing import TYPE_CHECKING

from device.errors import ConfigError
from device.printable import printable
from device.runtime.certificates import certificate_expiries
from device.runtime.clocks import zone_of
from device.runtime.device_identity import machine_digest
from device.runtime.paths import ward_folder
from device.runtime.systemd_notify import Notifier
from device.sinks.mqtt.connection import read_password
from device.ward.ward_state import Ward
from device.web.page_process import open_gate, report
from device.web.ward.ward_board import WardBoard

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import tzinfo

    from device.config.settings import Settings
    from device.config.web_settings import WebSettings
    from device.sinks.mqtt.session_reader import Reader
    from device.web.requests.gatekeeper import Gatekeeper
    from device.web.ward.ward_routes import WardService


def serve_ward(
    settings: Settings,
    name: str,
    *,
    listen: str,
    config: str,
    only: Sequence[str] = (),
    silent_after_s: float,
    environment: Mapping[str, str] = os.environ,
) -> int:
    """Serve the page of a ward until this process is asked to end; returns exit code 0, or 1 if it cannot go on.

    Args:
        settings: with a broker.
        name: of the ward.
        listen: address and port.
        config: the file of the settings.
        only: beds to follow; empty for all that the user may read.
        silent_after_s: a bed without a message for this long is silent.
        environment: names the folders.

    Raises:
        ConfigError: the configuration, the accounts or a certificate are not valid.
        ServiceError: the address cannot be used.
        MissingExtraError: the extra `web` is not installed.
    """
    if settings.mqtt.host is None:
        raise ConfigError('no broker is named: set host = "broker.local" in [mqtt]', key=("mqtt", "host"))
    web = dataclasses.replace(settings.web, listen=listen)
    command = f"auricle web --ward {printable(config)} password NAME"
    gate = open_gate(web, name, ward_folder(name, environment), environment, command=command)
    ward = Ward(settings.mqtt.topic, silent_after_s=silent_after_s, expected=only)
    service = _service(settings, gate, ward, _reader(settings, ward, name))
    return _serve_until_stopped(service, web, name, zone_of(settings.alarms.time_zone), config)


def _serve_until_stopped(service: WardService, web: WebSettings, name: str, zone: tzinfo | None, config: str) -> int:
    from device.web.requests.serving import bound, server_of
    from device.web.ward.ward_application import ward_application

    notifier = Notifier.from_environment(os.environ)
    listening = bound(str(web.listen))
    failures: list[str] = []

    def end() -> None:
        failures.append("what reads the broker has failed, so the page ends")
        server.should_exit = True

    app = ward_application(
        service,
        web,
        name=name,
        zone=zone,
        options=f" --config {config}",
        on_moment=lambda _moment: notifier.watchdog(),
        on_failure=end,
    )
    server = server_of(app, web)
    scheme = "https" if web.cert_file else "http"
    greeting = f"the page of the ward {name} is at {scheme}://{web.listen}{web.base_path}"
    report(greeting)
    notifier.ready(greeting)
    server.run(sockets=[listening])
    notifier.stopping()
    for sentence in failures:
        report(sentence)
    return 1 if failures else 0


def _reader(settings: Settings, ward: Ward, name: str) -> Reader:
    """One with a session of its own; `auricle ward` on this machine has another, whatever their names."""
    from device.sinks.mqtt.session_reader import Reader  # paho takes a tenth of a second to import

    return Reader(
        settings.mqtt,
        read_password(settings.mqtt),
        client_id=f"auricle-{name}-{machine_digest(f'page of the ward {name}')}",
        subscriptions=ward.subscriptions(),
        keeps_session=True,
    )


def _service(settings: Settings, gate: Gatekeeper, ward: Ward, reader: Reader) -> WardService:
    from device.web.ward.ward_link import WardLink
    from device.web.ward.ward_routes import WardService

    return WardService(
        link=WardLink(reader, ward, settings.mqtt.topic),
        board=WardBoard(zone_of(settings.alarms.time_zone), _own_certificates(settings)),
        gate=gate,
        report=report,
    )


def _own_certificates(settings: Settings) -> Callable[[float], list[str]]:
    """What is to be said of the certificates that the file names: 30 days before one expires, it should be renewed."""
    expiries = certificate_expiries(settings)

    return lambda utc_s: [expiry.sentence(utc_s) for expiry in expiries if expiry.is_due(utc_s)]
