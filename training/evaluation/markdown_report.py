"""An evaluation as a page, `docs/cry-model.md`, and as the section that travels in a model's card.

Formats a report of JSON types; computes no figure of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from training.evaluation.alarm_counting import HOP_S, IN_TIME_S
from training.evaluation.event_metrics import EVERY_LEVEL, MOST_INT8_POINTS, worst_int8_cost
from training.mixing.clip_in_background import (
    LEAD_S,
    MARGIN_S,
    ONSET_DB,
    PAUSE_S,
    RECORDED_SHARE,
    SPEECH_OVER_ROOM_DB,
)
from training.statistics import RESAMPLES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    Row = Mapping[str, Any]

_MOST_KINDS = 12


_METHOD = f"""
listener: Every recording went through `device.hearing.listener.Listener`, which the daemon and `auricle replay` use
as well. The hop was {HOP_S:g} s, and the operating point was the bundle's own.

scenes: Each clip lies over a background. The background begins at least {MARGIN_S:g} s before the clip (up to
{LEAD_S:g} s more are drawn at random) and ends {MARGIN_S:g} s after it. {100 * RECORDED_SHARE:g} % of the backgrounds
are held-out recordings of homes (fans, rain, washing, clocks, a fire, quiet talk); the others are synthesized room
tones. The clip keeps its own level and fades in and out over 10 ms. The same code mixes validation scenes, from other
subjects.

levels: The level is the ratio of the clip's loud part to the background. The loud part is what lies within 20 dB of
its loudest 10 ms.

alerts: An alert is an event that begins. An event that re-opens within its cooldown is no new alert. An alert counts
for a clip if the window that decided it touches the clip. What begins in the background alone is counted separately.
Operating points are chosen by the same count.

ranking: ROC AUC ranks clips by the highest threshold at which the rule (k of the last n windows) would have raised an
alert while it touched the clip. So it describes the decision that is made. All sources are ranked against one set of
other clips, every one of the part.

delay: The onset of a cry is the first 50 ms within {ONSET_DB:g} dB of the clip's loud part, whether that is a cry or
a parent's word before it. The delay ends with the window that decided. The onset follows from the signal alone, so no
network marks the cries that another is timed by.

hours: False alarms an hour are counted on two kinds of sound. Ambient recordings and music are played through once,
unchanged. Each speaker's sentences are played with pauses of {PAUSE_S[0]:g} to {PAUSE_S[1]:g} s over a room tone
{SPEECH_OVER_ROOM_DB:g} dB below.

intervals: Intervals are 95 %: Wilson's for shares, exact Poisson for rates. Those by subject are bootstraps that draw
whole subjects again, {RESAMPLES} times.
"""

_SUBJECTS = {
    "test": "Infants, speakers and sources are fixed in the committed list. The network trained on none of those in "
    "this part, and none of them chose a checkpoint or a threshold.",
    "val": "Infants, speakers and sources are fixed in the committed list. The network trained on none of those in "
    "this part, but they chose the checkpoint and the threshold.",
}


_EVENTS = {"cry": "cries", "scream": "screams", "glass_breaking": "sounds of breaking glass", "siren": "sirens"}

_SUBJECTS_NAMED = {"test": "Test subjects", "val": "Validation subjects"}


def method(part: str) -> dict[str, str]:
    """How it was evaluated: names, each with a few sentences."""
    paragraphs = (" ".join(paragraph.split()) for paragraph in _METHOD.strip().split("\n\n"))
    named = (paragraph.split(": ", 1) for paragraph in paragraphs)
    return {"subjects": _SUBJECTS[part], **dict(named)}


def markdown(report: Row) -> str:
    """The page, with every table of the report."""
    own = report["systems"][0]
    parts = (
        [f"# How well {report['bundle']['name']} {report['bundle']['version']} hears", "", headline(report), ""],
        [_provenance(report), ""],
        _aims(report),
        _cries(own, _events(report)),
        _noise(own["noise"]),
        _delays(own["delay"]),
        _others(own["others"]),
        _hours(own),
        _beside(report["systems"], report["int8_cost"]),
        _listed(report["others"]),
        ["## How it was judged", "", *(f"- **{name}**: {text}" for name, text in method(report["part"]).items())],
    )
    return "\n".join(line for part in parts for line in part) + "\n"


def _events(report: Row) -> str:
    """What the events are called; the rows of `cries` hold those of any task, as cards of shipped models name them."""
    return _EVENTS[report.get("task", "cry")]


def headline(report: Row) -> str:
    """One sentence with the figures that matter, each with its interval."""
    own = report["systems"][0]
    cries = [row for row in own["cries"] if row["doubtful"] == "with" and row["half_of"] is None]
    recalls = ", ".join(
        f"{row['found']} of {row['clips']} in {row['source']} ({_range(row, 'recall')})" for row in cries
    )
    others, rates = own["others"]["all"], own["hours"]["sounds"]
    parts = [f"{_events(report)} found {report['snr_db']:g} dB over a background: {recalls}"] if cries else []
    if others["clips"]:
        parts.append(
            f"other clips that raise an alert: {others['found']} of {others['clips']} ({_range(others, 'share')})"
        )
    if rates:
        rate = rates[-1]
        parts.append(f"false alarms: {rate['alarms']} in {rate['hours']:.2f} h ({_rates(rate)} an hour)")
    return f"{_SUBJECTS_NAMED[report['part']]}, 95 % intervals in brackets: {'; '.join(parts)}."


def card_section(report: Row) -> dict[str, Any]:
    """The `headline` and `evaluation` of a bundle's card, JSON types."""
    own = report["systems"][0]
    return {
        "headline": headline(report),
        "evaluation": {
            "part": report["part"],
            "split_sha256": report["split"]["sha256"],
            "command": report["command"],
            "seed": report["seed"],
            "snr_db": report["snr_db"],
            "method": method(report["part"]),
            "aims": report["aims"],
            "cries": own["cries"],
            "noise": own["noise"],
            "delay": own["delay"],
            "other_clips_listed": {name: value for name, value in report["others"].items() if name != "kinds"},
            "other_clips": own["others"]["all"],
            "other_clips_by_set": own["others"]["sets"],
            "other_clips_worst": _worst(own["others"]),
            "false_alarms_an_hour": own["hours"]["sounds"],
            "int8_cost": report["int8_cost"] or report["earlier_int8_cost"],
            "beside": [_summary(system) for system in report["systems"]],
        },
    }


# --- sections -----------------------------------------------------------------------------------


def _provenance(report: Row) -> str:
    bundle, split, scenes = report["bundle"], report["split"], report["scenes"]
    return (
        f"Made by `{report['command']}` with seed {report['seed']} on {bundle['runtime']}. SHA-256 of the network: "
        f"`{bundle['network_sha256']}`; of the list `{split['file']}`: `{split['sha256']}`. It played "
        f"{scenes['cries']} {_events(report)} ({scenes['doubtful_cries']} of them doubtful), {scenes['others']} other "
        f"clips and {scenes['streams']} unbroken streams: {scenes['hours']:.1f} hours of sound with all levels."
    )


def _aims(report: Row) -> list[str]:
    rows = [(row["what"], row["aim"], f"{row['reached']:.4g}", "yes" if row["met"] else "no") for row in report["aims"]]
    if not rows:
        return []
    table = _table(("what", "aim", "reached", "met"), rows)
    return ["## Aims and results", "", *table, *([] if report["int8_cost"] else [_int8_not_measured(report), ""])]


def _int8_not_measured(report: Row) -> str:
    """What a page says of the cost of INT8 if the float network was not run."""
    sentence = "This run did not measure what INT8 costs: that needs the network before its conversion (`--float`)."
    worst = worst_int8_cost(report["earlier_int8_cost"])
    earlier = "; ".join(f"{what}: {points:.4g}" for what, points in worst.items() if points is not None)
    if not earlier:
        return sentence
    return (
        f"{sentence} An earlier evaluation of the same network measured it, and its bundle's card has kept the "
        f"figures ({earlier}). The aim is at most {MOST_INT8_POINTS:g}."
    )


def _cries(system: Row, events: str) -> list[str]:
    rule = (
        f"The {system['system']} network at its operating point: an event begins if windows of "
        f"{system['window_s']:g} s are at or above {system['on']:g} for {system['confirm_s']:g} s of the last "
        f"{system['confirm_of_s']:g} s. It ends after {system['hold_s']:g} s below {system['off']:g}, and re-opens "
        f"within {system['cooldown_s']:g} s."
    )
    header = ("source", "clips", "subjects", "ROC AUC", "by subject", "found", "recall", "Wilson", "by subject")
    return [f"## {events.capitalize()}", "", rule, "", *_table(header, map(_cry_cells, system["cries"]))]


def _cry_cells(row: Row) -> Sequence[str]:
    ranked = (
        ("-", "-") if row["auc"] is None else (f"{row['auc']:.4f}", f"{row['auc_low']:.4f} to {row['auc_high']:.4f}")
    )
    found = (str(row["found"]), _percent(row["recall"]), _range(row, "recall"), _range(row, "recall_by_subject"))
    return (_named(row), str(row["clips"]), str(row["subjects"]), *ranked, *found)


def _noise(rows: Sequence[Row]) -> list[str]:
    snrs_db = sorted({row["snr_db"] for row in rows}, reverse=True)
    cells = {(row["source"], row["snr_db"]): f"{_percent(row['recall'])} ({row['found']})" for row in rows}
    lines = [
        (source, *(cells.get((source, snr_db), "-") for snr_db in snrs_db))
        for source in dict.fromkeys(row["source"] for row in rows)
    ]
    header = ("source", *(f"{snr_db:g} dB" for snr_db in snrs_db))
    return ["### As the background grows", "", "Recall, and the number of clips found.", "", *_table(header, lines)]


def _delays(rows: Sequence[Row]) -> list[str]:
    header = ("source", "found", f"of those within {IN_TIME_S:g} s", "Wilson", "of all", "median", "95 % within")
    return ["## Delay from the onset", "", *_table(header, [_delay_cells(row) for row in rows if row["found"]])]


def _delay_cells(row: Row) -> Sequence[str]:
    shares = (_percent(row["in_time_of_found"]), _range(row, "in_time_of_found"), _percent(row["in_time_of_all"]))
    return (
        row["source"],
        f"{row['found']} of {row['clips']}",
        *shares,
        _seconds(row["median_s"]),
        _seconds(row["p95_s"]),
    )


def _others(others: Row) -> list[str]:
    total = others["all"]
    named = [("all", total)]
    named += [(f"all of {row['set']}", row) for row in others["sets"]]
    named += [(row["kind"], row) for row in _worst(others)]
    rows = [
        (name, str(row["clips"]), str(row["found"]), _percent(row["share"]), _range(row, "share"))
        for name, row in named
    ]
    by_subject = f"By subject, all together: {_range(total, 'share_by_subject')}." if total["clips"] else ""
    sentence = f"First the sets, then the classes that raised an alert, worst first. {by_subject}".rstrip()
    table = _table(("other clips", "clips", "raised an alert", "share", "Wilson"), rows)
    return ["## Other clips that raised an alert", "", sentence, "", *table]


def _hours(system: Row) -> list[str]:
    hours, margins = system["hours"], system["margins"]
    raised = ", ".join(f"{row['recording']} ({row['alarms']})" for row in hours["raised"]) or "none"
    sentence = (
        f"Recordings that raised one: {raised}. The backgrounds before and behind the clips, {margins['hours']:.2f} "
        f"hours, raised {margins['events']}."
    )
    header = ("sound", "recordings", "hours", "alarms", "an hour", "exact Poisson")
    return ["## False alarms an hour", "", *_table(header, map(_hour_cells, hours["sounds"])), sentence, ""]


def _hour_cells(row: Row) -> Sequence[str]:
    exposure = (str(row["recordings"]), f"{row['hours']:.2f}", str(row["alarms"]))
    return (row["sound"], *exposure, f"{row['per_hour']:.2f}", _rates(row))


def _beside(systems: Sequence[Row], costs: Sequence[Row]) -> list[str]:
    """The shipped network beside others, on the same scenes."""
    if len(systems) == 1:
        return []
    ranked = [
        (_named(row), *(_recall_and_auc(system["cries"][index]) for system in systems))
        for index, row in enumerate(systems[0]["cries"])
    ]
    others = ("other clips", *(_percent(system["others"]["all"]["share"]) for system in systems))
    hours = ("false alarms an hour", *(_last_rate(system) for system in systems))
    sentences = ["Recall and ROC AUC of each source."]
    if any(system["system"].startswith("yamnet") for system in systems):
        sentences.append("YAMNet, as published, alerts on one window of 0.975 s at the threshold in its column.")
    sentences += [
        f"Over {row['source']}, {row['scenes']} scenes, INT8 costs {row['recall_points']:.2f} points of recall."
        for row in costs
        if row["source"] == EVERY_LEVEL
    ]
    table = _table(("", *(system["system"] for system in systems)), [*ranked, others, hours])
    return ["## Beside other networks", "", " ".join(sentences), "", *table]


def _listed(others: Row) -> list[str]:
    kinds = "; ".join(f"{kind} {count}" for kind, count in others["kinds"].items())
    sentence = (
        f"{others['clips']} clips of {others['subjects']} subjects: every clip of the part that the list calls "
        f"`other`, except ambient recordings, which are the backgrounds. SHA-256 of their names, a line each: "
        f"`{others['files_sha256']}`. {kinds}."
    )
    return ["## The other clips", "", sentence, ""]


def _summary(system: Row) -> dict[str, Any]:
    """One line of a system, for the card."""
    recalls = {
        f"recall_{row['source'].replace(' ', '_')}": row["recall"]
        for row in system["cries"]
        if row["doubtful"] == "with" and row["half_of"] is None
    }
    line = {"system": system["system"], "on": system["on"], **recalls, "other_clips": system["others"]["all"]["share"]}
    return line | {"false_alarms_an_hour": _last_rate(system)}


def _worst(others: Row) -> list[Row]:
    return [row for row in others["kinds"] if row["found"]][:_MOST_KINDS]


# --- cells --------------------------------------------------------------------------------------


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = [header, ["---"] * len(header), *rows]
    return [*("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines), ""]


def _named(row: Row) -> str:
    return f"{row['source']}, without doubtful" if row["doubtful"] == "without" else str(row["source"])


def _recall_and_auc(row: Row) -> str:
    return _percent(row["recall"]) if row["auc"] is None else f"{_percent(row['recall'])}, {row['auc']:.4f}"


def _last_rate(system: Row) -> str:
    """Of all streams together."""
    rates = system["hours"]["sounds"]
    return f"{rates[-1]['per_hour']:.2f}" if rates else "-"


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.1f} %"


def _range(row: Row, name: str) -> str:
    return f"{100 * row[f'{name}_low']:.1f} to {100 * row[f'{name}_high']:.1f} %"


def _rates(row: Row) -> str:
    return f"{row['per_hour_low']:.2f} to {row['per_hour_high']:.2f}"


def _seconds(value: float) -> str:
    return f"{value:.1f} s"
