"""HTML and SVG from the templates of this package; safe whatever a file or a model is called.

Jinja2 escapes every value where it enters a template, so no caller can forget to. A document loads nothing: its
policy allows embedded pictures and sound, and the one style sheet and script whose hashes it states.

Jinja2 3.1 and MarkupSafe take 0.5 MB of disk, and in a process that writes a page 60 ms and 11 MB for the import and
0.2 s to compile the templates (x86-64). So they are imported by the first page, never by a replay without one. Each
later page takes about 10 ms, a large sound passes through in pieces.
"""

from __future__ import annotations

import base64
import functools
import hashlib
from importlib import resources
from typing import TYPE_CHECKING, Any

from device.errors import MissingExtraError

if TYPE_CHECKING:
    from collections.abc import Iterator

    import jinja2

_BASE64_PIECE_BYTES = 3 * 2**18


def render(template: str, **values: Any) -> Iterator[str]:
    """Yield a document in pieces, so that a large picture or sound is never part of one long string.

    Args:
        template: file name in the folder `templates`.
        values: what the template shows.

    Raises:
        MissingExtraError: Jinja2 is not installed.
    """
    return environment().get_template(template).generate(**values)


@functools.cache
def environment() -> jinja2.Environment:
    """The environment of all templates: escapes every value, and refuses an undefined one.

    Raises:
        MissingExtraError: Jinja2 is not installed.
    """
    try:
        import jinja2
    except ImportError as error:
        raise MissingExtraError("a report needs jinja2, which is not installed; install auricle[device]") from error
    created = jinja2.Environment(
        loader=jinja2.PackageLoader("device.report"),
        autoescape=True,
        finalize=_visible,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    created.filters.update(clock=clock, data_uri=data_uri, fixed=fixed)
    created.globals.update(asset=_asset, hash_source=_hash_source)
    return created


def clock(seconds: float, decimals: int = 2) -> str:
    """Seconds as `M:SS.ss`, from an hour on as `H:MM:SS.ss`; rounded, never `0:60`."""
    ticks = round(seconds * 10**decimals)
    whole, fraction = divmod(abs(ticks), 10**decimals)
    hours, minutes, rest = whole // 3600, whole // 60 % 60, whole % 60
    front = f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
    sign = "-" if ticks < 0 else ""
    return f"{sign}{front}.{fraction:0{decimals}}" if decimals else sign + front


def data_uri(data: bytes, mime: str) -> Iterator[str]:
    """Yield the `data:` URI that holds `data`, in pieces, so that a large one is never a string of its own."""
    yield f"data:{mime};base64,"
    for first in range(0, len(data), _BASE64_PIECE_BYTES):
        yield base64.b64encode(data[first : first + _BASE64_PIECE_BYTES]).decode("ascii")


def fixed(value: float, decimals: int) -> str:
    """A number with this many decimals."""
    return f"{value:.{decimals}f}"


def _visible(value: Any) -> Any:
    r"""A value as a template shows it: characters that do not print are written as `\u202e`."""
    if hasattr(value, "__html__"):
        return value
    text = str(value)
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def _asset(name: str) -> str:
    """The report's style sheet or script."""
    return resources.files("device.report").joinpath("templates", name).read_text(encoding="utf-8")


def _hash_source(content: str) -> str:
    return base64.b64encode(hashlib.sha256(content.encode("utf-8")).digest()).decode("ascii")
