"""Who listens in is noted first, counted, bounded, and loses sound rather than delaying it."""

from __future__ import annotations

import socket
import time
from contextlib import ExitStack, contextmanager, suppress
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pytest

from device.commands import ListenIn, Outcome
from device.daemon.audio.sound_tap import SoundTap
from device.daemon.ports import sound_server
from device.daemon.ports.sound_server import MOST_LISTENERS, MOST_STARTS, SoundServer
from device.messages import AudioBlock
from device.runtime.sockets.sound_socket import (
    SECOND_BYTES,
    SOUND_RATE_HZ,
    answer_in,
    person_in,
    request_line,
    sound_socket,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

SOON_S = 20.0
BLOCK = SOUND_RATE_HZ // 20
COUNTED = np.arange(-32768, 32768, dtype=np.int16)
"""Every value once: a place in it can be told."""


class Stage:
    """A server whose main loop answers at once, unless it is told to wait.

    Args:
        folder: of its socket.
    """

    def __init__(self, folder: Path) -> None:
        self.told: list[ListenIn] = []
        self.answers = self.has_room = True
        self.tap = SoundTap()
        self.path = sound_socket(folder / "status.sock")
        self.server = SoundServer(self.path, self.tap, self._tell)
        self._at = 0

    def _tell(self, listening: ListenIn, answer: Callable[[Outcome], object]) -> bool:
        if self.has_room:
            self.told.append(listening)
            if self.answers:
                answer(Outcome(done=True, sentence="listens in"))
        return self.has_room

    def play(self, blocks: int = 1) -> None:
        """Capture some more of the sound."""
        for _ in range(blocks):
            samples = np.take(COUNTED, range(self._at, self._at + BLOCK), mode="wrap").astype(np.float32) / np.float32(
                32768
            )
            self.tap.add(AudioBlock(samples, SOUND_RATE_HZ, self._at, after_gap=False))
            self._at += BLOCK

    def wait(self, what: Callable[[], object]) -> None:
        deadline_s = time.monotonic() + SOON_S
        while not what():
            assert time.monotonic() < deadline_s, self.server
            time.sleep(0.01)

    @contextmanager
    def client(self, person: str = "anna", request: bytes | None = None) -> Iterator[socket.socket]:
        """A connection that has sent its request."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
            client.settimeout(SOON_S)
            client.connect(str(self.path))
            client.sendall(request_line(person) if request is None else request)
            yield client


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    stage = Stage(tmp_path)
    yield stage
    stage.server.close()
    assert not stage.path.exists()


def _line(client: socket.socket) -> bytes:
    line = b""
    while not line.endswith(b"\n"):
        byte = client.recv(1)
        assert byte, "closed without an answer"
        line += byte
    return line


def _refusal(client: socket.socket) -> str:
    done, sentence = answer_in(_line(client))
    assert (done, client.recv(1)) == (False, b"")
    return sentence


def test_sound_comes_after_the_main_loop_has_noted_who_listens(stage: Stage) -> None:
    stage.answers = False
    with stage.client("anna") as client:
        stage.wait(lambda: stage.told)
        assert not stage.server.listeners
        stage.play()  # before: nobody hears it
    stage.wait(lambda: [each.begins for each in stage.told] == [True, False])
    stage.answers = True
    with stage.client("ben") as client:
        assert answer_in(_line(client)) == (True, "listens in")
        stage.wait(lambda: stage.server.listeners)
        assert [each.partition(" ")[0] for each in stage.server.listeners] == ["ben"]
        stage.play(2)
        got = b""
        while len(got) < 4 * BLOCK:
            got += client.recv(4096)
        start = BLOCK  # the block before was for nobody
        assert np.frombuffer(got, "<i2").tolist() == COUNTED[start : start + 2 * BLOCK].tolist()
    stage.wait(lambda: stage.server.listeners == ())
    stage.wait(lambda: not stage.told[-1].begins)
    assert len({each.by for each in stage.told[2:]}) == 1


def test_who_reads_too_slowly_loses_the_oldest_sound_by_whole_samples(stage: Stage) -> None:
    with stage.client() as client:
        assert answer_in(_line(client))[0]
        stage.wait(lambda: stage.server.listeners)
        for _ in range(10):  # five seconds, of which nobody reads any
            stage.play(10)
            stage.wait(lambda: " 0 blocks" in repr(stage.tap))
        client.settimeout(1.0)
        got = bytearray()
        with suppress(TimeoutError):
            while True:
                got += client.recv(4096)
        assert len(got) % 2 == 0
        assert len(got) < 3 * SECOND_BYTES
        values = np.frombuffer(bytes(got), "<i2").tolist()
        skips = sum((after - before) % 65536 != 1 for before, after in pairwise(values))
        assert skips == 1, "one skip, and every sample whole"
    stage.wait(lambda: not stage.told[-1].begins)
    assert stage.told[-1].lost_s == pytest.approx(5.0 - len(got) / SECOND_BYTES, abs=0.01)


def test_no_more_than_eight_listen_and_whoever_leaves_makes_room(stage: Stage) -> None:
    with ExitStack() as opened:
        clients = [opened.enter_context(stage.client(f"p{index}")) for index in range(MOST_LISTENERS)]
        assert all(answer_in(_line(client))[0] for client in clients)
        with stage.client("late") as late:
            assert _refusal(late) == "8 listen in already, more may not"
        assert len(stage.server.listeners) == MOST_LISTENERS
        clients[0].close()
        stage.wait(lambda: len(stage.server.listeners) == MOST_LISTENERS - 1)
        with stage.client("later") as later:
            assert answer_in(_line(later))[0]


def test_a_flood_of_beginnings_ends_before_it_fills_the_journal(stage: Stage) -> None:
    for index in range(MOST_STARTS):
        with stage.client(f"p{index}") as client:
            assert answer_in(_line(client))[0]
        stage.wait(lambda: stage.server.listeners == ())
    with stage.client() as client:
        assert _refusal(client).startswith("20 have begun to listen within a minute")
    assert sum(each.begins for each in stage.told) == MOST_STARTS
    stage.wait(lambda: sum(not each.begins for each in stage.told) == MOST_STARTS)


@pytest.mark.parametrize(
    ("request_bytes", "why"),
    [
        (b"GET / HTTP/1.1\n", "JSON"),
        (b'{"version":2}\n', "version 1"),
        (b'{"version":1,"person":7}\n', "person must be a name"),
        (b'{"version":1,"person":"a\\u0007"}\n', "person must be a name"),
        (b'{"version":1,"more":1}\n', "nothing else"),
        (b"x" * 2000, "JSON"),
    ],
)
def test_what_is_no_request_is_refused_with_a_sentence(stage: Stage, request_bytes: bytes, why: str) -> None:
    with stage.client(request=request_bytes) as client:
        assert why in _refusal(client)
    assert stage.told == []


def test_a_main_loop_that_hangs_or_is_full_lets_nobody_in(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sound_server, "LET_IN_WITHIN_S", 0.3)
    stage.has_room = False
    with stage.client() as client:
        assert _refusal(client) == "too many commands wait: try again in a moment"
    stage.has_room, stage.answers = True, False
    with stage.client() as client:
        assert client.recv(1) == b""
    stage.wait(lambda: len(stage.told) == 2)


def test_who_reads_nothing_for_long_and_who_asks_nothing_is_closed(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sound_server, "READS_WITHIN_S", 0.5)
    monkeypatch.setattr(sound_server, "ASKED_WITHIN_S", 0.3)
    with stage.client(request=b"") as mute, stage.client() as deaf:
        assert answer_in(_line(deaf))[0]
        stage.wait(lambda: stage.server.listeners)
        assert mute.recv(1) == b""
        while stage.server.listeners:
            stage.play()
            time.sleep(0.02)
    stage.wait(lambda: not stage.told[-1].begins)


def test_closing_ends_all_listening_and_tells_so(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    with stage.client() as client:
        assert answer_in(_line(client))[0]
        stage.wait(lambda: stage.server.listeners)
        stage.server.close()
        assert client.recv(1) == b""
    assert [each.begins for each in stage.told] == [True, False]
    assert stage.server.listeners == ()
    stage.server.close()


def test_ends_for_which_there_was_no_room_are_told_later(stage: Stage) -> None:
    with stage.client() as client:
        assert answer_in(_line(client))[0]
        stage.wait(lambda: stage.server.listeners)
        stage.has_room = False
    stage.wait(lambda: stage.server.listeners == ())
    assert len(stage.told) == 1
    stage.has_room = True
    stage.wait(lambda: len(stage.told) == 2)


def test_a_request_says_for_whom() -> None:
    assert person_in(request_line("anna").strip()) == "anna"
    assert person_in(b'{"version":1}') == ""
