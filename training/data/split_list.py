"""Reads and writes the committed lists: which recordings train, validate and test a model.

`cry.csv`, `scream.csv`, `lung.csv` and `rir.csv` in `splits` are made by `python -m training splits` and committed, so
that every training run uses the same parts. Knows no policy.
"""

from __future__ import annotations

import csv
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast, get_args

from device.errors import RecordingError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Part = Literal["train", "val", "test", "exclude"]
ClipLabel = Literal["cry", "scream", "glass_breaking", "siren", "other", "ignore", "room", "lung"]

CRY_LIST = Path(__file__).parents[1] / "splits" / "cry.csv"
SCREAM_LIST = CRY_LIST.with_name("scream.csv")
LUNG_LIST = CRY_LIST.with_name("lung.csv")
IMPULSE_RESPONSE_LIST = CRY_LIST.with_name("rir.csv")


@dataclass(frozen=True, slots=True)
class ListedClip:
    """One line of a committed list.

    Attributes:
        file: `<set>/<path in the set>`, with forward slashes.
        set: the collection it comes from.
        subject: the group, which is never divided between parts.
        part: `train`, `val`, `test`, or `exclude` (kept out of everything).
        label: `cry` or `scream`, `other`, `ignore` (may hold one or is unclear: neither trained on nor scored), in
            the list of impulse responses `room`, in that of breath sounds `lung` (its annotations are in the
            collection). No list says `glass_breaking` or `siren`: those are what collections say of some of `other`.
        doubtful: a cry or scream that, by its signal and by a network, is hardly one; results of cries are reported
            with and without.
        reason: why it is doubtful, ignored or excluded; empty for all others.
    """

    file: str
    set: str
    subject: str
    part: Part
    label: ClipLabel
    doubtful: bool
    reason: str


def write_list(path: Path, clips: Iterable[ListedClip]) -> None:
    """Write clips as CSV, sorted by file, so that equal lists are equal bytes."""
    with path.open("w", newline="", encoding="utf-8") as lines:
        writer = csv.DictWriter(lines, [field.name for field in fields(ListedClip)], lineterminator="\n")
        writer.writeheader()
        for clip in sorted(clips, key=lambda clip: clip.file):
            writer.writerow(asdict(clip) | {"doubtful": "yes" if clip.doubtful else "no"})


def read_list(path: Path = CRY_LIST) -> tuple[ListedClip, ...]:
    """The clips of a committed list, in its order.

    Raises:
        RecordingError: the list is missing, or a line names no known part, label or doubt.
    """
    if not path.is_file():
        raise RecordingError(f"{path} is missing: it is committed with the code, restore it.")
    with path.open(newline="", encoding="utf-8") as lines:
        reader = csv.DictReader(lines)
        return tuple(_clip(row, f"{path}, line {reader.line_num}") for row in reader)


def _clip(row: Mapping[str, str], where: str) -> ListedClip:
    return ListedClip(
        file=row["file"],
        set=row["set"],
        subject=row["subject"],
        part=cast("Part", _one_of(get_args(Part), row["part"], f"{where}, part")),
        label=cast("ClipLabel", _one_of(get_args(ClipLabel), row["label"], f"{where}, label")),
        doubtful=_one_of(("yes", "no"), row["doubtful"], f"{where}, doubtful") == "yes",
        reason=row["reason"],
    )


def _one_of(values: tuple[str, ...], value: str, where: str) -> str:
    if value not in values:
        raise RecordingError(f"{where} says {value!r}: it must be one of {', '.join(values)}.")
    return value
