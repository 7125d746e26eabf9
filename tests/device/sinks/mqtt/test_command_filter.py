"""What counts as a command: valid, not retained, and no more frequent than people press buttons."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.commands import Acknowledge, Pause
from device.sinks.mqtt.command_filter import CommandFilter
from device.sinks.mqtt.link import Received
from device.sinks.payloads import Topics

_TOPICS = Topics("auricle", "anna")
_BIRTH = "homeassistant/status"


class Clock:
    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def _filter(clock: Clock | None = None) -> CommandFilter:
    return CommandFilter(_TOPICS.commands, _BIRTH, clock or Clock())


def _command(payload: bytes, verb: str = "pause", *, retain: bool = False) -> Received:
    return Received(f"auricle/anna/command/{verb}", payload, retain)


def test_a_command_is_what_its_topic_says() -> None:
    command_filter = _filter()
    assert command_filter.command(_command(b'{"duration_s": 60}')) == Pause(60.0, "mqtt")
    assert command_filter.command(_command(b"", "acknowledge")) == Acknowledge(None, "mqtt")
    assert command_filter.rejected == 0


@given(
    topic=st.sampled_from([*_TOPICS.commands, "auricle/anna/command", "auricle/other/command/pause", ""]) | st.text(),
    payload=st.binary(max_size=1500) | st.sampled_from([b"[" * 1000, b'{"duration_s":1e999}', b'{"alarm_id":[]}']),
    retain=st.booleans(),
)
def test_whatever_comes_is_a_command_or_is_counted(topic: str, payload: bytes, *, retain: bool) -> None:
    command_filter = _filter()
    command = command_filter.command(Received(topic, payload, retain))
    assert (command is None) == (command_filter.rejected == 1)
    assert command is None or (topic in _TOPICS.commands and not retain)


@pytest.mark.parametrize(
    ("message", "why"),
    [
        (_command(b'{"duration_s": 9999}'), "duration_s must be a number of seconds, 1 to 7200"),
        (_command(b"five"), "a command is no JSON; it must be empty or an object"),
        (_command(b"x" * 1025), "a command has 1025 bytes, it may have 1024"),
        (
            _command(b'{"duration_s": 60}', retain=True),
            "it was retained, from long ago perhaps; publish commands without the retain flag",
        ),
    ],
)
def test_a_rejected_command_is_one_sentence_with_its_topic(message: Received, why: str) -> None:
    command_filter = _filter()
    assert command_filter.rejection == ""
    assert command_filter.command(message) is None
    assert command_filter.rejection == f"a command on auricle/anna/command/pause was rejected: {why}"


def test_whatever_a_topic_holds_its_rejection_is_one_short_line() -> None:
    command_filter = _filter()
    command_filter.command(Received("a\nb\x1b" * 1000, b"", False))
    assert len(command_filter.rejection) < 250
    assert command_filter.rejection.isprintable()


def test_what_was_kept_by_the_broker_is_asked_for_by_nobody() -> None:
    command_filter = _filter()
    assert command_filter.command(_command(b'{"duration_s": 60}', retain=True)) is None
    assert command_filter.rejected == 1


def test_commands_come_as_fast_as_people_press_and_no_faster() -> None:
    clock = Clock()
    command_filter = _filter(clock)
    heard = [command_filter.command(_command(b"", "resume")) is not None for _ in range(50)]
    assert heard == [True] * 10 + [False] * 40
    clock.now_s += 3.0
    assert sum(command_filter.command(_command(b"", "resume")) is not None for _ in range(50)) == 3


def test_an_alarm_can_be_acknowledged_while_other_commands_flood() -> None:
    command_filter = _filter()
    for _ in range(50):
        command_filter.command(_command(b"", "resume"))
    heard = [command_filter.command(_command(b"", "acknowledge")) is not None for _ in range(50)]
    assert heard == [True] * 10 + [False] * 40


def test_what_is_malformed_uses_up_nobodys_commands() -> None:
    command_filter = _filter()
    for _ in range(1000):
        command_filter.command(_command(b"nonsense"))
    assert command_filter.command(_command(b"", "resume")) is not None


def test_home_assistant_is_born_at_most_once_a_second_and_never_from_what_was_kept() -> None:
    clock = Clock()
    command_filter = _filter(clock)
    born = Received(_BIRTH, b"online", retain=False)
    assert not command_filter.is_birth(Received(_BIRTH, b"online", retain=True))
    assert not command_filter.is_birth(Received(_BIRTH, b"offline", retain=False))
    assert [command_filter.is_birth(born) for _ in range(3)] == [True, False, False]
    clock.now_s += 1.0
    assert command_filter.is_birth(born)
    assert command_filter.command(born) is None
    assert command_filter.rejected == 0, "it is no command that was rejected"


def test_what_was_dropped_unread_is_counted_and_said() -> None:
    command_filter = _filter()
    command_filter.count_unread(0)
    assert (command_filter.rejected, command_filter.rejection) == (0, "")
    command_filter.count_unread(70_000)
    assert command_filter.rejected == 70_000
    assert command_filter.unread == 70_000
    assert "dropped unread" in command_filter.rejection
