"""A real daemon that also writes down what its source gave: `python tapped_daemon.py TAP --config FILE`."""

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
    """A source that passes on what another gives, and writes each item down first.

    Args:
        source: that is tapped.
        path: of the file, one pickled `AudioBlock` or `NoAudio` after the other.
    """

    def __init__(self, source: Source, path: Path) -> None:
        self._source = source
        self._path = path

    def blocks(self) -> Iterator[AudioBlock | NoAudio]:
        """What the source gives."""
        with self._path.open("wb") as file:
            for item in self._source.blocks():
                pickle.dump(item, file)
                yield item

    def close(self) -> None:
        """Close the source."""
        self._source.close()


def read_tap(path: Path) -> list[AudioBlock | NoAudio]:
    """What a daemon that has ended had been given, in order."""
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
