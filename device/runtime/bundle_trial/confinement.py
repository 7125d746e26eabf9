"""Takes from this process, for good, what running a network does not need; without privileges, on any Linux.

Bounds on processor time and memory, no core dump, no new privileges, no new process, no file written; where the kernel
filters system calls, also no network, no signal to others, and no way to look into another process. What a machine does
not support is left out: the parent's deadline holds on any.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import signal
import struct
import sys
from pathlib import Path

from device.runtime.bundle_trial.system_calls import AUDIT_ARCHITECTURES, filter_program

_PR_SET_PDEATHSIG, _PR_SET_SECCOMP, _PR_SET_NO_NEW_PRIVS = 1, 22, 38  # include/uapi/linux/prctl.h
_SECCOMP_MODE_FILTER = 2
_CAPABILITIES_VERSION = 0x20080522  # include/uapi/linux/capability.h, version 3
_CAP_DAC_READ_SEARCH = 1 << 2
_KILLED_FIRST = "1000"
"""The OOM score of a process that the kernel ends before any other."""


def confine_resources(*, cpu_s: int, data_bytes: int, file_bytes: int = 0, may_start_others: bool = False) -> None:
    """Bound processor time and memory; to be called first.

    Args:
        cpu_s: after which SIGXCPU ends the process.
        data_bytes: of memory that it may allocate or map for writing.
        file_bytes: of a file that it may write.
        may_start_others: whether it may start processes and threads.
    """
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(_KILLED_FIRST, encoding="ascii")
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)
    if os.geteuid() == 0:
        _give_up_capabilities()
    _limit(resource.RLIMIT_CPU, cpu_s, cpu_s + 1)
    _limit(resource.RLIMIT_DATA, data_bytes, data_bytes)
    _limit(resource.RLIMIT_CORE, 0, 0)
    _limit(resource.RLIMIT_FSIZE, file_bytes, file_bytes)
    if not may_start_others:
        _limit(resource.RLIMIT_NPROC, 0, 0)  # counts threads too, so there must be one; it does not bind root


def forbid_system_calls() -> bool:
    """Refuse, with EPERM, every system call that a network has no use for; returns whether the kernel filters them."""
    machine = os.uname().machine
    if sys.byteorder != "little" or machine not in AUDIT_ARCHITECTURES:
        return False
    program = ctypes.create_string_buffer(filter_program(machine, os.getpid()))
    # struct sock_fprog: a count of instructions of 8 bytes, padding, and where they are.
    handed_over = ctypes.create_string_buffer(struct.pack("@HP", (len(program) - 1) // 8, ctypes.addressof(program)))
    return _prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.addressof(handed_over))


def _give_up_capabilities() -> None:
    """Leave root nothing but reading any file: it may be asked to try one of somebody else's."""
    header = struct.pack("@Ii", _CAPABILITIES_VERSION, 0)
    kept = struct.pack("@6I", _CAP_DAC_READ_SEARCH, _CAP_DAC_READ_SEARCH, 0, 0, 0, 0)
    with contextlib.suppress(OSError, AttributeError):  # another system
        ctypes.CDLL(None).capset(header, kept)


def _limit(kind: int, soft: int, hard: int) -> None:
    """Lower a limit; one that is lower already is left."""
    before = resource.getrlimit(kind)[1]
    if before != resource.RLIM_INFINITY:
        soft, hard = min(soft, before), min(hard, before)
    with contextlib.suppress(OSError, ValueError):  # refused by a filter of system calls
        resource.setrlimit(kind, (soft, hard))


def _prctl(option: int, *arguments: int) -> bool:
    """Whether the kernel did it."""
    words = [ctypes.c_ulong(argument) for argument in (*arguments, 0, 0, 0, 0)[:4]]
    try:
        return bool(ctypes.CDLL(None).prctl(option, *words) == 0)
    except (OSError, AttributeError):  # another system
        return False
