"""The page that says why there was an alert at a moment, or why there was none. Pure."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from device.daytime import utc_text, within_years
from device.fault_info import FAULTS
from device.messages import LOUDNESS
from device.report.explain import IN_NO_WINDOW
from device.web.pages.now_view import label_text

if TYPE_CHECKING:
    from datetime import tzinfo

    from device.report.explain import ExplainedLabel
    from device.report.spans import FaultSpan
    from device.web.live.hindsight import Hindsight

_STEPS_S = (-10, -2, 2, 10)


def why_values(found: Hindsight, zone: tzinfo | None, now_utc_s: float) -> dict[str, Any]:
    """The values of the template.

    Args:
        found: what is known of the moment.
        zone: of the times that are shown; None for the machine's own.
        now_utc_s: now.
    """
    explanation = found.explanation
    all_labels = () if explanation is None else explanation.labels
    decided = [each for each in all_labels if each.span or any(window.state for window in each.windows)]
    nothing = not found.why_unknown and (explanation is None or explanation.in_no_window)
    return {
        "at": exact_clock(found.at_utc_s, zone),
        "day": f"{_local(found.at_utc_s, zone):%A %-d %B}",
        "why_unknown": found.why_unknown,
        "in_no_window": f"it {IN_NO_WINDOW}" if nothing else "",
        "labels": [_label(found, each, zone) for each in decided],
        "others": [
            (label_text(each.label), each.model, f"{max(window.score for window in each.windows):.3f}")
            for each in all_labels
            if each not in decided and each.windows
        ],
        "faults": [] if explanation is None else [_fault(found, each, zone) for each in explanation.faults],
        "circumstances": found.circumstances,
        "surest": [
            (exact_clock(each.at_utc_s, zone), address(each.at_utc_s), label_text(each.label), f"{each.score:.2f}")
            for each in found.surest
        ],
        "steps": [
            (f"{abs(step)} s {'earlier' if step < 0 else 'later'}", address(found.at_utc_s + step))
            for step in _STEPS_S
            if found.at_utc_s + step <= now_utc_s
        ],
        "local": _local(found.at_utc_s, zone).strftime("%Y-%m-%dT%H:%M:%S"),
    }


def address(utc_s: float) -> str:
    """Of the page about a moment, relative to the first screen."""
    return f"why?at={utc_text(utc_s, 'milliseconds')}"


def exact_clock(utc_s: float, zone: tzinfo | None) -> str:
    """`03:02:07.5` in a zone."""
    local = _local(utc_s, zone)
    return f"{local:%H:%M:%S}.{local.microsecond // 100_000}"


def local_moment(text: str, zone: tzinfo | None) -> float:
    """The UTC seconds of a time as people enter it, in a zone; None is the machine's own.

    Raises:
        ValueError: it is no time.
        OverflowError: it is too far away.
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None and zone is not None:
        moment = moment.replace(tzinfo=zone)
    return within_years(moment.timestamp())


def _label(found: Hindsight, label: ExplainedLabel, zone: tzinfo | None) -> dict[str, Any]:
    span = label.span
    event = span and {
        "since": exact_clock(found.utc_of(span.start_s), zone),
        "until": exact_clock(found.utc_of(span.end_s), zone),
        "decided": exact_clock(found.utc_of(span.decided_s), zone),
        "opened_by": span.opened_by,
        "closed_by": span.closed_by or "nothing, as far as this page knows",
        "verdict": span.verdict,
    }
    is_alert, reason = label.verdict.startswith("an alert"), label.verdict.removeprefix("no alert; ")
    return {
        "title": label_text(label.label),
        "model": "" if label.model == LOUDNESS else label.model,
        "is_alert": is_alert,
        "verdict": reason[:1].upper() + reason[1:],
        "event": event,
        "windows": [
            (
                exact_clock(found.utc_of(window.start_s), zone),
                exact_clock(found.utc_of(window.end_s), zone),
                f"{window.score:.3f}",
                window.rule,
            )
            for window in label.windows
        ],
    }


def _fault(found: Hindsight, fault: FaultSpan, zone: tzinfo | None) -> dict[str, str]:
    words = FAULTS[fault.kind].words
    return {
        "title": words[:1].upper() + words[1:],
        "since": exact_clock(found.utc_of(fault.start_s), zone),
        "until": "" if fault.lasted else exact_clock(found.utc_of(fault.end_s), zone),
        "detail": fault.detail,
    }


def _local(utc_s: float, zone: tzinfo | None) -> datetime:
    return datetime.fromtimestamp(utc_s, UTC).astimezone(zone)
