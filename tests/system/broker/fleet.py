"""A fleet as docs/fleet.md sets it up: its commands make the certificates, its files configure broker and beds."""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Self

from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.subscribeoptions import SubscribeOptions

from tests.programs import program
from tests.system.conftest import Mosquitto, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from paho.mqtt.properties import Properties
    from paho.mqtt.reasoncodes import ReasonCode

DOCS = Path(__file__).parents[3] / "docs"
NAMES = ("anna", "ben", "carla", "north-reader", "north-operator", "south-reader", "homeassistant")
WITHIN_S = 20.0
_HOST = "localhost"


class Fleet:
    """An authority with certificates for all names of the page, and the broker that believes it.

    Args:
        folder: of the authority; the broker's files lie there, too.

    Attributes:
        broker: not started yet.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        page = (DOCS / "fleet.md").read_text(encoding="utf-8")
        authority, broker, self._member, self._revoke = re.findall(r"(?ms)^ *```sh\n(.*?)^ *```$", page)
        (self._bed,) = re.findall(r"(?ms)^ *```toml\n(.*?)^ *```$", page)
        for file in (DOCS / "fleet").iterdir():
            text = file.read_text(encoding="utf-8")
            (folder / file.name).write_text(_substituted(text, "/etc/mosquitto/fleet", folder), encoding="utf-8")
        (folder / "acl").chmod(0o600)
        self._shell(authority, broker)
        for name in NAMES:
            self.sign(name)
        conf = (folder / "mosquitto.conf").read_text(encoding="utf-8").splitlines()
        self.broker = Mosquitto(folder, *(line for line in conf if line != "listener 8883"))

    def sign(self, name: str, *, days: int = 365) -> None:
        """Make a key and a certificate."""
        self._shell(self._member.replace("name=anna", f"name={name}").replace(" -in ", f" -days {days} -in "))

    def revoke(self, name: str) -> None:
        """Put a certificate on the list of those that were revoked."""
        self._shell(self._revoke, name=name)

    def file(self, name: str) -> str:
        """Path of a file of the authority."""
        return str(self._folder / name)

    def bed(self, name: str) -> str:
        """The page's configuration of a bed."""
        text = _substituted(self._bed, "/etc/auricle", self._folder).replace("anna", name)
        return re.sub(r"(?m)^ +", "", text) + f"port = {self.broker.port}\n"

    def _shell(self, *commands: str, **variables: str) -> None:
        path = f"{Path(program('openssl')).parent}:{os.environ['PATH']}"
        subprocess.run(
            [program("sh"), "-eu", "-c", "".join(commands).replace("broker.local", _HOST)],
            cwd=self._folder,
            env={**os.environ, "PATH": path, **variables},
            check=True,
            capture_output=True,
        )


@contextmanager
def running_fleet() -> Iterator[Fleet]:
    """A fleet in a folder of its own, whose broker runs until the end of the block."""
    with tempfile.TemporaryDirectory(prefix="auricle-") as folder:
        made = Fleet(Path(folder))
        try:
            made.broker.start()
            yield made
        finally:
            made.broker.kill()


def _substituted(text: str, path: str, folder: Path) -> str:
    return text.replace(path, str(folder)).replace("broker.local", _HOST)


class Member:
    """A client with a certificate of the fleet; remembers what it receives.

    Args:
        fleet: whose authority signed its certificate.
        name: in the certificate.
        topics: subscribed to at once.
        user: that it claims to be.
        will: (topic, payload) for the broker to publish when it dies.

    Attributes:
        heard: (topic, payload) of each message.
        connected: whether the broker has let it in.
    """

    def __init__(
        self,
        fleet: Fleet,
        name: str,
        topics: Sequence[str] = (),
        *,
        user: str | None = None,
        will: tuple[str, bytes] | None = None,
    ) -> None:
        self.heard: list[tuple[str, bytes]] = []
        self.connected = threading.Event()
        self._subscribed = threading.Event()
        self._reasons: dict[int, str] = {}
        self._topics = topics
        self._client = client = paho.Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
        client.tls_set(fleet.file("ca.crt"), fleet.file(f"{name}.crt"), fleet.file(f"{name}.key"))
        if user is not None:
            client.username_pw_set(user, "x")
        if will is not None:
            client.will_set(*will, qos=1, retain=True)
        client.on_connect = self._on_connect
        client.on_subscribe = lambda *_: self._subscribed.set()
        client.on_publish = self._on_publish
        client.on_message = lambda _c, _d, message: self.heard.append((message.topic, bytes(message.payload)))
        client.connect(_HOST, fleet.broker.port)
        client.loop_start()

    def __enter__(self) -> Self:
        assert self.connected.wait(WITHIN_S)
        assert not self._topics or self._subscribed.wait(WITHIN_S)
        return self

    def __exit__(self, *_error: object) -> None:
        self._client.disconnect()
        self.die()

    def die(self) -> None:
        """End the connection without a word, upon which the broker publishes the last will."""
        self._client.loop_stop()
        sock = self._client.socket()
        if sock is not None:
            sock.close()

    def publish(self, topic: str, payload: bytes = b"{}", *, retain: bool = False) -> str:
        """Publish, and return the broker's answer."""
        mid = self._client.publish(topic, payload, qos=1, retain=retain).mid
        wait_until(lambda: mid in self._reasons, f"the broker's answer about {topic}")
        return self._reasons[mid]

    def payloads(self, topic: str) -> list[bytes]:
        """What was received on a topic."""
        return [payload for name, payload in list(self.heard) if name == topic]

    def _on_connect(
        self, client: paho.Client, _data: object, _flags: object, code: ReasonCode, _properties: Properties | None
    ) -> None:
        if not code.is_failure:
            self.connected.set()
        if self._topics:
            client.subscribe([(topic, SubscribeOptions(qos=1)) for topic in self._topics])

    def _on_publish(
        self, _client: paho.Client, _data: object, mid: int, code: ReasonCode, _properties: Properties | None
    ) -> None:
        self._reasons[mid] = str(code)
