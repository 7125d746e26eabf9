"""A real daemon of which a part hangs from the moment a file is there: `python hanging_daemon.py PART FILE --config C`.

PART is `loop`, the main thread in the middle of hearing a block, or `source`, the thread that reads the microphone.
All other threads go on.
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
    """For ever, if this part is to."""
    if part == PART and TRIGGER.exists():
        threading.Event().wait()


class HangingRunner(ModelRunner):
    """Hears until it hangs."""

    def push(self, item: AudioBlock | NoAudio) -> Heard:
        """What the listener makes of it."""
        hang("loop")
        return super().push(item)


class HangingSource:
    """Passes on what another source gives, until it hangs."""

    def __init__(self, source: Source) -> None:
        self._source = source

    def blocks(self) -> Iterator[AudioBlock | NoAudio]:
        """What the source gives."""
        for item in self._source.blocks():
            hang("source")
            yield item

    def close(self) -> None:
        """Close the source."""
        self._source.close()


def main() -> int:
    """Listen as `auricle listen --config C` does, as long as nothing hangs."""
    with (
        patch("device.daemon.assembly.ModelRunner", HangingRunner),
        Daemon(ListenOptions(config=sys.argv[4]), wrap=HangingSource) as daemon,
    ):
        return daemon.run()


if __name__ == "__main__":
    sys.exit(main())
