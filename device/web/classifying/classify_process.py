"""The process that hears a recording, as the page sees it: what it says, why it does not, and its end."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import anyio

from device.runtime.bundle_trial.trial_process import INTERPRETER, child_environment

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path

    from device.web.classifying.classify_child import Wanted

CHILD = (*INTERPRETER, "device.web.classifying.classify_child")
_PIECE_BYTES = 1 << 16
_STATUS = {"recording": 422, "length": 413, "machine": 503}
_AGAIN = "try again, or send a shorter recording"


class NotHeardError(Exception):
    """There is no answer; the message says why, and what would work.

    Attributes:
        status: of HTTP.
    """

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a recording was heard.

    Attributes:
        heard_s: seconds of the recording.
        duration_s: that it declares; None if it does not.
    """

    heard_s: float
    duration_s: float | None


@dataclass(frozen=True, slots=True)
class AnswerSize:
    """The recording was heard: so many bytes of the answer follow."""

    count: int


class ClassifyProcess:
    """One child process; an asynchronous context manager that ends it, whatever state it is in.

    Args:
        folder: that it runs in, where the recording is.
        wanted: what it does.
        command: of the child, to which its arguments are added.
    """

    def __init__(self, folder: Path, wanted: Wanted, *, command: Sequence[str] = CHILD) -> None:
        self._folder = folder
        self._words = (*command, *wanted.arguments())
        self._process: asyncio.subprocess.Process | None = None

    async def __aenter__(self) -> Self:
        """Start it. Raises NotHeardError if that is not possible."""
        try:
            self._process = await asyncio.create_subprocess_exec(
                *self._words,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                cwd=self._folder,
                env=child_environment(),
                start_new_session=True,
            )
        except OSError as error:
            raise NotHeardError(503, f"no process can be started to hear it: {error.strerror}; {_AGAIN}") from None
        return self

    async def __aexit__(self, *_error: object) -> None:
        """Kill it, and all that it may have started."""
        process = self._running()
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        with anyio.CancelScope(shield=True):
            await process.wait()
            while await self._output().read(_PIECE_BYTES):  # what is left in the pipe; then its end is known and closed
                pass

    @property
    def pid(self) -> int:
        """Its id."""
        return self._running().pid

    async def told(self) -> Progress | AnswerSize:
        """What it says next.

        Raises:
            NotHeardError: it refuses the recording, or has ended.
        """
        line = await self._output().readline()
        if not line.endswith(b"\n"):
            raise NotHeardError(503, await self._why_it_ended())
        members: dict[str, Any] = json.loads(line)
        if "refused" in members:
            raise NotHeardError(_STATUS[members["about"]], members["refused"])
        if "answer_bytes" in members:
            return AnswerSize(members["answer_bytes"])
        return Progress(members["heard_s"], members["duration_s"])

    async def answer(self, size: AnswerSize) -> AsyncIterator[bytes]:
        """The answer, piece by piece.

        Raises:
            NotHeardError: the process ended in the middle of it.
        """
        left = size.count
        while left:
            piece = await self._output().read(min(left, _PIECE_BYTES))
            if not piece:
                raise NotHeardError(503, await self._why_it_ended())
            left -= len(piece)
            yield piece

    def _running(self) -> asyncio.subprocess.Process:
        assert self._process is not None  # noqa: S101 - it was started
        return self._process

    def _output(self) -> asyncio.StreamReader:
        output = self._running().stdout
        assert output is not None  # noqa: S101 - it is a pipe
        return output

    async def _why_it_ended(self) -> str:
        code = await self._running().wait()
        if code == -signal.SIGXCPU:
            return "hearing it took too much processor time; send a shorter recording"
        if code < 0:
            name = signal.Signals(-code).name if -code in set(signal.Signals) else f"signal {-code}"
            return f"the process that heard it was ended by {name}; {_AGAIN}"
        return f"the process that heard it ended with exit code {code} and no answer; {_AGAIN}"
