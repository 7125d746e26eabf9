"""The identity of an instance as a device of Home Assistant: it depends neither on a topic nor on a later rename."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import socket
from pathlib import Path

MACHINE_ID = Path("/etc/machine-id")
"""See machine-id(5): it must not be published, so only a hash of it is."""

_HEX_DIGITS = 8


def new_device_id(instance: str) -> str:
    """An identity that no device ever had; the journal remembers it."""
    return f"auricle_{instance}_{secrets.token_hex(_HEX_DIGITS // 2)}"


def device_id_of_machine(instance: str, machine_id: Path = MACHINE_ID) -> str:
    """The identity of an instance without a journal: the same after each start on this machine."""
    digest = hashlib.sha256(b"auricle device %s %s" % (_machine(machine_id), instance.encode())).hexdigest()
    return f"auricle_{instance}_{digest[:_HEX_DIGITS]}"


def machine_digest(instance: str, machine_id: Path = MACHINE_ID) -> str:
    """Eight digits that differ between machines and instances, and stay the same after each start.

    HMAC-SHA256 of the application under the machine's id, as machine-id(5) recommends; without an id, of its name.
    """
    key = _machine(machine_id) or socket.gethostname().encode()
    return hmac.new(key, b"auricle mqtt " + instance.encode(), hashlib.sha256).hexdigest()[:_HEX_DIGITS]


def _machine(machine_id: Path) -> bytes:
    """The machine's id; empty if it has none."""
    try:
        return machine_id.read_bytes().strip()
    except OSError:
        return b""
