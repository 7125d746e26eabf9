"""Finds programs of the distribution: tests and benchmarks call only those that packages.sh installs.

Any other program would be missing on a new machine, and be there only if somebody had installed it by hand.
"""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

PACKAGES_SCRIPT = Path(__file__).parent / "system" / "packages.sh"

ON_EVERY_SYSTEM = frozenset({"mount", "nice", "nsenter", "setpriv", "sh", "true", "umount", "unshare"})
"""Of coreutils, dash, mount and util-linux, which a minimal Debian holds."""

_SUPERUSERS = ":/usr/local/sbin:/usr/sbin:/sbin"


class MissingProgramError(AssertionError):
    """A program is not listed in packages.sh, or not installed; the test fails, it is never skipped."""


def asked_for() -> dict[str, str]:
    """Program -> package, as packages.sh installs them."""
    lines = PACKAGES_SCRIPT.read_text(encoding="utf-8").splitlines()
    needs = [match for line in lines if (match := re.search(r"\bneed ([\w.+-]+) ([\w.+-]+)$", line))]
    return {str(need[1]): str(need[2]) for need in needs}


def program(name: str) -> str:
    """Path of a program, also of one in a folder that only root's PATH names.

    Raises:
        MissingProgramError: packages.sh does not ask for it, or it is not installed.
    """
    if name not in ON_EVERY_SYSTEM and name not in asked_for():
        raise MissingProgramError(f"{name} is called but tests/system/packages.sh does not ask for it: add its package")
    found = shutil.which(name, path=os.environ.get("PATH", "") + _SUPERUSERS)
    if found is None:
        raise MissingProgramError(f"{name} is missing: make test installs it if it may, or says what to install")
    return found
