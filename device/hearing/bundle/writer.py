"""Writes a bundle: the counterpart of `reader`, whose docstring shows the layout of the file.

Whatever is written has been read back first, so no file appears that `read_bundle` would refuse.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from device.errors import BundleError
from device.hearing.bundle.archive import join_archive
from device.hearing.bundle.card_page import card_markdown
from device.hearing.bundle.contents import labels_text
from device.hearing.bundle.golden_sequences import sequence_entries
from device.hearing.bundle.golden_vectors import golden_entries
from device.hearing.bundle.manifest import HEAD_ENTRY, encode_manifest, json_bytes
from device.hearing.bundle.reader import decode_bundle
from device.hearing.bundle.reference import reference_entries

if TYPE_CHECKING:
    from device.hearing.bundle.contents import Bundle


def write_bundle(path: Path | str, bundle: Bundle) -> None:
    """Write a bundle; the file appears whole or not at all, and equal bundles give equal bytes.

    Raises:
        BundleError: `read_bundle` would refuse it.
        OSError: the file cannot be written.
    """
    path = Path(path)
    try:
        data = encode_bundle(bundle)
        decode_bundle(data)
    except BundleError as error:
        raise BundleError(f"{path}: {error}") from None
    write_whole(path, data)


def write_whole(path: Path, data: bytes, *, mode: int | None = None) -> None:
    """Write a file that appears whole or not at all, and is on the disk when this returns.

    Args:
        path: of the file.
        data: all of it.
        mode: its permissions; None for the usual ones.

    Raises:
        OSError: it cannot be written; what was there is left as it was.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with partial.open("wb") as file:
            if mode is not None:
                os.fchmod(file.fileno(), mode)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
        sync_folder(path.parent)
    finally:
        partial.unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """Let the names in a folder survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def encode_bundle(bundle: Bundle) -> bytes:
    """The bytes of a bundle's file; `sha256` plays no part.

    Raises:
        BundleError: a part of it cannot be stored in a bundle.
    """
    entries = {
        "labels.txt": labels_text(bundle.labels),
        "card.json": json_bytes(dict(bundle.card)),
        "card.md": card_markdown(f"{bundle.name} {bundle.version}", bundle.card).encode(),
    }
    if bundle.head is not None:
        entries[HEAD_ENTRY] = bundle.head.network
    entries |= golden_entries(bundle.golden) | sequence_entries(bundle.sequences)
    entries |= reference_entries(bundle.reference)
    return join_archive(bundle.network, {"manifest.json": encode_manifest(bundle, entries)} | entries)
