"""Cuts the network between the broker and the devices that come from one address, by nftables; needs root."""

from __future__ import annotations

import os
import subprocess
from typing import Self

from tests.programs import program

_RULES = """
table ip {name} {{
    chain input {{
        type filter hook input priority 0; policy accept;
        ip saddr {address} tcp dport {port} drop
        ip daddr {address} tcp sport {port} drop
    }}
}}
"""


class NetworkCut:
    """While its block runs, no packet passes between an address and a port; others notice nothing.

    Args:
        address: of this machine.
        port: of the broker.
    """

    def __init__(self, address: str, port: int) -> None:
        self._name = f"auricle_fleet_{port}"
        self._rules = _RULES.format(name=self._name, address=address, port=port)

    def __enter__(self) -> Self:
        subprocess.run([program("nft"), "-f", "-"], input=self._rules, check=True, text=True)
        return self

    def __exit__(self, *_error: object) -> None:
        subprocess.run([program("nft"), "delete", "table", "ip", self._name], check=True)


def can_cut() -> bool:
    """Whether this process may: root of a machine that withholds nothing from it."""
    asked = [program("nft"), "list", "tables"]
    return os.geteuid() == 0 and subprocess.run(asked, check=False, capture_output=True).returncode == 0
