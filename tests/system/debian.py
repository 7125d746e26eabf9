"""Debian for the trees that tests build: the mirror that this machine itself uses."""

from __future__ import annotations

import os
import subprocess
import sys


def mirror() -> str:
    """Address of the mirror that apt is configured with here; DEBIAN_MIRROR names another.

    Ends the process with a sentence where there is none.
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
