"""Lines for people: words, one line each, on terminals, pipes and what breaks."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import os
import pty
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, TextIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.messages import Event, Fault, Notice, OperationNote
from device.sinks.console import Console, line

if TYPE_CHECKING:
    from device.messages import Priority

_UTC_S = 1795227247.350  # 2026-11-21T02:14:07.350Z

_BEGIN = Event("id-cry-cry-0", 0, "cry", "cry", "begin", 0.97, 10.0, None, 11.5, "3 of 3 windows")
_END = dataclasses.replace(_BEGIN, phase="end", seq=1, end_s=22.5, decided_s=27.5, reason="quiet")
_FAULT = Fault("microphone", begins=True, since_s=5.0, at_s=7.0, detail="no sound comes")


def _notice(
    content: Event | Fault | OperationNote, priority: Priority | None = None, source: str = "nursery"
) -> Notice:
    return Notice(_UTC_S, source, content, priority)


@pytest.mark.parametrize(
    ("notice", "text"),
    [
        (_notice(_BEGIN, "high"), "HIGH  cry begins (0.97; since 02:14:05.8)"),
        (
            _notice(dataclasses.replace(_BEGIN, phase="reopen"), "low"),
            "LOW  cry begins again (0.97; since 02:14:05.8)",
        ),
        (_notice(_END, "high"), "HIGH  cry ends (0.97; for 12.5 s)"),
        (
            _notice(dataclasses.replace(_END, verdict="hungry"), "high"),
            "HIGH  cry ends (0.97; for 12.5 s; verdict hungry)",
        ),
        (
            _notice(dataclasses.replace(_END, reason="deaf"), "medium"),
            "MEDIUM  cry is followed no more and may go on: the microphone is deaf (0.97; for 12.5 s)",
        ),
        (_notice(_FAULT), "FAULT  microphone: no sound comes (since 02:14:05.3)"),
        (
            _notice(dataclasses.replace(_FAULT, begins=False, detail="sound comes again")),
            "over  microphone: sound comes again",
        ),
        (
            _notice(dataclasses.replace(_FAULT, kind="classifier", model="cry", detail="no score")),
            "FAULT  classifier of cry: no score (since 02:14:05.3)",
        ),
        (_notice(OperationNote("reload_refused", "line 4")), "note  reload refused: line 4"),
    ],
)
def test_each_notice_is_told_in_words_with_the_time_of_day(notice: Notice, text: str) -> None:
    assert line(notice) == f"2026-11-21T02:14:07.350Z  nursery  {text}"


@given(st.text(), st.text(), st.text())
def test_whatever_stands_in_a_notice_it_is_one_line_that_a_terminal_survives(
    source: str, label: str, reason: str
) -> None:
    event = dataclasses.replace(_END, label=label, reason=reason)
    assert line(_notice(event, "high", source)).isprintable()


def test_a_file_name_that_is_no_utf_8_can_be_printed_anywhere() -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii", errors="strict")
    Console(stream).write(_notice(_BEGIN, "high", os.fsdecode(b"w\xe4rm\x1b[2J.wav")))
    stream.flush()
    raw = stream.detach()
    assert isinstance(raw, io.BytesIO)
    assert b"w\\udce4rm\\u001b[2J.wav" in raw.getvalue()


def test_a_label_of_another_script_reaches_an_ascii_terminal_escaped() -> None:
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as read, os.fdopen(writing, "w", encoding="ascii") as stream:
        Console(stream).write(_notice(dataclasses.replace(_BEGIN, label="плач"), "high"))
        stream.close()
        assert rb"\u043f\u043b\u0430\u0447 begins" in read.read()


def _on_terminal(environment: dict[str, str]) -> str:
    leader, follower = pty.openpty()
    with os.fdopen(follower, "w") as stream:
        Console(stream, environment=environment).write(_notice(_BEGIN, "high"))
        told = os.read(leader, 4096).decode()
    os.close(leader)
    return told


def test_colour_is_for_terminals_alone_and_for_those_who_want_it() -> None:
    assert "\x1b[1;31mHIGH\x1b[0m" in _on_terminal({})
    assert "\x1b" not in _on_terminal({"NO_COLOR": "1"})
    memory = io.StringIO()
    Console(memory, environment={}).write(_notice(_BEGIN, "high"))
    assert "\x1b" not in memory.getvalue()


def test_a_broken_pipe_is_counted_and_raises_nothing() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as stream:
        console = Console(stream)
        console.write(_notice(_BEGIN, "high"))
        console.write(_notice(_END, "high"))
        assert console.failed == 2
        console.close()


def test_a_closed_stream_is_counted_and_raises_nothing() -> None:
    stream = io.StringIO()
    console = Console(stream)
    stream.close()
    console.write(_notice(_BEGIN, "high"))
    assert console.failed == 1


def test_a_full_pipe_that_must_not_block_still_gets_every_line_whole() -> None:
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    with os.fdopen(writing, "w") as stream, os.fdopen(reading, "rb") as read:
        filled = 0
        with contextlib.suppress(BlockingIOError):
            while True:
                filled += os.write(writing, b"\n" * 1000)
        emptied: list[bytes] = []
        later = threading.Timer(0.2, lambda: emptied.append(read.read(filled)))
        later.start()
        console = Console(stream)
        for _ in range(100):
            console.write(_notice(_BEGIN, "high"))
        later.join()
        stream.close()
        lines = read.read().splitlines()
    assert emptied == [b"\n" * filled]
    assert lines == [line(_notice(_BEGIN, "high")).encode()] * 100
    assert console.failed == 0


_HANGING = """
import sys, time
from device.messages import OperationNote, Notice
from device.daemon.delivery.sink_worker import SinkWorker
from device.sinks.console import Console
delivery = SinkWorker("console", Console(sys.stdout))
for number in range(900):
    delivery.write(Notice(0.0, "nursery", OperationNote("hop", "x" * 1000)))
while not delivery.stuck_for_s(time.monotonic()) > 0.2:
    time.sleep(0.01)
assert not delivery.close(0.1)
"""


def test_a_terminal_that_takes_no_line_does_not_keep_the_process_from_ending() -> None:
    """Held by a hung thread, Python's own buffer would turn the end into a fatal error (exit by SIGABRT)."""
    with subprocess.Popen([sys.executable, "-c", _HANGING], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.wait(60) == 0
        assert process.stderr is not None
        assert process.stderr.read() == b""


def test_lines_go_to_the_stream_that_was_given() -> None:
    def told(stream: TextIO) -> None:
        Console(stream, environment={}).write(_notice(_FAULT))

    memory = io.StringIO()
    told(memory)
    assert memory.getvalue().endswith("FAULT  microphone: no sound comes (since 02:14:05.3)\n")
