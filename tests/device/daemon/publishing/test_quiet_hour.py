"""A quiet hour is few messages, though level, scores and coverage waver as they do in a real room."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.traffic import by_topic, packet_bytes, published
from device.config.settings import MqttSettings
from device.daemon.publishing.announcer import Announcer
from device.daemon.publishing.state_publisher import StatePublisher
from device.messages import Heard, Scores
from device.sinks.payloads import Message, Topics

if TYPE_CHECKING:
    from device.runtime.daemon_state import DaemonState

MOST_IN_AN_HOUR = 60
TOPICS = Topics("auricle", "anna")
LABELS = (("cry", "cry"), ("scream", "scream"))
TURN_S = 1.0


def test_a_quiet_hour_of_the_nursery_is_fewer_than_sixty_messages(state: DaemonState) -> None:
    sent: list[Message] = []
    mqtt, rng = MqttSettings(host="h"), np.random.default_rng(3)
    announcer = Announcer(
        TOPICS,
        mqtt,
        labels=LABELS,
        fresh_id="auricle_anna_1",
        machine_id="auricle_anna_0",
        version="0.1.0",
        publish=sent.append,
        save_note=lambda _note: None,
    )
    publisher = StatePublisher(TOPICS, mqtt, holds=dict.fromkeys(LABELS, 2.0), publish=sent.append, announcer=announcer)
    publisher.start()
    publisher.restore_announced(None)
    quiet = replace(state, alarms=(), broker="connected")
    for turn in range(int(3660 / TURN_S)):
        if turn * TURN_S == 60.0:
            sent.clear()  # what the start publishes once
        publisher.publish_heard(Heard(scores=[Scores(m, {n: 0.05 * rng.random()}, 0.0, 2.0) for m, n in LABELS]))
        now = replace(quiet, level_dbfs=-55 + rng.uniform(-1.4, 1.4), listened=1 - 0.004 * rng.random())
        publisher.publish_state(now, turn * TURN_S)
    assert len(sent) < MOST_IN_AN_HOUR, Counter(message.topic for message in sent)
    assert {message.topic for message in sent} >= {TOPICS.level, TOPICS.score("cry", "cry")}


LOG = """\
1795227247: New connection from 127.0.0.1:4711 on port 1883.
1795227248: Received PUBLISH from auricle-anna-01234567 (d0, q1, r1, m1, 'auricle/anna/available', ... (6 bytes))
1795227249: Sending PUBLISH to ha (d0, q1, r0, m1, 'auricle/anna/available', ... (6 bytes))
1795227250: Received PUBLISH from auricle-anna-01234567 (d0, q0, r0, m0, 'auricle/anna/level', ... (36 bytes))
1795227251: Received PUBLISH from auricle-anna-01234567 (d0, q0, r0, m0, 'auricle/anna/level', ... (38 bytes))
1795227252: Received PUBLISH from ha (d0, q0, r0, m0, 'auricle/anna/command/pause', ... (2 bytes))
"""


def test_the_log_of_mosquitto_is_counted_by_topic_and_what_others_publish_is_not() -> None:
    found = by_topic(published(LOG), hours=0.5)
    assert {topic: each.messages for topic, each in found.items()} == {
        "auricle/anna/available": 2,
        "auricle/anna/level": 4,
    }
    assert found["auricle/anna/available"].bytes == 2 * (packet_bytes("auricle/anna/available", 6, 1) + 4)


def test_a_packet_is_as_long_as_the_specification_says() -> None:
    whole = b"\x30\x0a\x00\x03abc\x00" + b"1234"  # type, length of the rest, topic, no properties, payload
    assert packet_bytes("abc", 4, qos=0) == len(whole)
    assert packet_bytes("abc", 4, qos=1) == len(whole) + 2
    assert packet_bytes("abc", 121, qos=0) == 2 + 127
    assert packet_bytes("abc", 122, qos=0) == 3 + 128, "the length takes a second byte"
