"""The settings of `auricle web`, the page that is a process of its own."""

from __future__ import annotations

from dataclasses import dataclass

from device.config.kinds import Boolean, Integer, OrKeyword, Text
from device.config.schema import TableSettings, key

_PORT = r"([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])"
_LISTEN = Text(
    rf"([0-9]{{1,3}}(\.[0-9]{{1,3}}){{3}}|\[[0-9A-Fa-f:.]+\]|localhost):{_PORT}",
    'an address and a port, as "127.0.0.1:8127" or "[::1]:8127"',
)
_ADDRESS = Text(r"[0-9]{1,3}(\.[0-9]{1,3}){3}|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*", "an address of IPv4 or IPv6")
_BASE_PATH = Text(r"/([A-Za-z0-9._~-]+/)*", 'a path that begins and ends with /, as "/auricle/"')
_ANCESTORS = Text(r"self|https?://[A-Za-z0-9.:\[\]-]+", '"self", or the origin of a page, as "https://home.local:8123"')
_PAGE_URL = Text(r"https?://[A-Za-z0-9.:\[\]-]+(/[A-Za-z0-9._~/-]*)?", 'an address as "https://anna.local:8127/"')
_FILE = Text(r".*\S.*", "the path of a file")


@dataclass(frozen=True, slots=True)
class WebSettings(TableSettings):
    """The page on the phone, which `auricle web` serves; nothing listens, unless an address is named.

    Attributes:
        listen: None for nowhere.
        url: of the page as people open it; None if unknown.
        frame_ancestors: None for none.
        proxy: None if no proxy is trusted.
        cert_file: None for a connection without TLS.
    """

    listen: str | None = key(
        None,
        OrKeyword(_LISTEN, "off"),
        'Where the page is served, as "127.0.0.1:8127"; any address but this machine\'s own demands a password.',
    )
    url: str | None = key(
        None, OrKeyword(_PAGE_URL, "off"), "Where people open the page; Home Assistant then links to it."
    )
    base_path: str = key("/", _BASE_PATH, "The path below which a proxy serves the page.")
    proxy: str | None = key(
        None,
        OrKeyword(_ADDRESS, "off"),
        "Address of a proxy, or of Home Assistant's ingress, whose word about visitors, paths and TLS is believed.",
    )
    frame_ancestors: str | None = key(
        None, OrKeyword(_ANCESTORS, "none"), "Which other page may show this one in a frame; ingress needs self."
    )
    accounts_file: str | None = key(
        None, OrKeyword(_FILE, "auto"), "File of the accounts; else the systemd credential web-accounts, or its own."
    )
    cert_file: str | None = key(None, OrKeyword(_FILE, "off"), "The certificate for TLS ...")
    key_file: str | None = key(None, OrKeyword(_FILE, "off"), "... and its key; auricle web certificate makes both.")
    session_days: int = key(30, Integer(1, 365), "A login that is not used for this long ends.")
    listen_in: bool = key(
        default=False,
        kind=Boolean(),
        description="Whether accounts with the right listen-in may listen to the room, live.",
    )
    classify: bool = key(
        default=False,
        kind=Boolean(),
        description="Whether programs may send a recording to be heard: POST /api/classify.",
    )
    classify_max_mb: int = key(120, Integer(1, 2000), "A recording that is sent may have so many megabytes ...")
    classify_max_s: int = key(600, Integer(1, 7200), "... and last so many seconds ...")
    classify_within_s: int = key(
        120, Integer(5, 3600), "... and must have arrived, and been heard, within so many seconds."
    )
