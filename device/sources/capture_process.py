"""The capture process as its parent sees it: started, read, and killed in whatever state it is; nothing here can hang.

It does not judge a process that hangs, breaks the protocol or is silent: it only waits as long as its caller says.
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

from device.quantity import quantity
from device.sources.capture_record import CaptureProtocolError, Decoder

if TYPE_CHECKING:
    from collections.abc import Sequence

    from device.sources.capture_record import CaptureRecord

_PIPE_BYTES = 1 << 20
_READ_BYTES = 1 << 16
_STDERR_BYTES = 2000
_ENDS_WITHIN_S = 0.3  # a killed process is; one in uninterruptible sleep is left behind, see CaptureProcess.kill
_RATES_HZ = range(1000, 1_000_001)
_CHANNELS = range(1, 1025)


@dataclass(frozen=True, slots=True)
class OpenedDevice:
    """The device that the child has opened."""

    name: str
    sample_rate_hz: int
    channels: int

    @classmethod
    def parse(cls, payload: bytes) -> Self:
        """From JSON; raises CaptureProtocolError, or what json and dict raise."""
        members = json.loads(payload)
        name, rate_hz, channels = members["name"], members["sample_rate_hz"], members["channels"]
        if not isinstance(name, str) or rate_hz not in _RATES_HZ or channels not in _CHANNELS:
            raise CaptureProtocolError(f"a device of {rate_hz} Hz and {quantity(channels, 'channel')}")
        return cls(name, int(rate_hz), int(channels))


def protocol_violation(error: Exception) -> str:
    """The sentence about a child that sends invalid records."""
    return f"the capture process talks nonsense: {error}"


class CaptureProcess:
    """The capture process, its three pipes, and the end of what it printed.

    Args:
        command: of the process.
        line: written to its standard input at once; a pipe's worth at most.
    """

    def __init__(self, command: Sequence[str], line: bytes = b"") -> None:
        self._process = subprocess.Popen(  # noqa: S603 - our own module, or our caller's command
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=_environment(),
            bufsize=0,
            process_group=0,  # Ctrl-C is sent to us; we then end it
        )
        # Then stdin is only kept open: its end tells the child that we have ended.
        streams = (self._process.stdin, self._process.stdout, self._process.stderr)
        self._pipes = tuple(stream for stream in streams if stream is not None)
        stdin, self._sound, self._stderr = (pipe.fileno() for pipe in self._pipes)
        for pipe in (self._sound, self._stderr):
            os.set_blocking(pipe, False)
        self._printed = b""
        self._decoder = Decoder()
        self._stderr_open = True
        with contextlib.suppress(OSError):  # over the user's limit: it stays 64 KiB, a second of sound
            fcntl.fcntl(self._sound, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
        with contextlib.suppress(BrokenPipeError):  # it has ended already, which reading it tells
            os.write(stdin, line)

    def poll(self, *others: int, timeout_s: float) -> bool:
        """Wait until something can be read, here or from another descriptor; whether records can be."""
        printing = [self._stderr] if self._stderr_open else []
        ready = readable([self._sound, *printing, *others], timeout_s)
        if self._stderr in ready:
            self._read_stderr()
        return self._sound in ready

    def read(self) -> tuple[list[CaptureRecord], str | None]:
        """The records received, and why no more will follow; None while they do."""
        data = os.read(self._sound, _READ_BYTES)
        records: list[CaptureRecord] = []
        try:
            records.extend(self._decoder.push(data))  # the valid ones before the error are kept
        except CaptureProtocolError as error:
            return records, protocol_violation(error)
        return records, None if data else self._end_reason()

    def kill(self) -> bool:
        """Kill it, whatever state it is in; False if it has not ended yet (uninterruptible sleep)."""
        self._process.kill()
        for pipe in self._pipes:
            pipe.close()
        return self.has_ended(_ENDS_WITHIN_S)

    def has_ended(self, within_s: float = 0.0) -> bool:
        """Whether it has ended; if so, it is reaped."""
        try:
            self._process.wait(within_s)
        except subprocess.TimeoutExpired:
            return False
        return True

    def _end_reason(self) -> str:
        """How it ended, and the last line that it printed."""
        self._read_stderr()
        self.has_ended(_ENDS_WITHIN_S)
        code = self._process.returncode
        how = f"was killed by signal {-code}" if code is not None and code < 0 else f"ended with exit code {code}"
        lines = self._printed.decode(errors="replace").split("\n")
        last_line = next((line.strip() for line in reversed(lines) if line.strip()), "")
        return f"the capture process {how}" + (f" ({last_line})" if last_line else "")

    def _read_stderr(self) -> None:
        """Keep the end of what PortAudio, ALSA and Python print: a reason, not a flood in the journal."""
        try:
            data = os.read(self._stderr, _READ_BYTES)
        except BlockingIOError:
            return
        self._stderr_open = bool(data)
        self._printed = (self._printed + data)[-_STDERR_BYTES:]


def readable(descriptors: Sequence[int], timeout_s: float) -> set[int]:
    """Those of the descriptors that can be read, or have ended; waits for one, rounded up to a millisecond."""
    poll = select.poll()  # not select(), which refuses descriptors from 1024 on
    for descriptor in descriptors:
        poll.register(descriptor, select.POLLIN)
    return {descriptor for descriptor, _ in poll.poll(math.ceil(timeout_s * 1000))}


def capture_command(*arguments: str, module: str = "capture") -> list[str]:
    """Command line of a capture process; see `capture` for its arguments.

    Args:
        arguments: shown to everybody on this machine.
        module: below `device.sources`.
    """
    return [sys.executable, "-S", "-P", "-m", f"device.sources.{module}", *arguments]


def _environment() -> dict[str, str]:
    """The child imports from where we do, without `site`, which takes longer than all that it imports."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(os.path.abspath(path) for path in sys.path)}  # noqa: PTH100 - "" too
