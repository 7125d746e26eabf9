"""Runs one check; one that raises becomes a finding too."""

from __future__ import annotations

from typing import TYPE_CHECKING

from device.config.loading import locating
from device.errors import AuricleError, ConfiguredError
from device.findings import Finding

if TYPE_CHECKING:
    from collections.abc import Callable

_CORRECT = "correct that line; auricle config --check FILE lists every mistake at once"

AS_THE_DAEMON = "ask as whoever runs the daemon, as with sudo -u auricle"
"""The cure if a file belongs to the daemon's user."""


def run_check(name: str, check: Callable[[], Finding], cure: str, config: str | None = None) -> Finding:
    """The finding of a check; an exception becomes a finding too.

    Args:
        name: of the check.
        check: an AuricleError that it raises is a failure, any other exception a warning.
        cure: of such a failure.
        config: the file of the settings, whose line a failure about a key then names; None for none.
    """
    try:
        with locating(config):
            return check()
    except ConfiguredError as error:
        return Finding(name, "failure", str(error), _CORRECT if error.key and config is not None else cure)
    except AuricleError as error:
        return Finding(name, "failure", str(error), cure)
    except Exception as error:  # noqa: BLE001 - a check that breaks must not prevent the others
        summary = f"cannot be found out: {type(error).__name__}: {error}"
        return Finding(name, "warning", summary, "try the other checks first; this one may break with them")
