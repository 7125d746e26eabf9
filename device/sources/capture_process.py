"""The capture process from without: started, read, and ended whatever state it is in; nothing here can hang.

A process that does not end, talks nonsense or says nothing is its reader's to judge: this only waits as long as
it is told.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import math
import os
import select
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from device.sources.capture import Decoder, Nonsense

if TYPE_CHECKING:
    from collections.abc import Sequence

    from device.sources.capture import Record

_PIPE_BYTES = 1 << 20
_READ_BYTES = 1 << 16
_WORDS_BYTES = 2000
_GONE_WITHIN_S = 0.3  # a killed process is; one that the kernel itself cannot let go is left behind, see Child.kill
_RATES_HZ = range(1000, 1_000_001)
_CHANNELS = range(1, 1025)


@dataclass(frozen=True, slots=True)
class Opened:
    """What the child says of the device it opened."""

    name: str
    sample_rate_hz: int
    channels: int

    @classmethod
    def parsed(cls, payload: bytes) -> Self:
        """From JSON; raises Nonsense, or what json and dict raise."""
        said = json.loads(payload)
        name, rate_hz, channels = said["name"], said["sample_rate_hz"], said["channels"]
        if not isinstance(name, str) or rate_hz not in _RATES_HZ or channels not in _CHANNELS:
            raise Nonsense(f"a device of {rate_hz} Hz and {channels} channels")
        return cls(name, int(rate_hz), int(channels))


def nonsense(error: Exception) -> str:
    """The sentence about a child that sends what it must not."""
    return f"the capture process talks nonsense: {error}"


class Child:
    """The capture process, its three pipes, and what it said last."""

    def __init__(self, command: Sequence[str]) -> None:
        self._process = subprocess.Popen(  # noqa: S603 - our own module, or what a caller of ours gave
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=_environment(),
            bufsize=0,
            process_group=0,  # Ctrl-C is for us; we then end it
        )
        # The first is only held: its end is how the child learns of ours.
        streams = (self._process.stdin, self._process.stdout, self._process.stderr)
        self._pipes = tuple(stream for stream in streams if stream is not None)
        _, self._sound, self._talk = (pipe.fileno() for pipe in self._pipes)
        for pipe in (self._sound, self._talk):
            os.set_blocking(pipe, False)
        self._words = b""
        self._decoder = Decoder()
        self._talk_open = True
        with contextlib.suppress(OSError):  # over the user's limit: it stays 64 KiB, a second of sound
            fcntl.fcntl(self._sound, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)

    def poll(self, *others: int, most_s: float) -> bool:
        """Wait for something to read, here or at another descriptor; whether a record may be."""
        talk = [self._talk] if self._talk_open else []
        ready = readable([self._sound, *talk, *others], most_s)
        if self._talk in ready:
            self._listen()
        return self._sound in ready

    def read(self) -> tuple[list[Record], str | None]:
        """The records that have come, and why no more will; None while they do."""
        data = os.read(self._sound, _READ_BYTES)
        records: list[Record] = []
        try:
            records.extend(self._decoder.push(data))  # those before the nonsense are kept
        except Nonsense as error:
            return records, nonsense(error)
        return records, None if data else self._last_words()

    def kill(self) -> bool:
        """End it, whatever state it is in; False where the kernel itself does not let it go yet."""
        self._process.kill()
        for pipe in self._pipes:
            pipe.close()
        return self.is_gone(_GONE_WITHIN_S)

    def is_gone(self, within_s: float = 0.0) -> bool:
        """Whether it has ended; it is then reaped."""
        try:
            self._process.wait(within_s)
        except subprocess.TimeoutExpired:
            return False
        return True

    def _last_words(self) -> str:
        """Why it ended without a word on the pipe: how, and the last line of what was printed."""
        self._listen()
        self.is_gone(_GONE_WITHIN_S)
        code = self._process.returncode
        how = f"was killed by signal {-code}" if code is not None and code < 0 else f"ended with exit code {code}"
        lines = self._words.decode(errors="replace").split("\n")
        words = next((line.strip() for line in reversed(lines) if line.strip()), "")
        return f"the capture process {how}" + (f" ({words})" if words else "")

    def _listen(self) -> None:
        """Keep the end of what PortAudio, ALSA and Python print: a reason, not a flood in the journal."""
        try:
            said = os.read(self._talk, _READ_BYTES)
        except BlockingIOError:
            return
        self._talk_open = bool(said)
        self._words = (self._words + said)[-_WORDS_BYTES:]


def readable(descriptors: Sequence[int], most_s: float) -> set[int]:
    """Those of the descriptors that can be read, or have ended; waits for one, rounded up to a millisecond."""
    watch = select.poll()  # not select(), which refuses descriptors from 1024 on
    for descriptor in descriptors:
        watch.register(descriptor, select.POLLIN)
    return {descriptor for descriptor, _ in watch.poll(math.ceil(most_s * 1000))}


def capture_command(mode: str) -> list[str]:
    """Command line of the capture process, to which its options are added; see `capture` for the modes."""
    return [sys.executable, "-S", "-P", "-m", "device.sources.capture", mode]


def _environment() -> dict[str, str]:
    """The child looks for modules where we do, without `site`, which takes longer than all that it imports."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(os.path.abspath(path) for path in sys.path)}  # noqa: PTH100 - "" too
