"""The clips of a folder: which there are, and the path of one that is asked for. Never leaves the folder.

A name is matched as a whole against the names that the daemon gives, and no link is followed: neither dots, slashes nor
a link can lead elsewhere.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from device.sinks.clips.clip_names import MONTH, OWN_NAME, YEAR

if TYPE_CHECKING:
    import re
    from collections.abc import Iterator
    from pathlib import Path

MEDIA_TYPES = {"flac": "audio/flac", "png": "image/png"}


@dataclass(frozen=True, slots=True)
class ClipFile:
    """One clip.

    Attributes:
        name: below the folder, without its suffix: `2026/11/cry_0.97_20261121T021407Z`.
        label: of the sound.
        utc_s: when its alarm was decided, or when it goes on with an earlier clip.
        has_picture: whether a picture lies beside it.
    """

    name: str
    label: str
    utc_s: float
    has_picture: bool


def clips_between(folder: Path, from_utc_s: float, until_utc_s: float) -> list[ClipFile]:
    """The clips of a stretch of time, oldest first; none where the folder cannot be read."""
    months = sorted({datetime.fromtimestamp(utc_s, UTC).strftime("%Y/%m") for utc_s in (from_utc_s, until_utc_s)})
    found = [clip for month in months for clip in _clips_in(folder, month)]
    return sorted((clip for clip in found if from_utc_s <= clip.utc_s < until_utc_s), key=lambda clip: clip.name)


def clip_path(folder: Path, year: str, month: str, name: str) -> Path | None:
    """The path of a clip or picture; None if it is no name of ours, or no plain file is there."""
    match = OWN_NAME.fullmatch(name)
    if match is None or match["part"] or not YEAR.fullmatch(year) or not MONTH.fullmatch(month):
        return None
    path = folder / year / month / name
    is_plain = not any(part.is_symlink() for part in (path.parent.parent, path.parent, path)) and path.is_file()
    return path if is_plain else None


def _clips_in(folder: Path, month: str) -> Iterator[ClipFile]:
    try:
        names = {entry.name for entry in os.scandir(folder / month) if entry.is_file(follow_symlinks=False)}
    except OSError:
        return
    for name in names:
        match = OWN_NAME.fullmatch(name)
        if match is not None and match["kind"] == "flac" and not match["part"]:
            yield _clip(month, match, names)


def _clip(month: str, match: re.Match[str], names: set[str]) -> ClipFile:
    start = datetime.strptime(match["utc"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    return ClipFile(f"{month}/{match['stem']}", match["label"], start.timestamp(), f"{match['stem']}.png" in names)
