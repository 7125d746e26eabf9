"""`auricle history`: what the journal knows of the night, for people, or every change as CSV for programs.

Reads the journal beside a daemon that writes it, and changes nothing.
"""

from __future__ import annotations

import csv
import json
import os
import re
import time
import zoneinfo
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from device.alarms.journal.store import look, look_owed
from device.config.loading import load_config
from device.config.profiles import DEFAULT_PROFILE
from device.config.toml_text import printable
from device.daytime import utc_text
from device.errors import ConfigError, JournalError
from device.runtime.paths import SYSTEM_STATE, checked_instance, instance_name, journal_file, journal_files

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from datetime import tzinfo
    from typing import TextIO

    from device.alarms.journal.entries import Entry

USUAL_SPAN = timedelta(hours=24)

_CLOCK_TIME = re.compile(r"([01]?[0-9]|2[0-3]):([0-5][0-9])", re.ASCII)
_COLUMNS = (
    "instance",
    "alarm_id",
    "seq",
    "local",
    "decided_utc",
    "start_utc",
    "time_quality",
    "change",
    "kind",
    "name",
    "model",
    "priority",
    "state",
    "acknowledged",
    "score",
    "cause",
    "detail",
    "told",
)
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""A spreadsheet computes a cell that begins so: OWASP, CSV injection."""


@dataclass(frozen=True, slots=True)
class HistoryOptions:
    """What is to be shown.

    Attributes:
        instance: of one daemon; None for all.
        config: of one daemon, in place of its name.
        since: `22:00` for the last time that it was so late, or an ISO date and time; None for `USUAL_SPAN` ago.
        as_csv: every change, for programs.
    """

    instance: str | None = None
    config: str | None = None
    since: str | None = None
    as_csv: bool = False


@dataclass(frozen=True, slots=True)
class Change:
    """One change of one alarm, as it was kept.

    Attributes:
        entry: of the journal.
        said: its body, parsed.
        told: somebody has it: the broker, or without one the journal itself; noted up to a minute late.
    """

    entry: Entry
    said: Mapping[str, Any]
    told: bool


def show_history(
    order: HistoryOptions, out: TextIO, *, environment: Mapping[str, str] = os.environ, now_utc_s: float | None = None
) -> int:
    """Print what the journals know; the exit code 0.

    Raises:
        ConfigError: the time, or the name, is none.
        JournalError: there is no journal, or it cannot be read.
    """
    zone, paths = _wanted(order, environment)
    now = datetime.fromtimestamp(time.time() if now_utc_s is None else now_utc_s, UTC)
    since_utc_s = since(order.since, now, zone).timestamp()
    changes = [change for path in paths for change in _changes(path, since_utc_s)]
    if order.as_csv:
        write_csv(changes, zone, out)
        return 0
    for line in history_lines(changes, zone):
        print(line, file=out)
    return 0


def since(said: str | None, now: datetime, zone: tzinfo | None) -> datetime:
    """The moment that is meant.

    Args:
        said: see `HistoryOptions`.
        now: with a zone.
        zone: in which it is said; None for the machine's own.

    Raises:
        ConfigError: that is no time.
    """
    if said is None:
        return now - USUAL_SPAN
    local = now.astimezone(zone)
    if (clock := _CLOCK_TIME.fullmatch(said)) is not None:
        today = local.replace(hour=int(clock[1]), minute=int(clock[2]), second=0, microsecond=0, tzinfo=None)
        moments = (_placed(today - timedelta(days=days), zone) for days in (0, 1))
        return next(moment for moment in moments if moment <= now)
    try:
        moment = datetime.fromisoformat(said)
    except ValueError:
        raise ConfigError(f"{printable(said)!r} is no time; 22:00 is one, or 2026-11-21T22:00") from None
    return moment if moment.tzinfo is not None else _placed(moment, zone)


def _placed(naive: datetime, zone: tzinfo | None) -> datetime:
    """A time on the wall of that zone."""
    return naive.astimezone() if zone is None else naive.replace(tzinfo=zone)


# --- the journals


def _wanted(order: HistoryOptions, environment: Mapping[str, str]) -> tuple[tzinfo | None, list[Path]]:
    """The zone that times are shown in, and the journals."""
    if order.config is not None:
        settings = load_config(order.config)
        name = instance_name(None, config=order.config, profile=DEFAULT_PROFILE)
        if settings.journal.file is None:
            raise JournalError(f'{printable(order.config)} keeps no journal: [journal] has file = "off"')
        zone = None if settings.alarms.time_zone is None else _zone(settings.alarms.time_zone)
        kept = Path(settings.journal.file) if settings.journal.file != "auto" else _usual(name, environment)
        return zone, [kept]
    if order.instance is not None:
        return None, [_usual(checked_instance(order.instance), environment)]
    found = list(journal_files(environment).values())
    if not found:
        raise JournalError(
            f"no journal is kept here, neither in {SYSTEM_STATE} nor in {journal_file('NAME', environment)}; "
            "name the configuration with --config"
        )
    return None, found


def _usual(name: str, environment: Mapping[str, str]) -> Path:
    """The system's daemon of that name, or one's own."""
    return journal_files(environment).get(name) or journal_file(name, environment)


def _zone(name: str) -> tzinfo:
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, OSError, ValueError):
        raise ConfigError(f'"time_zone" in [alarms] is "{name}", which is no zone') from None


def _changes(path: Path, since_utc_s: float) -> Iterator[Change]:
    owed = look_owed(path)
    for entry in _since(look(path, float("-inf")), since_utc_s):
        yield Change(entry, _body(entry), entry.key not in owed)


def _since(entries: Iterable[Entry], since_utc_s: float) -> Iterator[Entry]:
    """What happened since then. What came later, by a clock that was wrong, is shown even so: it may have been then."""
    doubtful: list[Entry] = []
    for entry in entries:
        if entry.utc_s >= since_utc_s:
            yield from doubtful
            doubtful.clear()
            yield entry
        elif _body(entry).get("time_quality") == "synchronized":
            doubtful.clear()
        else:
            doubtful.append(entry)
    yield from doubtful


def _body(entry: Entry) -> Mapping[str, Any]:
    """What a newer version wrote may be anything; it is shown as far as it is known."""
    try:
        said = json.loads(entry.body)
    except ValueError:
        said = {}
    return said if isinstance(said, dict) else {}


# --- for people


def history_lines(changes: Iterable[Change], zone: tzinfo | None) -> Iterator[str]:
    """One line for each alarm, in the order in which they began to be told."""
    alarms: dict[str, list[Change]] = {}
    for change in changes:
        alarms.setdefault(change.entry.alarm_id, []).append(change)
    if not alarms:
        yield "nothing was alarmed about since then"
        return
    instances = {str(found[0].said.get("instance", "")) for found in alarms.values()}
    yield f"{'local time':<19}  {'UTC':<20}  {'priority':<8}  what"
    for found in alarms.values():
        yield _line(found, zone, named=len(instances) > 1)


def _line(changes: list[Change], zone: tzinfo | None, *, named: bool) -> str:
    first, last = changes[0], changes[-1]
    utc_s = _moment(first.said.get("start_utc")) or first.entry.utc_s
    about = _text(first, "name") + (f" ({_text(first, 'model')})" if first.said.get("model") else "")
    where = f"{_text(first, 'instance')}: " if named else ""
    parts = [
        f"{where}{about}, {_how_long(changes, utc_s)}",
        _text(first, "detail"),
        *_seen(changes),
        *_doubts(changes),
    ]
    priority = str(last.said.get("priority", ""))
    return f"{_local(utc_s, zone):<19}  {utc_text(utc_s)}  {priority:<8}  {'; '.join(part for part in parts if part)}"


def _how_long(changes: list[Change], began_utc_s: float) -> str:
    last = changes[-1]
    over = next((change for change in reversed(changes) if change.said.get("change") in {"latched", "ended"}), None)
    if over is None or last.said.get("state") == "active":
        return "goes on"
    lasted = _span(over.entry.utc_s - began_utc_s)
    if last.said.get("state") == "latched":
        return f"{lasted}, then {_text(last, 'cause')}; nobody has acknowledged it"
    return f"{lasted}, ended: {_text(last, 'cause')}"


def _seen(changes: list[Change]) -> Iterator[str]:
    for change in changes:
        if change.said.get("change") == "acknowledged":
            after = _span(change.entry.utc_s - changes[0].entry.utc_s)
            yield f"{_text(change, 'cause')} after {after}"


def _doubts(changes: list[Change]) -> Iterator[str]:
    untold = sum(not change.told for change in changes)
    if untold:
        yield f"not noted as told: {untold} of {len(changes)} changes"
    qualities = {str(change.said.get("time_quality")) for change in changes}
    if "stepped" in qualities:
        yield "the clock jumped meanwhile"
    elif "unsynchronized" in qualities:
        yield "by a clock that was not synchronized"


def _span(seconds: float) -> str:
    whole = round(max(0.0, seconds))
    if whole < 60:
        return f"{whole} s"
    return f"{whole // 60} min {whole % 60} s" if whole < 3600 else f"{whole // 3600} h {whole // 60 % 60} min"


def _local(utc_s: float, zone: tzinfo | None) -> str:
    return datetime.fromtimestamp(utc_s, UTC).astimezone(zone).strftime("%Y-%m-%d %H:%M:%S")


def _moment(text: object) -> float | None:
    try:
        return datetime.fromisoformat(str(text)).timestamp() if text else None
    except ValueError:
        return None


def _text(change: Change, name: str) -> str:
    return printable(str(change.said.get(name, "")))


# --- for programs


def write_csv(changes: Iterable[Change], zone: tzinfo | None, out: TextIO) -> None:
    """Every change, one a row, under a row of names; no cell is a formula to a spreadsheet."""
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for change in changes:
        own = {"local": _local(change.entry.utc_s, zone), "told": change.told}
        cells = {**change.said, "alarm_id": change.entry.alarm_id, "seq": change.entry.seq, **own}
        writer.writerow([_cell(cells.get(name)) for name in _COLUMNS])


def _cell(value: object) -> object:
    """A number as it is; text that would be a formula, behind an apostrophe."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return value
    text = printable(str(value))
    return f"'{text}" if text.startswith(_FORMULA) else text
