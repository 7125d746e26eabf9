"""What an installation refuses, in a sentence each."""

from __future__ import annotations

import dataclasses
import struct
import sys
from typing import TYPE_CHECKING

import pytest

from device.tools.install.layout import Layout
from device.tools.install.supported_machine import (
    NEEDED_MB,
    HostMachine,
    best_effort_note,
    missing_root_reason,
    this_machine,
    unsupported_reason,
)

if TYPE_CHECKING:
    from pathlib import Path

GOOD = HostMachine(
    is_live=True, is_root=True, bits=64, python=(3, 13), base="/usr", has_ensurepip=True, has_portaudio=True,
    has_systemd=True, free_mb=NEEDED_MB,
)  # fmt: skip


def test_a_pi_with_all_it_takes_is_not_refused() -> None:
    assert unsupported_reason(GOOD, builds=True) is None
    assert missing_root_reason(GOOD, "install") is None
    assert best_effort_note(GOOD) is None


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"bits": 32, "python": (3, 13)}, "install the 64-bit Raspberry Pi OS"),
        ({"bits": 32, "python": (3, 12)}, "32-bit Python 3.12"),
        ({"base": "/home/pi/.pyenv/versions/3.11"}, "/usr/bin/python3 -m venv"),
        ({"has_portaudio": False}, "sudo apt install libportaudio2"),
        ({"has_ensurepip": False}, "sudo apt install python3-venv"),
        ({"free_mb": NEEDED_MB - 1}, f"{NEEDED_MB - 1} MB are free"),
    ],
)
def test_each_lack_is_a_sentence_that_says_what_would_work(change: dict[str, object], named: str) -> None:
    sentence = unsupported_reason(dataclasses.replace(GOOD, **change), builds=True)  # type: ignore[arg-type]  # by name
    assert sentence is not None
    assert named in sentence


def test_32_bit_bookworm_is_tried_with_a_note() -> None:
    machine = dataclasses.replace(GOOD, bits=32, python=(3, 11))
    assert unsupported_reason(machine, builds=True) is None
    assert "best effort" in str(best_effort_note(machine))


def test_what_is_built_already_needs_no_room() -> None:
    assert unsupported_reason(dataclasses.replace(GOOD, free_mb=0, has_ensurepip=False), builds=False) is None


def test_a_tree_that_is_prepared_needs_neither_root_nor_the_machines_own_libraries() -> None:
    machine = dataclasses.replace(GOOD, is_live=False, is_root=False, has_portaudio=False, base="/home/me/python")
    assert unsupported_reason(machine, builds=True) is None
    assert missing_root_reason(machine, "install") is None


def test_who_is_not_root_is_given_the_command_that_works(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = dataclasses.replace(GOOD, is_root=False)
    monkeypatch.setattr(sys, "argv", ["/home/pi/venv/bin/auricle"])
    assert str(missing_root_reason(machine, "uninstall")).endswith("sudo /home/pi/venv/bin/auricle uninstall")
    monkeypatch.setattr(sys, "argv", ["device/__main__.py"])
    assert str(missing_root_reason(machine, "install")).endswith(f"sudo {sys.executable} -m device install")


def test_this_machine_is_seen_as_it_is(tmp_path: Path) -> None:
    machine = this_machine(Layout(tmp_path))
    assert machine.bits == 8 * struct.calcsize("P")
    assert machine.python == sys.version_info[:2]
    assert not machine.is_live
    assert not machine.has_systemd
    assert machine.free_mb > 0
    assert machine.has_ensurepip
