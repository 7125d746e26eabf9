"""Under which terms the recordings of the committed lists are published: the committed table `splits/terms.csv`.

A line is about all files whose listed name begins with its own; of several the longest counts. `free` is what people
may build on for any purpose, if they keep its conditions (name the author, share alike). What nobody states is
`unclear`, and so is a licence that nobody could hold against one sound. Knows no recordings.
"""

from __future__ import annotations

import csv
import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, cast, get_args

from device.errors import RecordingError
from training.data.split_list import CRY_LIST

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

Terms = Literal["free", "non_commercial", "unclear"]

TERMS_LIST = CRY_LIST.with_name("terms.csv")


@dataclass(frozen=True, slots=True)
class StatedTerms:
    """One line of the table.

    Attributes:
        files: how the listed names begin that it is about.
        terms: what one may do.
        licence: by its name; empty where none is stated.
        stated: by whom, or why it is unclear.
    """

    files: str
    terms: Terms
    licence: str
    stated: str


@functools.cache
def read_terms(path: Path = TERMS_LIST) -> tuple[StatedTerms, ...]:
    """The lines of the table.

    Raises:
        RecordingError: it is missing, or a line cannot be understood.
    """
    try:
        with path.open(newline="", encoding="utf-8") as lines:
            return tuple(_line(row, f"{path}, line {number}") for number, row in enumerate(csv.DictReader(lines), 2))
    except OSError as error:
        raise RecordingError(f"{path} cannot be read ({error}): it is committed with the code, restore it.") from None


def _line(row: dict[str, str], where: str) -> StatedTerms:
    if row.get("terms") not in get_args(Terms) or not row.get("files") or not row.get("stated"):
        raise RecordingError(f"{where}: it must say files, terms ({', '.join(get_args(Terms))}), licence and stated.")
    if row["terms"] != "unclear" and not row["licence"]:
        raise RecordingError(f"{where}: terms that are {row['terms']} need a licence that says so.")
    return StatedTerms(row["files"], cast("Terms", row["terms"]), row["licence"], row["stated"])


def terms_of(file: str, table: Sequence[StatedTerms]) -> StatedTerms:
    """The terms of a listed file.

    Raises:
        RecordingError: the table says nothing of it.
    """
    about = [line for line in table if file.startswith(line.files)]
    if not about:
        raise RecordingError(f"{TERMS_LIST.name} says nothing of {file}: add a line, with unclear where none is known.")
    return max(about, key=lambda line: len(line.files))


def is_free(file: str) -> bool:
    """Whether people may build on a listed file for any purpose.

    Raises:
        RecordingError: the committed table is missing, or says nothing of the file.
    """
    return terms_of(file, read_terms()).terms == "free"
