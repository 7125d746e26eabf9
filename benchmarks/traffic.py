"""What a daemon publishes over MQTT in a quiet hour, by topic: messages and bytes.

    python -m benchmarks.traffic [--minutes 60] [--recording FILE]

A real daemon of the profile nursery, with Home Assistant's discovery on, hears a room at real pace and publishes to a
real mosquitto, whose log says what arrived. What a start publishes once is listed apart. Bytes are those of the MQTT
packets, without TCP/IP and TLS.
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tests.system.conftest import Mosquitto
from tests.system.running_daemon import AURICLE, RunningDaemon, Sounds

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

SETTLING_S = 90.0
"""From the start until nothing of it is published any more."""

NAME = "anna"

_PUBLISHED = re.compile(
    r"^(\d+): Received PUBLISH from auricle-\S+ \(d\d, q(\d), r\d, m\d+, '([^']*)', \.\.\. \((\d+) bytes\)\)$",
    re.MULTILINE,
)
_PINGED = re.compile(r"^(\d+): Received PINGREQ from auricle-", re.MULTILINE)
_PING_BYTES = 4  # a request and its answer
_ANSWER_BYTES = 4  # PUBACK, without a reason


class Sent(NamedTuple):
    """A message that the broker received.

    Attributes:
        at_s: in whole seconds since 1970.
        topic: in full.
        bytes: of its packet and of the answer to it.
    """

    at_s: int
    topic: str
    bytes: int


class Hour(NamedTuple):
    """What one topic takes in an hour."""

    messages: float
    bytes: float


def main() -> int:
    """Run the daemon and print the tables."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.traffic", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=60.0, help="that are counted (default: 60)")
    parser.add_argument("--recording", type=Path, help="of the room; over and over (default: the demo's quiet room)")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="auricle-") as folder:
        log, since_s, until_s = _listen(Path(folder), given.recording, 60 * given.minutes)
    sent = list(published(log))
    hours = (until_s - since_s) / 3600
    print(_table("published once, by the start", by_topic([one for one in sent if one.at_s < since_s], 1.0)))
    quiet = by_topic([one for one in sent if since_s <= one.at_s < until_s], hours)
    print(_table("published in an hour", quiet))
    pings = sum(since_s <= int(at_s) < until_s for at_s in _PINGED.findall(log)) / hours
    print(f"\npings: {pings:.0f} an hour, {pings * _PING_BYTES:.0f} bytes; subscribers do not see them")
    return 0


def published(log: str) -> Iterable[Sent]:
    """What the daemon published, by the log of mosquitto."""
    for at_s, qos, topic, length in _PUBLISHED.findall(log):
        yield Sent(int(at_s), topic, packet_bytes(topic, int(length), int(qos)) + _ANSWER_BYTES * int(qos))


def packet_bytes(topic: str, payload_bytes: int, qos: int) -> int:
    """Length of a PUBLISH packet of MQTT 5 without properties, section 3.3 of its specification."""
    rest = 2 + len(topic.encode()) + 2 * bool(qos) + 1 + payload_bytes
    length_bytes = 1 + sum(rest >= limit for limit in (128, 16_384, 2_097_152))
    return 1 + length_bytes + rest


def by_topic(sent: Iterable[Sent], hours: float) -> dict[str, Hour]:
    """Topic -> what it takes in an hour."""
    found: dict[str, list[int]] = defaultdict(list)
    for one in sent:
        found[one.topic].append(one.bytes)
    return {topic: Hour(len(each) / hours, sum(each) / hours) for topic, each in sorted(found.items())}


def _listen(folder: Path, recording: Path | None, seconds: float) -> tuple[str, int, int]:
    """Run a daemon: (log of its broker, from when, until when it counts)."""
    broker = Mosquitto(folder)
    sounds = Sounds(folder)
    room = recording or sounds.write("room.wav", [sounds.room(600.0)])
    text = f'profile = "nursery"\n[mqtt]\nhost = "127.0.0.1"\nport = {broker.port}\n'
    command = [str(AURICLE), "listen", "--source", str(room), "--loop"]
    broker.start()
    try:
        with RunningDaemon(folder, {}, text, name=NAME, command=command) as daemon:
            daemon.wait_until_it_hears()
            time.sleep(SETTLING_S)
            since_s = int(time.time())
            time.sleep(seconds)
            return broker.log, since_s, int(time.time())
    finally:
        broker.kill()


def _table(title: str, topics: Mapping[str, Hour]) -> str:
    whole = Hour(sum(each.messages for each in topics.values()), sum(each.bytes for each in topics.values()))
    rows = [f"| {topic} | {each.messages:.0f} | {each.bytes:.0f} |" for topic, each in {**topics, "all": whole}.items()]
    return "\n".join([f"\n| {title} | messages | bytes |", "| --- | --- | --- |", *rows])


if __name__ == "__main__":
    sys.exit(main())
