"""The filter of system calls for a bundle's trial, as a program for seccomp(2).

It names what is forbidden, not what is allowed: an unforeseen call of another release of the C library, of Python or of
LiteRT must not refuse a sound bundle. Numbers are those of the kernel's `unistd.h`.
"""

from __future__ import annotations

import os
import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

AUDIT_ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
"""Machine -> its number in include/uapi/linux/audit.h; on others nothing is filtered."""

_FORBIDDEN = """
socket 41 198           socketpair 53 199       connect 42 203          bind 49 200             listen 50 201
accept 43 202           accept4 288 242         sendto 44 206           sendmsg 46 211          sendmmsg 307 269
fork 57 -               vfork 58 -              execve 59 221           execveat 322 281
kill 62 129             tkill 200 130           rt_sigqueueinfo 129 138 rt_tgsigqueueinfo 297 240
pidfd_send_signal 424 424 pidfd_open 434 434    pidfd_getfd 438 438
ptrace 101 117          process_vm_readv 310 270 process_vm_writev 311 271 kcmp 312 272
creat 85 -              openat2 437 437         open_by_handle_at 304 265 truncate 76 45
rename 82 -             renameat 264 38         renameat2 316 276
mkdir 83 -              mkdirat 258 34          rmdir 84 -              unlink 87 -             unlinkat 263 35
link 86 -               linkat 265 37           symlink 88 -            symlinkat 266 36
mknod 133 -             mknodat 259 33
chmod 90 -              fchmod 91 52            fchmodat 268 53         fchmodat2 452 452
chown 92 -              fchown 93 55            lchown 94 -             fchownat 260 54
utime 132 -             utimes 235 -            futimesat 261 -         utimensat 280 88
setxattr 188 5          lsetxattr 189 6         fsetxattr 190 7
removexattr 197 14      lremovexattr 198 15     fremovexattr 199 16
mount 165 40            umount2 166 39          unshare 272 97          setns 308 268           chroot 161 51
bpf 321 280             perf_event_open 298 241 userfaultfd 323 282
keyctl 250 219          add_key 248 217         request_key 249 218
io_uring_setup 425 425  io_uring_enter 426 426  io_uring_register 427 427
shmget 29 194           shmat 30 196            msgget 68 186           semget 64 190           mq_open 240 180
"""
"""Name, number on x86_64, number on aarch64; `-` where it has none."""

_COLUMNS = tuple(AUDIT_ARCHITECTURES)
_OPENING = {"x86_64": ((2, 1), (257, 2)), "aarch64": ((56, 2),)}
"""open and openat: number, and which argument holds the flags."""

_CLONE = {"x86_64": 56, "aarch64": 220}
_CLONE3 = 435
_TGKILL = {"x86_64": 234, "aarch64": 131}
_FIRST_X32 = 0x40000000
"""The first number of the x32 calls of x86_64."""

_CLONE_THREAD = 0x10000
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND

# Classic BPF (include/uapi/linux/bpf_common.h) over struct seccomp_data.
_LOAD, _RETURN, _IF_EQUAL, _IF_AT_LEAST, _IF_ANY_BIT = 0x20, 0x06, 0x15, 0x35, 0x45
_NUMBER_AT, _ARCHITECTURE_AT, _ARGUMENTS_AT = 0, 4, 16
_ALLOW, _KILL, _FAIL = 0x7FFF0000, 0x80000000, 0x00050000
_EPERM, _ENOSYS = 1, 38
_REFUSE = _FAIL | _EPERM


def forbidden(machine: str) -> dict[str, int]:
    """Name -> number of the calls that are refused whatever their arguments, on one machine."""
    words = _FORBIDDEN.split()
    column = 1 + _COLUMNS.index(machine)
    rows = [words[start : start + 3] for start in range(0, len(words), 3)]
    return {row[0]: int(row[column]) for row in rows if row[column] != "-"}


def filter_program(machine: str, process: int) -> bytes:
    """The program for a process on a machine: instructions of 8 bytes.

    Args:
        machine: a key of `AUDIT_ARCHITECTURES`.
        process: its id; it may send signals to itself, as `abort` does.
    """
    return b"".join(struct.pack("<HBBI", *instruction) for instruction in _instructions(machine, process))


def _instructions(machine: str, process: int) -> Iterator[tuple[int, int, int, int]]:
    """(code, jump if true, jump if false, operand); jumps count the instructions that are left out."""
    yield _LOAD, 0, 0, _ARCHITECTURE_AT
    yield _IF_EQUAL, 1, 0, AUDIT_ARCHITECTURES[machine]
    yield _RETURN, 0, 0, _KILL
    yield _LOAD, 0, 0, _NUMBER_AT
    yield _IF_AT_LEAST, 0, 1, _FIRST_X32
    yield _RETURN, 0, 0, _REFUSE
    for number in forbidden(machine).values():
        yield _IF_EQUAL, 0, 1, number
        yield _RETURN, 0, 0, _REFUSE
    yield _IF_EQUAL, 0, 1, _CLONE3  # whose flags a filter cannot see; as unknown, `clone` is called in its place
    yield _RETURN, 0, 0, _FAIL | _ENOSYS
    for number, argument in _OPENING[machine]:
        yield from _judged(number, argument, (_IF_ANY_BIT, _WRITING), if_true=_REFUSE, if_false=_ALLOW)
    yield from _judged(_CLONE[machine], 0, (_IF_ANY_BIT, _CLONE_THREAD), if_true=_ALLOW, if_false=_REFUSE)
    yield from _judged(_TGKILL[machine], 0, (_IF_EQUAL, process), if_true=_ALLOW, if_false=_REFUSE)
    yield _RETURN, 0, 0, _ALLOW


def _judged(
    number: int, argument: int, test: tuple[int, int], *, if_true: int, if_false: int
) -> Iterator[tuple[int, int, int, int]]:
    """Decide one call by the lower half of one argument."""
    yield _IF_EQUAL, 0, 4, number
    yield _LOAD, 0, 0, _ARGUMENTS_AT + 8 * argument
    yield test[0], 0, 1, test[1]
    yield _RETURN, 0, 0, if_true
    yield _RETURN, 0, 0, if_false
