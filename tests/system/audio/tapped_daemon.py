"""A real daemon that also records what its source delivered: `python tapped_daemon.py TAP --config FILE`."""

from __future__ import annotations

import pickle
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from device.daemon.app import Daemon
from device.daemon.options import ListenOptions

if TYPE_CHECKING:
    from collections.abc import Iterator

    from device.daemon.audio.source_thread import Source
    from device.messages import AudioBlock, NoAudio


class Tap:
    """Passes on the items of another source, and writes each one to a file first.

    Args:
        source: to record.
        path: of the file: pickled `AudioBlock`s and `NoAudio`s, one after the other.
    """

    def __init__(self, source: Source, path: Path) -> None:
        self._source = source
        self._path = path

    def blocks(self) -> Iterator[AudioBlock | NoAudio]:
        """Yield the items of the source, each once it is written."""
        with self._path.open("wb") as file:
            for item in self._source.blocks():
                pickle.dump(item, file)
                yield item

    def close(self) -> None:
        """Close the source."""
        self._source.close()


def read_tap(path: Path) -> list[AudioBlock | NoAudio]:
    """The items that the source of an ended daemon delivered, in order."""
    items = []
    with path.open("rb") as file:
        while file.peek(1):
            items.append(pickle.load(file))  # noqa: S301 - written above, by a process of the same test
    return items


def main() -> int:
    """Listen as `auricle listen --config FILE` does."""
    path = Path(sys.argv[1])
    with Daemon(ListenOptions(config=sys.argv[3]), wrap=lambda source: Tap(source, path)) as daemon:
        return daemon.run()


if __name__ == "__main__":
    sys.exit(main())
