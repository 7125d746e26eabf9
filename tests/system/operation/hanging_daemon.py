"""A real daemon of which one part hangs as soon as a file exists: `python hanging_daemon.py PART FILE --config C`.

PART is `loop`, the main thread while it processes a block, or `source`, the thread that reads the microphone.
All other threads continue.
"""

from __future__ import annotations

import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING
from unittest.mock import patch

from device.daemon.app import Daemon
from device.daemon.audio.listening import ModelRunner
from device.daemon.options import ListenOptions

if TYPE_CHECKING:
    from collections.abc import Iterator

    from device.daemon.audio.source_thread import Source
    from device.messages import AudioBlock, Heard, NoAudio

PART, TRIGGER = sys.argv[1], Path(sys.argv[2])


def hang(part: str) -> None:
    """Block for ever if this is the part and the file exists."""
    if part == PART and TRIGGER.exists():
        threading.Event().wait()


class HangingRunner(ModelRunner):
    """Runs the models until it hangs."""

    def push(self, item: AudioBlock | NoAudio) -> Heard:
        """Process one item, or hang."""
        hang("loop")
        return super().push(item)


class HangingSource:
    """Passes on the blocks of another source until it hangs."""

    def __init__(self, source: Source) -> None:
        self._source = source

    def blocks(self) -> Iterator[AudioBlock | NoAudio]:
        """Yield the blocks of the source."""
        for item in self._source.blocks():
            hang("source")
            yield item

    def close(self) -> None:
        """Close the source."""
        self._source.close()


def main() -> int:
    """Listen as `auricle listen --config C` does, until a part hangs."""
    with (
        patch("device.daemon.assembly.ModelRunner", HangingRunner),
        Daemon(ListenOptions(config=sys.argv[4]), wrap=HangingSource) as daemon,
    ):
        return daemon.run()


if __name__ == "__main__":
    sys.exit(main())
