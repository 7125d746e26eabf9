"""What holds the memory of a process: its mappings, as the kernel lists them, in groups that people know."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

_HEADER = re.compile(r"[0-9a-f]+-[0-9a-f]+ \S+ \S+ \S+ \S+ *(.*)")
_GROUPS = (
    ("ai_edge_litert", "LiteRT"),
    ("numpy", "numpy, OpenBLAS"),
    ("soxr", "soxr"),
    ("libpython", "Python"),
    ("lib-dynload", "Python"),
    ("/python3", "Python"),
    ("libcrypto", "OpenSSL, SQLite"),
    ("libssl", "OpenSSL, SQLite"),
    ("libsqlite", "OpenSSL, SQLite"),
    ("/libc.so", "C and C++ libraries"),
    ("/libm.so", "C and C++ libraries"),
    ("libstdc++", "C and C++ libraries"),
    ("/ld-linux", "C and C++ libraries"),
)
PRIVATE = "objects, buffers, stacks (heap and anonymous)"
OTHER = "other libraries (sound, in the child)"


@dataclass(slots=True)
class Held:
    """Memory of one group, in MB.

    Attributes:
        resident: in memory.
        private: of it, what no other process has.
    """

    resident: float = 0.0
    private: float = 0.0


def held(pid: int) -> dict[str, Held]:
    """Group -> what it holds of a process, the largest first."""
    groups: dict[str, Held] = {}
    group = groups.setdefault(PRIVATE, Held())
    for line in Path(f"/proc/{pid}/smaps").read_text(encoding="utf-8").splitlines():
        if header := _HEADER.fullmatch(line):
            group = groups.setdefault(_group(header[1]), Held())
        elif line.startswith("Rss:"):
            group.resident += _mb(line)
        elif line.startswith(("Private_Clean:", "Private_Dirty:")):
            group.private += _mb(line)
    return dict(sorted(groups.items(), key=lambda item: -item[1].resident))


def _group(name: str) -> str:
    if not name.startswith("/"):
        return PRIVATE
    return next((group for part, group in _GROUPS if part in name), OTHER)


def _mb(line: str) -> float:
    return int(line.split()[1]) * 1024 / 1e6
