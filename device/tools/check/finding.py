"""What a check found, and how it is told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from device.config.toml_text import printable
from device.errors import AuricleError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Verdict = Literal["ok", "warning", "failure"]


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found.

    Attributes:
        name: of the check.
        verdict: a warning may be lived with; with a failure Auricle does not hear, or cannot tell.
        says: one sentence with the figure.
        do: what helps; empty where all is well.
    """

    name: str
    verdict: Verdict
    says: str
    do: str = ""


def tried(name: str, check: Callable[[], Finding], do: str) -> Finding:
    """What a check finds; one that cannot find out says so.

    Args:
        name: of the check.
        check: raises what it likes; one of our own errors is a failure, its message the sentence.
        do: what helps against such a failure.
    """
    try:
        return check()
    except AuricleError as error:
        return Finding(name, "failure", str(error), do)
    except Exception as error:  # noqa: BLE001 - a check that breaks must not keep the others from being made
        said = f"cannot be found out: {type(error).__name__}: {error}"
        return Finding(name, "warning", said, "try the other checks first; this one may break with them")


def finding_lines(finding: Finding) -> Iterator[str]:
    """One line, and a second where there is something to do."""
    word = finding.verdict if finding.verdict == "ok" else finding.verdict.upper()
    yield f"{word:<8} {finding.name:<12} {_one_line(finding.says)}"
    if finding.do:
        yield f"{'':<21} what to do: {_one_line(finding.do)}"


def _one_line(text: str) -> str:
    return printable(" ".join(text.split()))
