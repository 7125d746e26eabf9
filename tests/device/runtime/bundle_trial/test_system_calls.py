"""The filter of system calls decides as its table says, on both machines, whatever this one is."""

from __future__ import annotations

import os
import struct

import pytest

from device.runtime.bundle_trial.system_calls import AUDIT_ARCHITECTURES, filter_program, forbidden

PROCESS = 4711
ALLOWED, REFUSED, UNKNOWN, KILLED = 0x7FFF0000, 0x00050001, 0x00050026, 0x80000000
NUMBERS = {
    "x86_64": {"read": 0, "openat": 257, "open": 2, "clone": 56, "clone3": 435, "tgkill": 234, "futex": 202, "mmap": 9},
    "aarch64": {"read": 63, "openat": 56, "clone": 220, "clone3": 435, "tgkill": 131, "futex": 98, "mmap": 222},
}


def _decision(machine: str, number: int, *arguments: int, architecture: int | None = None) -> int:
    """What the kernel's interpreter of classic BPF would return."""
    audit = AUDIT_ARCHITECTURES[machine] if architecture is None else architecture
    data = struct.pack("<iIQ6Q", number, audit, 0, *(*arguments, 0, 0, 0, 0, 0, 0)[:6])
    program = list(struct.iter_unpack("<HBBI", filter_program(machine, PROCESS)))
    at, value = 0, 0
    while True:
        code, if_true, if_false, operand = program[at]
        at += 1
        if code == 0x20:
            (value,) = struct.unpack_from("<I", data, operand)
        elif code == 0x06:
            return int(operand)
        else:
            holds = {0x15: value == operand, 0x35: value >= operand, 0x45: bool(value & operand)}[code]
            at += if_true if holds else if_false


@pytest.mark.parametrize("machine", AUDIT_ARCHITECTURES)
def test_what_the_table_names_is_refused_and_all_else_allowed(machine: str) -> None:
    named, judged = set(forbidden(machine).values()), {NUMBERS[machine][name] for name in ("clone", "clone3", "tgkill")}
    for number in range(500):
        if number not in judged:
            assert _decision(machine, number) == (REFUSED if number in named else ALLOWED), number


@pytest.mark.parametrize("machine", AUDIT_ARCHITECTURES)
def test_files_are_opened_for_reading_alone(machine: str) -> None:
    openat = NUMBERS[machine]["openat"]
    assert _decision(machine, openat, 0, 0, os.O_RDONLY | os.O_CLOEXEC) == ALLOWED
    for flags in (os.O_WRONLY, os.O_RDWR, os.O_CREAT, os.O_TRUNC, os.O_APPEND):
        assert _decision(machine, openat, 0, 0, flags) == REFUSED
    if machine == "x86_64":
        assert _decision(machine, 2, 0, os.O_RDONLY) == ALLOWED
        assert _decision(machine, 2, 0, os.O_WRONLY) == REFUSED


@pytest.mark.parametrize("machine", AUDIT_ARCHITECTURES)
def test_threads_may_start_and_processes_not_and_signals_reach_itself_alone(machine: str) -> None:
    numbers = NUMBERS[machine]
    assert _decision(machine, numbers["clone"], 0x3D0F00) == ALLOWED  # as the C library starts a thread
    assert _decision(machine, numbers["clone"], 0x1200011) == REFUSED  # as it forks
    assert _decision(machine, numbers["clone3"]) == UNKNOWN
    assert _decision(machine, numbers["tgkill"], PROCESS, PROCESS, 6) == ALLOWED
    assert _decision(machine, numbers["tgkill"], 1, 1, 9) == REFUSED


def test_calls_of_another_architecture_end_the_process_and_those_of_x32_are_refused() -> None:
    assert _decision("x86_64", 1, architecture=0x40000003) == KILLED  # int 0x80 of i386
    assert _decision("x86_64", 0x40000000 + 41) == REFUSED
