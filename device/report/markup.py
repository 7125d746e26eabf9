"""Text, times and whole documents in HTML that is safe whatever a file is called.

A document loads nothing: its policy allows embedded pictures and sound, and the one style sheet and
script whose hashes it states.
"""

from __future__ import annotations

import base64
import hashlib
import html
from importlib import resources
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_BASE64_PIECE_BYTES = 3 * 2**18


def text(value: object) -> str:
    r"""`value` for use between tags and in quoted attributes; what would not print is written as `\u202e`."""
    printable = "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in str(value))
    return html.escape(printable, quote=True)


def clock(seconds: float, decimals: int = 2) -> str:
    """Seconds as `M:SS.ss`, from an hour on as `H:MM:SS.ss`; rounded, never `0:60`."""
    ticks = round(seconds * 10**decimals)
    whole, fraction = divmod(abs(ticks), 10**decimals)
    hours, minutes, rest = whole // 3600, whole // 60 % 60, whole % 60
    front = f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
    sign = "-" if ticks < 0 else ""
    return f"{sign}{front}.{fraction:0{decimals}}" if decimals else sign + front


def data_uri(data: bytes, mime: str) -> Iterator[str]:
    """The address that holds `data` itself, in pieces, so that a large one is never a string of its own."""
    yield f"data:{mime};base64,"
    for first in range(0, len(data), _BASE64_PIECE_BYTES):
        yield base64.b64encode(data[first : first + _BASE64_PIECE_BYTES]).decode("ascii")


def document(title: str, body: Iterable[str], *, script: bool) -> Iterator[str]:
    """A whole HTML document around `body`, in pieces; with the report's script if wanted."""
    style = _asset("page.css")
    code = _asset("page.js") if script else ""
    policy = "; ".join(
        [
            "default-src 'none'",
            "img-src data:",
            "media-src data:",
            f"style-src {_hash_source(style)}",
            f"script-src {_hash_source(code) if script else chr(39) + 'none' + chr(39)}",
            "base-uri 'none'",
            "form-action 'none'",
        ]
    )
    yield '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
    yield f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
    yield '<meta name="color-scheme" content="light dark">\n<meta name="referrer" content="no-referrer">\n'
    yield f"<title>{text(title)}</title>\n<style>{style}</style>\n</head>\n<body>\n"
    yield from body
    yield f"<script>{code}</script>\n" if script else ""
    yield "</body>\n</html>\n"


def _asset(name: str) -> str:
    return resources.files("device.report").joinpath(name).read_text(encoding="utf-8")


def _hash_source(content: str) -> str:
    digest = base64.b64encode(hashlib.sha256(content.encode("utf-8")).digest()).decode("ascii")
    return f"'sha256-{digest}'"
