"""Whether the broker accepts what the daemon publishes, and delivers the commands that the daemon subscribes to.

The check makes one short connection under a client id of its own, so that a running daemon keeps its session. It
publishes what a self-test publishes, and no alarm.
"""

from __future__ import annotations

import os
import secrets
import socket
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from device.config.settings import StatusSettings
from device.daytime import utc_text
from device.findings import Finding
from device.quantity import quantity
from device.runtime.certificates import expiry_of_broker
from device.runtime.self_test.outcome import alert_topic
from device.sinks.mqtt.connection import endpoint, hung_up, read_password, tls_context, trouble_of
from device.sinks.payloads import Message, Topics

if TYPE_CHECKING:
    from collections.abc import Mapping

    from device.config.settings import MqttSettings
    from device.runtime.daemon_state import DaemonState
    from device.sinks.mqtt.connection import Trouble
    from device.sinks.mqtt.link import BrokerCertificate
    from device.sinks.mqtt.session import Session

ANSWERS_WITHIN_S = 5.0
"""A broker that has accepted the login must answer within this time, or it is too slow for alarms."""

_DAYS = StatusSettings().certificate_days
_TURN_S = 0.25
_FAILURE = 0x80  # from here on, reason codes of MQTT 5 say so
_CONNECTED = {"connected", "denied"}
_REFUSED = "check username, password_file and certificates in [mqtt]; the broker's log may say more"
_LOST = "check host and port in [mqtt], and whether the broker runs; alarms are owed until it answers"
_RENEW = "renew the broker's certificate on its machine, and restart the broker"
_ALLOW = "allow {user} to read and write {base}/#; docs/mqtt.md has the lines for mosquitto"


@dataclass(slots=True)
class _Trial:
    """Result of one connection.

    Attributes:
        trouble: why the connection ended; None if it stayed open.
        denied: the broker's reason for rejecting the published message; empty if it accepted it.
        came_back: the published message was received again.
        is_subscription_denied: the broker rejected the subscription to commands.
        certificate: that the broker has shown; None without TLS.
    """

    trouble: Trouble | None = None
    denied: str = ""
    came_back: bool = False
    is_subscription_denied: bool = False
    certificate: BrokerCertificate | None = None


def check_broker(
    settings: MqttSettings,
    instance: str,
    state: DaemonState | None,
    environment: Mapping[str, str] = os.environ,
    *,
    certificate_days: int = _DAYS,
) -> Finding:
    """Whether the broker accepts what this instance publishes, and its subscription to commands.

    Args:
        settings: of the broker.
        instance: whose topics are used.
        state: of the running daemon; None if none runs.
        environment: names the folder of systemd's credentials, if there is one.
        certificate_days: before the broker's certificate expires, from when on that is a warning.

    Raises:
        ConfigError: a password, certificate or key is not valid.
        MissingExtraError: no MQTT library is installed.
    """
    if settings.host is None:
        return Finding("broker", "ok", 'none is configured: "host" in [mqtt] is "off"')
    password = read_password(settings, environment)
    if settings.username is not None and password is None and state is not None and state.broker is not None:
        return _reported_by_daemon(settings, state)
    trial = _try_connection(settings, instance, password)
    topics = Topics(settings.topic, instance)
    finding = _with_certificate(_judged(trial, settings, topics), trial.certificate, certificate_days)
    if finding.outcome == "failure" and settings.username is not None and password is None:
        cure = (
            "set password_file; a password that is a systemd credential is given to the daemon alone: start it and ask"
        )
        return Finding("broker", "failure", f"{finding.summary}; no password was found", cure)
    return finding if state is None or finding.outcome == "failure" else _with_daemon_state(finding, state)


def _try_connection(settings: MqttSettings, instance: str, password: str | None) -> _Trial:
    from device.sinks.mqtt.paho_client import Login
    from device.sinks.mqtt.session import Session  # paho takes a tenth of a second to import
    from device.sinks.mqtt.timeouts import SessionTimeouts

    client_id = f"auricle-{instance}-check"
    topic = alert_topic(Topics(settings.topic, instance))
    login = Login(client_id, settings.username, password, Message(topic, b""))
    tls, trial = tls_context(settings), _Trial()
    session = Session(settings, login, tls, SessionTimeouts(answer_s=ANSWERS_WITHIN_S), time.monotonic)
    try:
        session.open()
        trial.certificate = session.certificate
        _exchange(session, trial, Topics(settings.topic, instance))
    except OSError as error:
        trial.trouble = trouble_of(error, settings)
    else:
        if not session.is_open:
            no_reason = hung_up(settings, client_id=client_id, accepted=session.is_accepted)
            trial.trouble = session.trouble or no_reason
        session.disconnect()
    finally:
        session.close()
    return trial


def _exchange(session: Session, trial: _Trial, topics: Topics) -> None:
    """Log in, subscribe as the daemon does, publish as a self-test does, and wait until the message comes back."""
    probe = Message(alert_topic(topics), f'{{"test":true,"by":"auricle check","id":"{secrets.token_hex(8)}"}}'.encode())
    waker, waking = socket.socketpair()  # nothing wakes this session, but it needs a socket to be woken by
    with waker, waking:
        while session.is_open and not session.is_accepted:
            session.wait(waking, _TURN_S)
        if not session.is_open:
            return
        session.subscribe(list(topics.commands), None, probe.topic)
        session.publish(probe, topic=probe.topic, payload=probe.payload, qos=1, retain=False)
        until_s = time.monotonic() + ANSWERS_WITHIN_S
        while session.is_open and not (trial.came_back or trial.denied) and time.monotonic() < until_s:
            session.wait(waking, _TURN_S)
            trial.denied = next((name.lower() for _, code, name in session.pop_acknowledged() if code >= _FAILURE), "")
            trial.came_back = any(message.payload == probe.payload for message in session.pop_received())
    trial.is_subscription_denied = session.is_subscription_denied


def _judged(trial: _Trial, settings: MqttSettings, topics: Topics) -> Finding:
    where, user = endpoint(settings), settings.username or "this client"
    allow = _ALLOW.format(user=user, base=topics.base)
    if trial.trouble is not None:
        return Finding("broker", "failure", trial.trouble.reason, _REFUSED if trial.trouble.refused else _LOST)
    if trial.denied:
        summary = f"{where} does not take {alert_topic(topics)} ({trial.denied})"
        return Finding("broker", "failure", summary, allow)
    if not trial.came_back:
        return _not_received(settings, topics, f"{where} lets {user} in, but", allow)
    if trial.is_subscription_denied:
        summary = f"{where} does not let {user} listen to commands: nobody can acknowledge over MQTT"
        return Finding("broker", "warning", summary, allow)
    as_user = "" if settings.username is None else f" as {settings.username}"
    sealed = "with TLS" if settings.tls else "without TLS"
    summary = f"{where} lets us in{as_user}, {sealed}; what is written below {topics.base} is taken, and comes back"
    return Finding("broker", "ok", summary)


def _with_certificate(finding: Finding, shown: BrokerCertificate | None, days: int) -> Finding:
    """The finding, and until when the broker's certificate is valid; a warning if that is soon."""
    if shown is None or finding.outcome == "failure":
        return finding
    expiry, now_s = expiry_of_broker(shown.endpoint, shown.expires_utc_s, days=days), time.time()
    if not expiry.is_due(now_s):
        until = utc_text(shown.expires_utc_s)
        return replace(finding, summary=f"{finding.summary}; its certificate expires on {until}")
    cure = "; ".join(each for each in (_RENEW, finding.cure) if each)
    return Finding("broker", "warning", f"{finding.summary}; {expiry.sentence(now_s)}", cure)


def _not_received(settings: MqttSettings, topics: Topics, summary: str, allow: str) -> Finding:
    """Only MQTT 5 reports whether a message was accepted: with an older version, nothing may arrive."""
    written = f"what is written to {alert_topic(topics)} does not come back"
    if settings.protocol == "5":
        summary = f"{summary} {written}: commands and self-tests may not be heard"
        return Finding("broker", "warning", summary, allow)
    summary = f"{summary} {written}: it may not be taken, which MQTT {settings.protocol} cannot say"
    return Finding("broker", "failure", summary, f'{allow}; set protocol to "5" where the broker speaks it')


def _reported_by_daemon(settings: MqttSettings, state: DaemonState) -> Finding:
    """What the daemon reports, as it alone has the password: a systemd credential."""
    summary = f"the daemon that runs logs in as {settings.username} with a password of its own: {_reported(state)}"
    if state.broker in _CONNECTED:
        return Finding("broker", "ok" if state.broker == "connected" else "warning", summary, _status(state))
    return Finding("broker", "failure", summary, _status(state))


def _with_daemon_state(finding: Finding, state: DaemonState) -> Finding:
    """The finding, and what the running daemon reports of the same broker."""
    if state.broker is None:
        summary = f"{finding.summary}; the daemon that runs knows of no broker"
        return Finding("broker", "warning", summary, f"systemctl reload auricle@{state.instance}, or start it anew")
    if state.broker != "connected":
        summary = f"{finding.summary}; but the daemon that runs says: {_reported(state)}"
        return Finding("broker", "warning", summary, _status(state) or finding.cure)
    owed = f", {quantity(state.owed, 'change is', 'changes are')} owed" if state.owed else ""
    return Finding(
        "broker", finding.outcome, f"{finding.summary}; the daemon that runs is connected{owed}", finding.cure
    )


def _reported(state: DaemonState) -> str:
    return f"{state.broker}: {state.broker_reason}" if state.broker_reason else str(state.broker)


def _status(state: DaemonState) -> str:
    return "" if state.broker == "connected" else f"auricle status --instance {state.instance} tells why"
