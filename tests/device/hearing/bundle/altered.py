"""Bundles altered in one place, with sizes, hashes and archive made to fit again; and their comparison."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import numpy as np

from device.hearing.bundle.archive import join_archive, split_archive

if TYPE_CHECKING:
    from collections.abc import Callable

    from device.hearing.bundle.contents import Bundle

    Edit = Callable[[dict[str, Any], dict[str, bytes]], None]
    """Changes the manifest and the further entries in place."""


def same(one: Bundle, other: Bundle) -> bool:
    plain = ("name", "version", "labels", "specs", "output", "network", "card")
    arrays = [
        (a, b)
        for mine, theirs in zip(one.golden, other.golden, strict=True)
        for a, b in zip(
            (mine.samples, *mine.features, mine.probabilities),
            (theirs.samples, *theirs.features, theirs.probabilities),
            strict=True,
        )
    ]
    return all(getattr(one, name) == getattr(other, name) for name in plain) and all(
        np.array_equal(a, b) for a, b in arrays
    )


def edited(file: bytes, edit: Edit) -> bytes:
    """The bundle with its manifest and entries changed, and sizes, hashes and archive made to fit again."""
    archive = split_archive(file)
    entries = dict(archive.entries)
    manifest = json.loads(entries.pop("manifest.json"))
    edit(manifest, entries)
    for item in manifest["entries"] if isinstance(manifest.get("entries"), list) else []:
        data = entries.get(item["name"], b"")
        item |= {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    return join_archive(archive.network, {"manifest.json": json.dumps(manifest).encode()} | entries)


def member_set(*path: str | int, to: Any) -> Edit:
    def edit(manifest: dict[str, Any], _: dict[str, bytes]) -> None:
        place: Any = manifest
        for step in path[:-1]:
            place = place[step]
        place[path[-1]] = to

    return edit


def entry_set(name: str, data: bytes | None, *, listed: bool) -> Edit:
    """Add, replace or (None) remove an entry, and the line that lists it."""

    def edit(manifest: dict[str, Any], entries: dict[str, bytes]) -> None:
        entries.pop(name, None) if data is None else entries.__setitem__(name, data)
        known = [item for item in manifest["entries"] if item["name"] != name]
        manifest["entries"] = known if not listed else manifest["entries"]
        if listed and name not in [item["name"] for item in manifest["entries"]]:
            manifest["entries"].append({"name": name})

    return edit
