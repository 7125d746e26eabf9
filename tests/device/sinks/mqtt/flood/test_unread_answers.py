"""A broker that sends messages and reads no answer is known by the answers that wait."""

from __future__ import annotations

from device.sinks.mqtt.flood.unread_answers import UnreadAnswers


def _answers(received: int, *, is_written: bool, unacknowledged_bytes: int = 0) -> UnreadAnswers:
    answers = UnreadAnswers()
    answers.update(received, 10.0, is_written=is_written, unacknowledged_bytes=unacknowledged_bytes)
    return answers


def test_few_answers_may_wait() -> None:
    answers = _answers(500, is_written=False)
    assert (answers.any, answers.blocked_for_s(99.0)) == (True, None)


def test_many_answers_that_wait_block_from_then_on() -> None:
    answers = _answers(501, is_written=False)
    answers.update(502, 12.0, is_written=False, unacknowledged_bytes=0)
    assert answers.blocked_for_s(13.5) == 3.5


def test_what_is_written_blocks_no_more() -> None:
    answers = _answers(501, is_written=False)
    answers.update(600, 12.0, is_written=True, unacknowledged_bytes=0)
    assert (answers.any, answers.blocked_for_s(13.0)) == (False, None)


def test_few_answers_since_all_were_written_may_wait() -> None:
    answers = _answers(600, is_written=True)
    answers.update(1100, 14.0, is_written=False, unacknowledged_bytes=0)
    assert (answers.any, answers.blocked_for_s(15.0)) == (True, None)


def test_many_answers_that_the_network_holds_are_not_read() -> None:
    assert _answers(501, is_written=True, unacknowledged_bytes=2001).any
    assert not _answers(501, is_written=True, unacknowledged_bytes=2000).any


def test_alarms_that_a_cut_network_holds_are_no_answers() -> None:
    assert not _answers(500, is_written=True, unacknowledged_bytes=30_000).any
