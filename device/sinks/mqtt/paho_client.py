"""paho-mqtt's client over a `BrokerSocket`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from device.errors import MissingExtraError

try:
    from paho.mqtt import client as paho
    from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
except ImportError as missing:
    raise MissingExtraError("a broker needs paho-mqtt, which is not installed; install auricle[device]") from missing

if TYPE_CHECKING:
    from collections.abc import Callable

    from device.sinks.mqtt.broker_socket import BrokerSocket
    from device.sinks.payloads import Message


@dataclass(frozen=True, slots=True)
class Login:
    """Who logs in; its repr hides the password. Without a will the broker says nothing when we are gone."""

    client_id: str
    username: str | None
    password: str | None
    will: Message | None

    def __repr__(self) -> str:
        return f"Login({self.client_id!r}, {self.username!r})"


class PahoClient(paho.Client):
    """paho's client over a `BrokerSocket`.

    paho itself leaves a socket open whose TLS handshake fails, reads packets of any size, and does not say why a
    connection was lost. It also leaves a cycle of references behind with the parts of each message's topic, which live
    until the garbage collector runs: 230 topics of 60 KB are 14 MB.
    """

    def __init__(
        self,
        login: Login,
        protocol: MQTTProtocolVersion,
        open_socket: Callable[[], BrokerSocket],
        receive: Callable[[paho.MQTTMessage], None],
    ) -> None:
        super().__init__(
            CallbackAPIVersion.VERSION2,
            login.client_id,
            clean_session=None if protocol == MQTTProtocolVersion.MQTTv5 else True,
            protocol=protocol,
            reconnect_on_failure=False,
            manual_ack=True,  # so that what is dropped unread can be acknowledged too
        )
        self._open_socket = open_socket
        self._on_received = receive

    def _create_socket(self) -> BrokerSocket:
        return self._open_socket()

    def _handle_on_message(self, message: paho.MQTTMessage) -> None:
        """Called for each message; paho's own one compares its topic with filters, of which there are none here."""
        self._on_received(message)
        self.ack(message.mid, message.qos)
