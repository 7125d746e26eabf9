"""Whether a folder of sequences is mixed from all recordings, or from those alone that people may build on.

WORK/terms.json says so from the first `mix` on. What reads recordings for that folder later keeps to it.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from device.errors import ConfigError
from training.train.system.durable_files import write_json

if TYPE_CHECKING:
    from pathlib import Path

FILE = "terms.json"


def settle_terms(work: Path, *, free_only: bool) -> None:
    """Note what a folder is mixed from.

    Raises:
        ConfigError: it holds sequences of the other kind.
    """
    begun = (work / FILE).exists() or any(work.glob("*-*.npz"))
    if begun and is_free_only(work) != free_only:
        if free_only:
            raise ConfigError(f"{work} is mixed from all recordings: name another folder, or leave out --free-only")
        raise ConfigError(f"{work} is mixed from free recordings alone: name another folder, or give --free-only")
    if not begun:
        write_json(work / FILE, {"free_only": free_only})


def is_free_only(work: Path) -> bool:
    """Whether a folder is mixed from free recordings alone; one without a note is older, and from all.

    Raises:
        ConfigError: the note cannot be read.
    """
    if not (work / FILE).exists():
        return False
    try:
        return bool(json.loads((work / FILE).read_text(encoding="utf-8"))["free_only"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"{work / FILE} is not what mix wrote ({error}): mix into another folder") from None


def refuse_other_terms(run: Path, work: Path) -> None:
    """Let nothing of a fit into a folder of free recordings alone that did not learn from such a folder.

    Raises:
        ConfigError: it learned from all recordings, or does not say what it learned from.
    """
    if not is_free_only(work):
        return
    try:
        free_only = json.loads((run / "fit.json").read_text(encoding="utf-8"))["settings"].get("free_only", False)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigError(f"{run / 'fit.json'} cannot be read ({error}): run `python -m training fit` anew") from None
    if not free_only:
        raise ConfigError(f"{run} learned from all recordings, and {work} holds free ones alone: fit to {work} anew")
