"""What a check found, how it is printed, and how a check that raises becomes a finding."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from device.config.loading import locating
from device.errors import AuricleError, ConfiguredError
from device.printable import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Outcome = Literal["ok", "warning", "failure"]

_CORRECT = "correct that line; auricle config --check FILE lists every mistake at once"

AS_THE_DAEMON = "ask as whoever runs the daemon, as with sudo -u auricle"
"""The cure if a file belongs to the daemon's user."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found.

    Attributes:
        name: of the check.
        outcome: after a warning Auricle still works; after a failure it does not hear, or raises no alarm.
        summary: one sentence with the figure.
        cure: what to do; empty if nothing is wrong.
    """

    name: str
    outcome: Outcome
    summary: str
    cure: str = ""


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


def finding_lines(finding: Finding) -> Iterator[str]:
    """One line, and a second one if there is a cure."""
    word = finding.outcome if finding.outcome == "ok" else finding.outcome.upper()
    yield f"{word:<8} {finding.name:<12} {_one_line(finding.summary)}"
    if finding.cure:
        yield f"{'':<21} what to do: {_one_line(finding.cure)}"


def _one_line(text: str) -> str:
    return printable(" ".join(text.split()))
