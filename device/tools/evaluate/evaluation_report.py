"""An evaluation in words for people, and as JSON for programs."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from device.config.wording import bracketed
from device.printable import printable
from device.quantity import quantity
from device.report.result_files import encode
from device.tools.evaluate.sound_comparison import quantile

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from device.tools.evaluate.sound_comparison import Comparison, Counts

_MOST_LINES = 20
_COLUMNS = "  sensitivity  found          false alarms an hour (95 %)  delay: median, 90 %"


@dataclass(frozen=True, slots=True)
class LabelEvaluation:
    """The figures of one label of one model.

    Attributes:
        model: its name.
        label: its name.
        configured: sensitivity as configured.
        recordings: source -> what was found in it as configured.
        swept: sensitivity -> sums; the configured one alone if the model follows another one.
        delays_s: sensitivity -> from the start of each found sound to its alert.
        recommended: the sensitivity to configure.
    """

    model: str
    label: str
    configured: int
    recordings: dict[str, Comparison]
    swept: dict[int, Counts]
    delays_s: dict[int, tuple[float, ...]]
    recommended: int


def evaluation_text(labels: Sequence[LabelEvaluation], *, most_per_hour: float) -> str:
    """The tables of all labels, and a sentence on what to configure for each."""
    blocks = ["\n".join(_block(each)) for each in labels]
    return "\n\n".join([*blocks, "\n".join(sentence(each, most_per_hour) for each in labels)]) + "\n"


def sentence(each: LabelEvaluation, most_per_hour: float) -> str:
    """What to change in the configuration, and why."""
    now, best = each.swept[each.configured], each.swept[each.recommended]
    key = f"sensitivity = {each.recommended}"
    where = f"in {bracketed(('model', each.model, 'label', each.label))}"
    if not now.sounds:
        return f"{each.label}: no such sound is labelled, so nothing can be said about what would be missed."
    if best.false_alarms_per_hour > most_per_hour:
        return (
            f"{each.label}: no sensitivity stays within {most_per_hour:g} false alarms an hour; {key} {where} raised "
            f"fewest, {best.false_alarms_per_hour:.2f}, and found {best.found} of {best.sounds}."
        )
    if each.recommended == each.configured:
        return (
            f"{each.label}: keep {key}: it found {now.found} of {now.sounds} and raised {_rate(now)}; "
            f"no other finds more with at most {most_per_hour:g}."
        )
    return (
        f"{each.label}: {key} {where} would have found {best.found} of {best.sounds} (now {now.found}) and raised "
        f"{_rate(best)} (now {now.false_alarms_per_hour:.2f})."
    )


def evaluation_json(labels: Sequence[LabelEvaluation], *, recordings: int, hours: float) -> bytes:
    """All figures; times in seconds of each recording."""
    content = {"recordings": recordings, "hours": round(hours, 6), "labels": [_label_json(each) for each in labels]}
    return encode(json.dumps(content, indent=1, ensure_ascii=False) + "\n")


def _block(each: LabelEvaluation) -> Iterator[str]:
    now = each.swept[each.configured]
    yield f"{printable(each.label)} (model {printable(each.model)}), sensitivity {each.configured} as configured"
    yield f"  found         {_found(now)}"
    yield f"  false alarms  {now.false_alarms} in {now.hours:.2f} h: {_interval(now)} an hour"
    yield f"  delay         {_delay(each.delays_s[each.configured])}"
    yield f"  onset off by  {_errors([error for one in each.recordings.values() for error in one.onset_errors_s])}"
    yield f"  end off by    {_errors([error for one in each.recordings.values() for error in one.offset_errors_s])}"
    places = list(_places(each))
    yield from places[:_MOST_LINES]
    if len(places) > _MOST_LINES:
        yield f"  and {len(places) - _MOST_LINES} more, which --json names"
    if len(each.swept) > 1:
        yield ""
        yield _COLUMNS
        for sensitivity, sums in sorted(each.swept.items()):
            mark = ">" if sensitivity == each.configured else " "
            delay = _spread(each.delays_s[sensitivity])
            yield f"{mark} {sensitivity:11d}  {_found(sums):<14} {_interval(sums):<28} {delay}".rstrip()


def _places(each: LabelEvaluation) -> Iterator[str]:
    """The missed sounds and the false alarms, a line for each."""
    for source, one in each.recordings.items():
        for sound in one.missed:
            yield f"  missed        {printable(source)}  {sound.start_s:.2f} to {sound.end_s:.2f} s"
        for span in one.false_alarms:
            yield f"  false alarm   {printable(source)}  {span.began_s:.2f} to {span.ended_s:.2f} s ({span.score:.2f})"


def _found(sums: Counts) -> str:
    return f"{sums.found} of {sums.sounds}" + (f" ({100 * sums.found / sums.sounds:.0f} %)" if sums.sounds else "")


def _interval(sums: Counts) -> str:
    low, high = sums.interval
    return f"{sums.false_alarms_per_hour:.2f} ({low:.2f} to {high:.2f})"


def _rate(sums: Counts) -> str:
    return f"{sums.false_alarms_per_hour:.2f} false alarms an hour"


def _spread(values: Sequence[float]) -> str:
    median, most = quantile(values, 0.5), quantile(values, 0.9)
    return "-" if median is None or most is None else f"{median:.2f} s, {most:.2f} s"


def _delay(values: Sequence[float]) -> str:
    median, most = quantile(values, 0.5), quantile(values, 0.9)
    return "-" if median is None or most is None else f"{median:.2f} s (median), at most {most:.2f} s in 90 %"


def _errors(values: Sequence[float]) -> str:
    median, most = quantile(values, 0.5), quantile([abs(value) for value in values], 0.9)
    if median is None or most is None:
        return "-"
    return f"{median:+.2f} s (median), at most {most:.2f} s in 90 % of {quantity(len(values), 'case')}"


def _label_json(each: LabelEvaluation) -> dict[str, Any]:
    return {
        "model": each.model,
        "label": each.label,
        "sensitivity": each.configured,
        "recommended": each.recommended,
        "onset_errors_s": [round(error, 3) for one in each.recordings.values() for error in one.onset_errors_s],
        "offset_errors_s": [round(error, 3) for one in each.recordings.values() for error in one.offset_errors_s],
        "sensitivities": [_sums_json(step, sums, each.delays_s[step]) for step, sums in sorted(each.swept.items())],
        "missed": [
            {"source": source, "start_s": sound.start_s, "end_s": sound.end_s}
            for source, one in each.recordings.items()
            for sound in one.missed
        ],
        "false_alarms": [
            {"source": source, "start_s": round(span.began_s, 3), "end_s": round(span.ended_s, 3), "score": span.score}
            for source, one in each.recordings.items()
            for span in one.false_alarms
        ],
    }


def _sums_json(sensitivity: int, sums: Counts, delays_s: Sequence[float]) -> dict[str, Any]:
    low, high = sums.interval
    return {
        "sensitivity": sensitivity,
        "labelled": sums.sounds,
        "found": sums.found,
        "false_alarms": sums.false_alarms,
        "false_alarms_per_hour": round(sums.false_alarms_per_hour, 6),
        "interval_per_hour": [round(low, 6), round(high, 6)],
        "delay_median_s": quantile(delays_s, 0.5),
        "delay_90_s": quantile(delays_s, 0.9),
    }
