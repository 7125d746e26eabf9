"""A device keeps its identity under other names and topics, and what the earlier ones left is withdrawn."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from device.config.settings import MqttSettings
from device.daemon.publishing.announcer import JOURNAL_WITHIN_S, WITHDRAWN_AFTER_S, Announcer
from device.sinks.payloads import Topics

if TYPE_CHECKING:
    from device.sinks.payloads import Message

_LEGACY_NOTE = json.dumps({"sound.cry.cry": "binary_sensor", "level": "sensor"})


class Life:
    """One start of a daemon, with what the broker keeps after it."""

    def __init__(
        self,
        kept: dict[str, bytes] | None = None,
        *,
        topics: Topics | None = None,
        labels: tuple[tuple[str, str], ...] = (("cry", "cry"),),
        page_url: str | None = None,
        **settings: Any,
    ) -> None:
        self.kept = {} if kept is None else kept
        self.topics = topics or Topics("auricle", "anna")
        self.notes: list[str] = []
        self.published: list[Message] = []
        self.announcer = Announcer(
            self.topics,
            MqttSettings(host="h", **settings),
            labels=labels,
            fresh_id="auricle_anna_fresh",
            machine_id="auricle_anna_machine",
            version="0.1.0",
            page_url=page_url,
            publish=self.publish,
            save_note=self.notes.append,
        )

    def publish(self, message: Message) -> None:
        self.published.append(message)
        self.kept[message.topic] = message.payload
        if not message.payload:
            del self.kept[message.topic]

    def run(self, note: str | None, *, publishes_all: bool = True) -> str:
        """From its start to the time when all that is stale was withdrawn; returns the note that it leaves."""
        self.announcer.restore(note)
        if publishes_all:
            self.kept |= dict.fromkeys(self.topics.retained((("cry", "cry"),)), b"x")
        for now_s in (0.0, 1.0, WITHDRAWN_AFTER_S + 1.0):
            self.announcer.step(now_s, is_connected=True)
        assert self.announcer.note is not None
        return self.announcer.note

    @property
    def device(self) -> dict[str, Any]:
        announcement = self.announcer.announcement
        assert announcement is not None
        device: dict[str, Any] = json.loads(announcement.payload)
        return device


def _discovery(kept: dict[str, bytes]) -> list[str]:
    return [topic for topic in kept if topic.endswith("/config")]


def test_the_journal_gives_the_device_its_identity_for_ever() -> None:
    first = Life()
    note = first.run(None)
    assert first.device["device"]["identifiers"] == ["auricle_anna_fresh"]
    renamed = Life(first.kept, topics=Topics("home/auricle", "ben"))
    renamed.run(note)
    assert renamed.device["device"]["identifiers"] == ["auricle_anna_fresh"]
    assert renamed.device["device"]["name"] == "Auricle ben"
    ids = [{part["uniq_id"] for part in life.device["components"].values()} for life in (first, renamed)]
    assert ids[0] == ids[1], "Home Assistant takes them for the same entities"


@pytest.mark.parametrize("topics", [Topics("auricle", "ben"), Topics("home/auricle", "anna")])
def test_what_an_earlier_name_or_topic_left_is_withdrawn_once(topics: Topics) -> None:
    first = Life()
    note = first.run(None)
    renamed = Life(first.kept, topics=topics)
    note = renamed.run(note)
    assert all(topic.startswith(f"{topics.base}/") for topic in renamed.kept if topic not in _discovery(renamed.kept))
    assert len(_discovery(renamed.kept)) == 1
    renamed.kept["auricle/anna/available"] = b"online"  # of another device, which took the name over since
    Life(renamed.kept, topics=topics).run(note)
    assert renamed.kept["auricle/anna/available"] == b"online"


def test_nothing_is_forgotten_before_the_broker_must_have_it() -> None:
    note = Life().run(None)
    life = Life(topics=Topics("auricle", "ben"))
    life.announcer.restore(note)
    for now_s in (0.0, 100.0):
        life.announcer.step(now_s, is_connected=False)
    life.announcer.step(101.0, is_connected=True)
    life.announcer.step(102.0, is_connected=False)
    assert "auricle/anna/state" in json.loads(life.notes[-1])["topics"]
    life.announcer.step(103.0, is_connected=True)
    life.announcer.step(103.0 + WITHDRAWN_AFTER_S, is_connected=True)
    assert "auricle/anna/state" not in json.loads(life.notes[-1])["topics"]


def test_a_label_or_a_discovery_topic_that_is_gone_leaves_nothing() -> None:
    first = Life(labels=(("cry", "cry"), ("lung", "wheeze")))
    first.kept["auricle/anna/sound/lung/wheeze"] = b"ON"
    note = first.run(None)
    later = Life(first.kept, discovery_topic="ha")
    later.run(note)
    assert "auricle/anna/sound/lung/wheeze" not in later.kept
    assert _discovery(later.kept) == ["ha/device/auricle_anna_fresh/config"]
    assert later.device["components"]["sound.lung.wheeze"] == {"p": "binary_sensor"}


def test_a_device_moved_below_its_instance_is_announced_again_once_its_earlier_topic_is_withdrawn() -> None:
    """Home Assistant ignores entities that another topic announces, too."""
    first = Life()
    note = first.run(None)
    later = Life(first.kept, discovery_by_instance=True)
    later.run(note)
    topic = "homeassistant/device/anna/auricle_anna_fresh/config"
    assert _discovery(later.kept) == [topic]
    assert [message.topic for message in later.published].count(topic) == 2
    assert later.published[-1].topic == topic
    assert json.loads(later.notes[-1])["topics"].count(topic) == 1


def test_whoever_wants_no_home_assistant_any_more_leaves_nothing_there() -> None:
    for note in (Life().run(None), _LEGACY_NOTE):
        life = Life({"homeassistant/device/auricle_anna/config": b"x"} if note == _LEGACY_NOTE else None)
        life.kept |= {} if note == _LEGACY_NOTE else {"homeassistant/device/auricle_anna_fresh/config": b"x"}
        after = Life(life.kept, home_assistant=False)
        note_after = after.run(note)
        assert _discovery(after.kept) == []
        assert json.loads(note_after)["components"] == {}
        assert after.announcer.announcement is None


def test_a_device_of_an_earlier_version_stays_the_same_device() -> None:
    life = Life(topics=Topics("home/auricle", "anna"))
    life.run(_LEGACY_NOTE)
    assert life.device["device"]["identifiers"] == ["home_auricle_anna"]
    assert life.device["components"]["level"] != {"p": "sensor"}


def test_without_a_journal_that_can_be_read_the_machine_is_the_identity_until_it_can() -> None:
    note = Life().run(None)
    life = Life()
    for now_s in (0.0, JOURNAL_WITHIN_S - 0.1):
        assert not life.announcer.step(now_s, is_connected=True)
    assert life.announcer.announcement is None
    assert life.announcer.step(JOURNAL_WITHIN_S, is_connected=True)
    assert life.device["device"]["identifiers"] == ["auricle_anna_machine"]
    life.run(note)
    assert _discovery(life.kept) == ["homeassistant/device/auricle_anna_fresh/config"]


@pytest.mark.parametrize("note", ["", "{", "[]", "3", '{"components":{},"device_id":3,"topics":[]}'])
def test_a_note_that_is_none_hinders_nothing(note: str) -> None:
    life = Life()
    life.announcer.restore(note)
    assert life.device["device"]["identifiers"] == ["auricle_anna_fresh"]


def test_nothing_is_written_to_the_journal_that_it_holds_already() -> None:
    note = Life().run(None)
    life = Life()
    life.run(note)
    assert life.notes == []


def test_home_assistant_is_given_the_address_of_the_page_if_there_is_one() -> None:
    with_page = Life(page_url="https://anna.local:8127/")
    with_page.run(None)
    assert with_page.device["device"]["configuration_url"] == "https://anna.local:8127/"
    without = Life()
    without.run(None)
    assert "configuration_url" not in without.device["device"]
