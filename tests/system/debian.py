"""Debian for the trees that tests build: the mirror that this machine itself uses."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys


def mirror() -> str:
    """Address of the mirror that apt is configured with here; DEBIAN_MIRROR names another.

    Ends the process with a sentence if there is none.
    """
    given = os.environ.get("DEBIAN_MIRROR")
    if given:
        return given
    command = ["apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages"]
    known = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    mirrors = [uri for uri in known if uri.rstrip("/").endswith("/debian")]
    if not mirrors:
        sys.exit("apt knows no Debian mirror here; set DEBIAN_MIRROR to one")
    return mirrors[0]


def demand_debootstrap(made_by: str, **programs: str) -> None:
    """Install debootstrap and other programs, as root with apt-get; otherwise end the process with a sentence.

    Args:
        made_by: the command that needs it, for the sentence.
        programs: further programs, as program="package"; an underscore stands for a hyphen.
    """
    if os.geteuid() != 0:
        sys.exit(f"a tree of another release is unpacked and entered by root alone: sudo {made_by}")
    wanted = {"debootstrap": "debootstrap", **{name.replace("_", "-"): package for name, package in programs.items()}}
    missing = sorted({package for name, package in wanted.items() if not shutil.which(name)})
    if not missing:
        return
    apt_get = shutil.which("apt-get")
    if apt_get is None:
        sys.exit(f"{made_by} needs {', '.join(missing)}; install it with your package manager")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (["update"], ["install", "--yes", "--no-install-recommends", *missing]):
        subprocess.run([apt_get, "-qq", *command], check=True, env=environment, stdout=subprocess.DEVNULL)
