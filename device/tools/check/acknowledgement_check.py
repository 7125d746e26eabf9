"""Whether somebody can acknowledge alarms that stay until they are acknowledged."""

from __future__ import annotations

import contextlib
import grp
import pwd
from typing import TYPE_CHECKING

from device.config.wording import alternatives, shown
from device.findings import Finding

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from device.config.settings import Settings

DAEMON_GROUP = "auricle"
"""The user and the group that the unit file names."""


def group_members(group: str = DAEMON_GROUP) -> Collection[str]:
    """The users of a group, the daemon's own user left out; none if there is no such group."""
    with contextlib.suppress(KeyError):
        entry = grp.getgrnam(group)
        primary = [user.pw_name for user in pwd.getpwall() if user.pw_gid == entry.gr_gid]
        return sorted({*entry.gr_mem, *primary} - {DAEMON_GROUP})
    return ()


def check_acknowledgement(
    settings: Settings, *, by_unit: bool, members: Callable[[], Collection[str]] = group_members
) -> Finding:
    """Whether somebody can acknowledge what is latched: over MQTT, by a button, or through the local socket.

    Root, who may do everything, counts for nobody: at night nobody types a password.

    Args:
        settings: of the daemon.
        by_unit: the daemon runs under the unit file, as a user whom nobody logs in as; otherwise it runs as a person.
        members: returns who may use the socket of a daemon that runs under the unit file.
    """
    ways = ["MQTT"] if settings.mqtt.host is not None else []
    ways += ["the button"] if settings.gpio.button is not None else []
    users = list(members()) if by_unit else []
    if users or not by_unit:
        ways.append(f"auricle acknowledge (by {alternatives(users)})" if users else "auricle acknowledge")
    if ways:
        return Finding("acknowledge", "ok", f"alarms can be acknowledged by {alternatives(ways)}")
    latch = settings.alarms.latch
    cure = f'sudo adduser YOU {DAEMON_GROUP}, then log in again; or set "button" in [gpio], or "host" in [mqtt]'
    nobody = f"nobody can acknowledge: [mqtt] has no host, [gpio] no button, and nobody is in the group {DAEMON_GROUP}"
    if latch == "off":
        return Finding("acknowledge", "warning", nobody, cure)
    summary = f'"latch" in [alarms] is {shown(latch)}, so alarms stay until somebody acknowledges them, and {nobody}'
    return Finding("acknowledge", "failure", summary, f'{cure}; or set "latch" to "off"')
