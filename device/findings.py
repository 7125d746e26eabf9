"""What a check or a measurement found, and how it is printed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from device.printable import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

FindingOutcome = Literal["ok", "warning", "failure"]


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
    outcome: FindingOutcome
    summary: str
    cure: str = ""


def finding_lines(finding: Finding) -> Iterator[str]:
    """One line, and a second one if there is a cure."""
    word = finding.outcome if finding.outcome == "ok" else finding.outcome.upper()
    yield f"{word:<8} {finding.name:<12} {_one_line(finding.summary)}"
    if finding.cure:
        yield f"{'':<21} what to do: {_one_line(finding.cure)}"


def _one_line(text: str) -> str:
    return printable(" ".join(text.split()))
