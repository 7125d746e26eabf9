"""Renders the templates of this package; every value is escaped where it enters one.

Characters that do not print are shown as escapes, so a name can neither hide nor reverse what stands beside it.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from device.errors import MissingExtraError
from device.printable import printable

if TYPE_CHECKING:
    import jinja2


def rendered(template: str, **values: Any) -> str:
    """A template of the folder `templates`, with these values.

    Raises:
        MissingExtraError: Jinja2 is not installed.
    """
    return _environment().get_template(template).render(**values)


@functools.cache
def _environment() -> jinja2.Environment:
    try:
        import jinja2
    except ImportError as error:
        raise MissingExtraError("the page needs jinja2, which is not installed; install auricle[web]") from error
    return jinja2.Environment(
        loader=jinja2.PackageLoader("device.web.pages"),
        autoescape=True,
        finalize=_visible,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )


def _visible(value: Any) -> Any:
    return value if hasattr(value, "__html__") else printable(str(value))
