"""Addresses of streams, `rtsp://HOST/PATH` and the like: what they may be, how they are shown, and who logs in.

A password stands in no address of a configuration, since addresses are shown, logged and published. It comes from a
file, and goes into the address only where the stream is opened.
"""

from __future__ import annotations

import re
from urllib.parse import quote, urlsplit

SCHEMES = ("rtsp", "rtsps", "http", "https")
"""What the address of a stream begins with."""

USERNAME, PASSWORD = "{username}", "{password}"
"""Where an address wants the login in its path or query, as some cameras do, instead of in front of the host."""

_SCHEME = re.compile(rf"\s*({'|'.join(SCHEMES)}):", re.IGNORECASE)
_ADDRESS = re.compile(r"[A-Za-z]+://(\[[0-9A-Fa-f:.]+\]|[\w.-]+)(:[0-9]{1,5})?(?=[/?#]|$)")
_SECRET = re.compile(r"(?<![a-z])(pass|passwd|password|pwd|token)=(?!\{password\}([&/#]|$))[^&/#]", re.IGNORECASE)


def is_stream(device: str) -> bool:
    """Whether a `device` is the address of a stream, a valid one or not."""
    return _SCHEME.match(device) is not None


def address_mistake(address: str) -> str | None:
    """What is wrong with an address, as the end of `"device" ...`, without any part of it; None if nothing is."""
    if "@" in address.partition("://")[2].partition("?")[0] or _SECRET.search(address):
        return (
            'holds a login, which would be shown: write the address without it, the user as "username" and the '
            f'password into a file, the path of which is "password_file"; {PASSWORD} stands for it in an address'
        )
    if not address.isprintable() or re.search(r"\s", address):
        return "holds a space or a control character, which no address may: write it as %20"
    if _ADDRESS.match(address) is None or not _port_is_valid(address):
        return "is no address of a stream: rtsp://HOST/PATH or https://HOST:PORT/PATH would be"
    return None


def _port_is_valid(address: str) -> bool:
    try:
        return urlsplit(address).port != 0
    except ValueError:
        return False


def shown_address(address: str) -> str:
    """The address for people: without the query, in which some cameras want a token."""
    return re.split(r"[?#]", address, maxsplit=1)[0]


def has_place(address: str) -> bool:
    """Whether the address says itself where the login goes."""
    return USERNAME in address or PASSWORD in address


def with_login(address: str, username: str | None, password: str | None) -> str:
    """The address to open: with the login in its place, or in front of the host; never to be shown.

    Args:
        address: as configured.
        username: None for no login.
        password: any characters; they are encoded here.
    """
    user, secret = quote(username or "", safe=""), quote(password or "", safe="")
    scheme, _, rest = address.partition("://")
    if has_place(address):
        rest = rest.replace(USERNAME, user).replace(PASSWORD, secret)
    elif username is not None:
        rest = f"{user}:{secret}@{rest}"
    return f"{scheme.lower()}://{rest}"
