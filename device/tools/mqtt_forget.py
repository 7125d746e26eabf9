"""`auricle mqtt forget`: clears what the broker keeps of an instance that runs no more, and its Home Assistant device.

A daemon withdraws what its own earlier names left. This is for the rest: an instance that was removed, a journal that
was lost, another broker.
"""

from __future__ import annotations

import os
import secrets
import socket
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from device.errors import BundleError, ConfigError, ServiceError
from device.printable import excerpt, printable
from device.quantity import quantity
from device.runtime.command_line import add_settings_options, chosen_settings
from device.runtime.paths import checked_instance, status_sockets
from device.runtime.sockets.status_socket import read_status
from device.sinks.homeassistant import announcement_topic
from device.sinks.mqtt.connection import read_password
from device.sinks.mqtt.ownership import MOST_CHARACTERS, Owner, Ownership, OwnTopics
from device.sinks.payloads import ONLINE, Topics
from device.strict_json import parse

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Mapping
    from typing import TextIO

    from device.config.settings import MqttSettings
    from device.sinks.mqtt.retained import RetainedMessages

ALIVE_WITHIN_S = 12.0
"""A daemon that is asked who publishes under its name answers within a second; one whose broker hangs, later."""

_FORGOTTEN, _KEPT = 0, 1
_MOST_CHARACTERS = 1000  # of a topic's begin


@dataclass(frozen=True, slots=True)
class ForgetOptions:
    """What to forget.

    Attributes:
        instance: name of the daemon that runs no more.
        topic: what its topics began with; None for that of the settings.
        is_confirmed: do not ask.
    """

    instance: str
    topic: str | None = None
    is_confirmed: bool = False


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `auricle mqtt`."""
    verbs = parser.add_subparsers(dest="mqtt_verb", required=True, metavar="VERB")
    forget = verbs.add_parser("forget", help="clear what the broker keeps of an instance that runs no more")
    forget.add_argument("instance", metavar="NAME", help="name of the instance")
    add_settings_options(forget)
    forget.add_argument("--topic", metavar="TOPIC", help="what its topics began with (default: as configured)")
    forget.add_argument("--yes", action="store_true", help="do not ask")


def run(arguments: argparse.Namespace) -> int:
    """Run `auricle mqtt forget`; returns its exit code. Raises what `forget` raises."""
    options = ForgetOptions(arguments.instance, arguments.topic, arguments.yes)
    return forget(options, chosen_settings(arguments).mqtt, out=sys.stdout, ask=_ask)


def forget(
    options: ForgetOptions,
    settings: MqttSettings,
    *,
    out: TextIO,
    ask: Callable[[str], bool],
    environment: Mapping[str, str] = os.environ,
    alive_within_s: float = ALIVE_WITHIN_S,
) -> int:
    """List what the broker keeps of the instance, and clear it if that is wanted; 0 if nothing is left, else 1.

    Args:
        options: what to forget.
        settings: of the broker.
        out: where it is listed.
        ask: asks a question that is answered by yes or no.
        environment: names the folders of sockets and credentials.
        alive_within_s: how long to listen for a daemon that is said to be online.

    Raises:
        ConfigError: no broker is configured, or the name or topic is not valid.
        ServiceError: the daemon runs, or the broker does not let us.
        MissingExtraError: no MQTT library is installed.
    """
    topic = settings.topic if options.topic is None else options.topic
    topics = Topics(_checked_topic(topic), checked_instance(options.instance))
    if settings.host is None:
        raise ConfigError('no broker is configured: "host" in [mqtt] is "off"; name the configuration with --config')
    _refuse_if_runs_here(topics.instance, environment)
    from device.sinks.mqtt.retained import RetainedMessages  # paho takes a tenth of a second to import

    with RetainedMessages(settings, read_password(settings, environment)) as broker:
        kept = _kept_of(broker, topics, settings.discovery_topic)
        if kept.get(topics.available) == ONLINE:
            _refuse_if_alive(broker, topics, alive_within_s)
        if not kept:
            print(f"{settings.host} keeps nothing of {topics.base}", file=out)
            return _FORGOTTEN
        for topic in kept:
            print(printable(topic), file=out)
        listed = quantity(len(kept), "retained message")
        if not (options.is_confirmed or ask(f"Make {settings.host} forget {listed} of {topics.base}?")):
            print("nothing was changed", file=out)
            return _KEPT
        broker.clear(kept)
        _refuse_if_left(_kept_of(broker, topics, settings.discovery_topic), settings)
    print(f"{listed} forgotten", file=out)
    return _FORGOTTEN


def _kept_of(broker: RetainedMessages, topics: Topics, discovery_topic: str) -> dict[str, bytes]:
    announced = [announcement_topic(discovery_topic, "+", instance) for instance in (None, topics.instance)]
    kept = broker.read([f"{topics.base}/#", *announced])
    own = {topic: payload for topic, payload in kept.items() if topic.startswith(f"{topics.base}/")}
    devices = {topic: payload for topic, payload in kept.items() if topic not in own and announces(payload, topics)}
    return {**devices, **own}


def announces(payload: bytes, topics: Topics) -> bool:
    """Whether a payload announces the device of this instance to Home Assistant."""
    try:
        members = parse(payload, "an announcement")
    except BundleError:  # of whoever may publish there
        return False
    if not isinstance(members, dict) or not isinstance(members.get("origin"), dict):
        return False
    is_ours = members["origin"].get("name") == "Auricle"
    return is_ours and any(text.startswith(f"{topics.base}/") for text in _topics_in(members.get("components")))


def _topics_in(components: Any) -> list[str]:
    listed = list(components.values()) if isinstance(components, dict) else []
    values = [component.get(key) for component in listed if isinstance(component, dict) for key in _TOPIC_KEYS]
    return [value for value in values if isinstance(value, str)]


_TOPIC_KEYS = ("stat_t", "cmd_t", "state_topic", "command_topic")
"""Earlier versions announced entities with long names."""


def _checked_topic(topic: str) -> str:
    is_printable = topic.isprintable() and len(topic) <= _MOST_CHARACTERS
    if not topic or not is_printable or topic.startswith("$") or set(topic) & set("+#") or topic.strip("/") != topic:
        shown = excerpt(topic, 60)
        raise ConfigError(f"'{shown}' is no topic, it must be parts divided by /, without + and #, and begin with no $")
    return topic


def _refuse_if_runs_here(instance: str, environment: Mapping[str, str]) -> None:
    path = status_sockets(environment).get(instance)
    if path is None:
        return
    try:
        read_status(path)
    except ServiceError:
        return  # left behind by a crash
    raise ServiceError(f"the daemon {instance} runs here and would publish everything again: stop it first")


def _refuse_if_alive(broker: RetainedMessages, topics: Topics, within_s: float) -> None:
    """The broker may say online for one that is long gone: if it lost its last will, by a crash of its own.

    A daemon in a quiet room publishes nothing for a minute, and so it is asked.
    """
    asking = Owner("auricle-forget", secrets.token_hex(4), socket.gethostname()[:MOST_CHARACTERS])
    question = Ownership(asking, OwnTopics(topics.owner, topics.available)).question
    broker.listen(topics.base, within_s, question, besides=f"{topics.base}/command/")
    if broker.live:
        raise ServiceError(f"a daemon runs that publishes {printable(broker.live[0])}: stop it first, wherever it is")


def _refuse_if_left(left: Mapping[str, bytes], settings: MqttSettings) -> None:
    if left:
        user = settings.username or "this client"
        first = printable(next(iter(left)))
        raise ServiceError(f"{settings.host} still keeps {first}: {user} must be allowed to write there")


def _ask(question: str) -> bool:
    if not sys.stdin.isatty():
        raise ConfigError("nobody can be asked here: say --yes to forget all that is listed")
    return input(f"{question} [y/N] ").strip().lower() in {"y", "yes"}
