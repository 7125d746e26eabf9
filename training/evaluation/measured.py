"""What an evaluation measured: figures with their intervals, and what could not be measured, as types and as JSON.

`evaluate --json` writes it as the member `measured`; a report reads it with `read_measured`. Knows no measure.
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any, Literal, get_args

from device.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

IntervalKind = Literal["bootstrap over subjects", "exact Poisson", "none"]
Heard = Literal["listener", "batch"]


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure.

    Attributes:
        system: what was measured: the model ("model"), the network before its conversion, a peer ("yamnet 0.3").
        measure: "SE", "Score", "event recall", "false alarms an hour", ...; docs/evaluation.md defines each.
        of: on what: "SPRSound 1-1", "10 dB", "hard backgrounds", ...
        value: the figure; None where a class that it needs does not occur.
        low: lower end of the 95 % interval; None where there is none.
        high: its upper end.
        unit: "share" (0 to 1), "an hour", "s", "count".
        interval: how the interval was made.
        subjects: that it stands on.
        items: events, records, clips or scenes that it stands on.
        hours: of sound that it stands on.
    """

    system: str
    measure: str
    of: str
    value: float | None
    low: float | None
    high: float | None
    unit: str
    interval: IntervalKind
    subjects: int
    items: int
    hours: float


@dataclass(frozen=True, slots=True)
class NotMeasured:
    """What could not be measured here, why, and the command that would measure it where it can be."""

    of: str
    reason: str
    command: str


@dataclass(frozen=True, slots=True)
class Measured:
    """All figures of one evaluation, and what they stand on.

    Attributes:
        task: name of the task.
        model: name of the model.
        model_sha256: of its file.
        part: "val", "test" or a publishers' part.
        split: file name of the list or split that says who is in which part.
        official_split: whether the part is the publishers' and may share subjects with training: such figures choose
            nothing.
        heard: "listener" if windows were cut and scored as the device does it; "batch" for a published form that is
            not streamable: each stretch as a whole, through the same features.
        chosen_on: the part whose subjects chose thresholds and aggregation; "" if they are defaults or the model's own.
        seed: of everything that is drawn.
        command: that reproduces the figures.
        figures: in the order of the tables.
        not_measured: what is missing, with the reason.
        notes: sentences to print beside the figures.
    """

    task: str
    model: str
    model_sha256: str
    part: str
    split: str
    official_split: bool
    heard: Heard
    chosen_on: str
    seed: int
    command: str
    figures: tuple[Figure, ...]
    not_measured: tuple[NotMeasured, ...] = ()
    notes: tuple[str, ...] = ()

    def find(self, measure: str, of: str, *, system: str | None = None) -> Figure | None:
        """The figure of that measure on that; of the first system unless one is named. None if there is none."""
        wanted = self.figures[0].system if system is None and self.figures else system
        matching = (one for one in self.figures if (one.measure, one.of, one.system) == (measure, of, wanted))
        return next(matching, None)

    def as_json(self) -> dict[str, Any]:
        """JSON types, which `from_json` reads back."""
        return asdict(self) | {
            "figures": [asdict(one) for one in self.figures],
            "not_measured": [asdict(one) for one in self.not_measured],
            "notes": list(self.notes),
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any], where: str) -> Measured:
        """From JSON types.

        Args:
            value: the object.
            where: names it in errors.

        Raises:
            ConfigError: a member is missing, unknown or of the wrong kind, or an interval does not hold its value.
        """
        _check_members(value, cls, where)
        figures = tuple(_figure(one, f"{where}: figure {number}") for number, one in enumerate(value["figures"]))
        missing = tuple(NotMeasured(**one) for one in value["not_measured"])
        if value["heard"] not in get_args(Heard):
            raise ConfigError(f"{where}: heard is {value['heard']!r}, must be one of {', '.join(get_args(Heard))}")
        return cls(**{**value, "figures": figures, "not_measured": missing, "notes": tuple(value["notes"])})


def read_measured(path: Path) -> Measured:
    """The figures that `evaluate --json` wrote.

    Raises:
        ConfigError: the file is no JSON, or was not written by `evaluate`.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ConfigError(f"{path} is no JSON file ({error}): give one that evaluate --json wrote") from None
    if not isinstance(value, dict) or not isinstance(value.get("measured"), dict):
        raise ConfigError(f'{path} has no object "measured": give a file that evaluate --json wrote')
    return Measured.from_json(value["measured"], str(path))


def _figure(value: Mapping[str, Any], where: str) -> Figure:
    _check_members(value, Figure, where)
    figure = Figure(**value)
    if figure.interval not in get_args(IntervalKind):
        raise ConfigError(
            f"{where}: interval is {figure.interval!r}, must be one of {', '.join(get_args(IntervalKind))}"
        )
    numbers = [number for number in (figure.value, figure.low, figure.high) if number is not None]
    if any(isinstance(number, bool) or not isinstance(number, int | float) for number in numbers):
        raise ConfigError(f"{where}: value, low and high must be numbers or null")
    if not all(map(math.isfinite, numbers)):
        raise ConfigError(f"{where}: value, low and high must be finite")
    return figure


def _check_members(value: Mapping[str, Any], kind: type, where: str) -> None:
    wanted = {field.name for field in fields(kind)}
    if value.keys() != wanted:
        differing = ", ".join(sorted(wanted ^ value.keys()))
        raise ConfigError(f"{where}: missing or unknown members: {differing}; evaluate again with this version")
