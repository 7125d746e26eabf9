"""Notifications to the service manager, read from a socket as systemd would."""

from __future__ import annotations

import contextlib
import os
import resource
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.runtime.systemd_notify import Notifier, without_notify

if TYPE_CHECKING:
    from collections.abc import Iterator

_Manager = tuple[socket.socket, str]


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest) -> Iterator[_Manager]:
    """A service manager's socket, and its address as in NOTIFY_SOCKET."""
    with (
        tempfile.TemporaryDirectory(prefix="auricle-") as folder,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard,
    ):
        address = f"{folder}/notify" if request.param == "path" else f"@auricle-{uuid.uuid4().hex}"
        heard.bind(address.replace("@", "\0"))
        heard.setblocking(False)
        yield heard, address


def _messages(heard: socket.socket) -> list[str]:
    messages = []
    with contextlib.suppress(BlockingIOError):
        while True:
            messages.append(heard.recv(4096).decode())
    return messages


def _notifier(address: str, **more: str) -> Notifier:
    return Notifier.from_environment({"NOTIFY_SOCKET": address, **more})


def test_every_word_is_said_as_systemd_reads_it(manager: _Manager) -> None:
    heard, address = manager
    notifier = _notifier(address)
    notifier.ready("listening to anna")
    notifier.watchdog()
    notifier.status("heard a cry")
    notifier.stopping()
    assert _messages(heard) == [
        "READY=1\nSTATUS=listening to anna",
        "WATCHDOG=1",
        "STATUS=heard a cry",
        "STOPPING=1\nSTATUS=stopping",
    ]
    assert notifier.lost == 0


def test_a_reload_says_when_it_began_on_the_clock_that_systemd_compares(manager: _Manager) -> None:
    heard, address = manager
    before_us = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    _notifier(address).reloading()
    after_us = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    state, clock, _status = _messages(heard)[0].splitlines()
    assert state == "RELOADING=1"
    name, _, value = clock.partition("=")
    assert name == "MONOTONIC_USEC"
    assert before_us <= int(value) <= after_us


def test_the_watchdog_is_the_manager_s_own_figure(manager: _Manager) -> None:
    _, address = manager
    assert _notifier(address, WATCHDOG_USEC="20000000").watchdog_s == 20.0
    assert _notifier(address, WATCHDOG_USEC="1500000", WATCHDOG_PID=str(os.getpid())).watchdog_s == 1.5


@pytest.mark.parametrize("period_us", ["", "0", "-5", "twenty", "1.5", " 20"])
def test_a_watchdog_that_makes_no_sense_is_none(manager: _Manager, period_us: str) -> None:
    assert _notifier(manager[1], WATCHDOG_USEC=period_us).watchdog_s is None


@pytest.mark.parametrize("other", ["1", "", "me"])
def test_a_watchdog_that_is_meant_for_another_process_is_none(manager: _Manager, other: str) -> None:
    assert _notifier(manager[1], WATCHDOG_USEC="20000000", WATCHDOG_PID=other).watchdog_s is None


def test_without_a_manager_every_word_is_for_nobody() -> None:
    for environ in ({}, {"NOTIFY_SOCKET": ""}):
        notifier = Notifier.from_environment(environ)
        notifier.ready("listening")
        notifier.reloading()
        notifier.watchdog()
        notifier.stopping()
        assert notifier.lost == 0
        assert notifier.watchdog_s is None
        assert repr(notifier) == "Notifier(nobody listens)"


@pytest.mark.parametrize("address", ["/nowhere/at/all/notify", "vsock:2:1234", "relative/path", "/" + "long" * 50, "@"])
def test_an_address_where_nobody_can_hear_costs_a_count_and_nothing_else(address: str) -> None:
    notifier = _notifier(address)
    notifier.ready("listening")
    notifier.watchdog()
    assert notifier.lost == 2


def test_a_full_socket_never_holds_the_daemon_up(manager: _Manager) -> None:
    heard, address = manager
    notifier = _notifier(address)
    sent = 0
    while notifier.lost == 0:  # the kernel bounds what waits unread (net.unix.max_dgram_qlen)
        notifier.watchdog()
        sent += 1
        assert sent < 100_000
    before_s = time.monotonic()
    for _ in range(100):
        notifier.watchdog()
    assert time.monotonic() - before_s < 5.0  # 100 sends that waited would never come back
    assert notifier.lost == 101
    assert _messages(heard) == ["WATCHDOG=1"] * (sent - 1)


def test_a_change_of_state_that_was_lost_is_said_again_with_the_next_word(manager: _Manager) -> None:
    """A READY=1 lost at a full socket would leave the unit starting until systemd timed out."""
    heard, address = manager
    notifier = _notifier(address)
    while notifier.lost == 0:
        notifier.watchdog()
    notifier.reloading()
    notifier.ready("listening")
    _messages(heard)
    notifier.watchdog()
    notifier.watchdog()
    assert _messages(heard) == ["READY=1\nWATCHDOG=1", "WATCHDOG=1"]
    assert notifier.lost == 3


def test_a_manager_that_comes_back_is_told_again(manager: _Manager) -> None:
    heard, address = manager
    notifier = _notifier(address)
    heard.close()
    if not address.startswith("@"):
        Path(address).unlink()
    notifier.watchdog()
    assert notifier.lost == 1
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as again:
        again.bind(address.replace("@", "\0"))
        notifier.watchdog()
        assert again.recv(4096) == b"WATCHDOG=1"


@given(text=st.text(max_size=2000))
def test_no_status_can_say_more_than_a_status(text: str) -> None:
    """A line break in the name of a file or device must not become another message to systemd."""
    with tempfile.TemporaryDirectory(prefix="auricle-") as folder:
        address = f"{folder}/notify"
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard:
            heard.bind(address)
            notifier = _notifier(address)
            notifier.status(text)
            message = heard.recv(8192)
    assert message.startswith(b"STATUS=")
    assert len(message.decode().splitlines()) == 1
    assert len(message) < 4096
    assert notifier.lost == 0


def test_a_name_that_is_no_unicode_is_still_told(manager: _Manager) -> None:
    heard, address = manager
    _notifier(address).status("hears \udcff")
    assert _messages(heard) == ["STATUS=hears ?"]


def test_a_child_of_the_daemon_cannot_speak_in_its_name(manager: _Manager) -> None:
    heard, address = manager
    daemon = {**os.environ, "NOTIFY_SOCKET": address, "WATCHDOG_USEC": "1", "WATCHDOG_PID": "1", "LANG": "C.UTF-8"}
    child = without_notify(daemon)
    assert child["LANG"] == "C.UTF-8"
    said = _said_by_a_child_process
    assert said(heard, daemon) == ["READY=1\nSTATUS=x"]
    assert said(heard, child) == []
    assert "NOTIFY_SOCKET" in daemon


def _said_by_a_child_process(heard: socket.socket, environ: dict[str, str]) -> list[str]:
    speaks = "from device.runtime.systemd_notify import Notifier; Notifier.from_environment().ready('x')"
    subprocess.run([sys.executable, "-W", "ignore", "-c", speaks], env=environ, check=True, timeout=60)
    return _messages(heard)


def test_it_shows_whom_it_speaks_to() -> None:
    assert repr(Notifier("/run/notify", 20.0)) == "Notifier('/run/notify', watchdog after 20 s, 0 lost)"
    assert repr(Notifier("@notify")) == "Notifier('@notify', 0 lost)"
    assert repr(Notifier(None)) == "Notifier(nobody listens)"


def test_the_watchdog_is_fed_though_no_descriptor_is_left(manager: _Manager) -> None:
    heard, address = manager
    notifier = _notifier(address)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
        notifier.watchdog()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert _messages(heard) == ["WATCHDOG=1"]
    assert notifier.lost == 0
