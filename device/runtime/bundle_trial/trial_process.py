"""A bundle's trial as its parent sees it: bounded in time, memory and rights, whatever the network does.

A network is run by C++ code that trusts it. What crashes, hangs or eats memory there does so in a child process, which
reports on each bundle that survived it. The parent then opens the same bytes, which it knows by their SHA-256. A trial
says nothing of a network that means harm and waits: that its operations are plain arithmetic is checked before
(`device.hearing.network`).
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import select
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from device.errors import BundleError, ServiceError, StoppedError
from device.runtime.bundle_trial.trial_child import REFERENCE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path
    from types import TracebackType

INTERPRETER = (sys.executable, "-S", "-P", "-B", "-m")
"""Runs a module of ours with `child_environment`; the module's name follows."""

CHILD = (*INTERPRETER, "device.runtime.bundle_trial.trial_child")

_MAX_REPORT_BYTES = 1 << 18
_ASKS_EVERY_S = 0.2
_ENDS_WITHIN_S = 1.0  # a killed process does; one in uninterruptible sleep is left behind
_INHERITED = ("LANG", "LC_ALL", "LD_LIBRARY_PATH", "PATH", "TZ")
_ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
"""A second thread reserves memory, and a trial may have only one."""


@dataclass(frozen=True, slots=True)
class TrialLimits:
    """Bounds of one trial.

    Attributes:
        wall_s: from its start to its last report; below the 60 s that systemd waits for a start.
        cpu_s: of processor time; opening the shipped model takes 0.3 s on a desktop, some 3 s on a Raspberry Pi 3.
        data_bytes: memory that it may allocate, of which Python, numpy and LiteRT take 60 MB; with the daemon's own it
            must stay below the unit's MemoryMax=, or the kernel would end the daemon too.
    """

    wall_s: float = 40.0
    cpu_s: int = 20
    data_bytes: int = 192 * 2**20


LIMITS = TrialLimits()

REFERENCE_LIMITS = TrialLimits(wall_s=600.0, cpu_s=400)
"""Where 512 reference windows are compared too, before anything waits for the result."""


def never() -> bool:
    """Nobody stops it."""
    return False


class Trial:
    """One child process that tries bundles; a context manager that ends it, whatever state it is in.

    Args:
        paths: of the bundles, in the order in which they are tried.
        limits: of all together.
        compares: whether reference scores are compared too.
        command: of the child, to which its arguments are added.
        is_stopped: whether nobody needs the result any more; asked several times a second.

    Raises:
        ServiceError: no process can be started.
    """

    def __init__(
        self,
        paths: Iterable[Path],
        limits: TrialLimits = LIMITS,
        *,
        compares: bool = False,
        command: Sequence[str] = CHILD,
        is_stopped: Callable[[], bool] = never,
    ) -> None:
        self._paths, self._limits, self._is_stopped = list(dict.fromkeys(paths)), limits, is_stopped
        self._deadline_s = time.monotonic() + limits.wall_s
        arguments = [
            *([REFERENCE] if compares else []),
            str(limits.cpu_s),
            str(limits.data_bytes),
            *map(str, self._paths),
        ]
        try:
            self._process = subprocess.Popen(  # noqa: S603 - our own module, or our caller's command
                [*command, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=child_environment(),
                bufsize=0,
                start_new_session=True,
            )
        except OSError as error:
            raise ServiceError(f"the models cannot be tried in a process of their own: {error.strerror}") from None

    def __repr__(self) -> str:
        return f"Trial({', '.join(map(str, self._paths))})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """End the child and all that it may have started; idempotent."""
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._wait()
        if self._process.stdout is not None:
            self._process.stdout.close()

    def result(self) -> dict[Path, str]:
        """Wait for the child; path -> SHA-256 of the bundle that passed.

        Raises:
            BundleError: a bundle did not pass; one sentence, which begins with its path.
            StoppedError: nobody needs the result any more.
        """
        is_late, reports = self._read()
        outcomes = [_outcome(line) for line in reports.splitlines(keepends=True) if line.endswith(b"\n")]
        passed = {}
        for path, (sha256, error) in zip(self._paths, outcomes, strict=False):
            if error:
                raise BundleError(error)
            passed[path] = sha256
        if len(passed) < len(self._paths):
            raise BundleError(f"{self._paths[len(passed)]}: {self._why_no_report(is_late=is_late)}")
        return passed

    def _read(self) -> tuple[bool, bytes]:
        """Whether the deadline came first, and all that the child reported."""
        assert self._process.stdout is not None  # noqa: S101 - it is a pipe
        pipe, received = self._process.stdout.fileno(), b""
        poll = select.poll()
        poll.register(pipe, select.POLLIN)
        while len(received) < _MAX_REPORT_BYTES:
            left_s = self._deadline_s - time.monotonic()
            if self._is_stopped():
                raise StoppedError("the trial of the models was stopped")
            if left_s <= 0:
                return True, received
            if not poll.poll(math.ceil(min(left_s, _ASKS_EVERY_S) * 1000)):
                continue
            data = os.read(pipe, 1 << 16)
            if not data:
                break
            received += data
        return False, received

    def _why_no_report(self, *, is_late: bool) -> str:
        self._wait()
        code, limits = self._process.returncode, self._limits
        what = "it was tried in a process of its own, which"
        cure = "do not use this bundle; write it anew with the converter, or get it from its source again"
        if is_late or code is None:
            return f"{what} did not end within {limits.wall_s:g} s; {cure}"
        if code == -signal.SIGXCPU:
            return f"{what} took more than {limits.cpu_s} s of processor time; {cure}"
        if code < 0:
            name = signal.Signals(-code).name if -code in set(signal.Signals) else f"signal {-code}"
            return f"{what} was ended by {name}; {cure}"
        return f"{what} ended with exit code {code} and no report; auricle check tells more of this machine"

    def _wait(self) -> None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_ENDS_WITHIN_S)


def _outcome(line: bytes) -> tuple[str, str]:
    """(SHA-256, error) of one report, one of them empty; the child is not trusted to write what it should."""
    try:
        report = json.loads(line)
        if isinstance(report, dict) and len(report) == 1:
            sha256, error = report.get("sha256", ""), report.get("error", "")
            if isinstance(sha256, str) and isinstance(error, str) and (sha256 or error):
                return sha256, "".join(character for character in error if character.isprintable())
    except (ValueError, RecursionError):
        pass
    return "", "a model's trial reported what no trial reports; do not use this bundle"


def child_environment() -> dict[str, str]:
    """The child imports from where we do, without `site`, and gets no more of our environment than it needs."""
    kept = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    path = os.pathsep.join(os.path.abspath(entry) for entry in sys.path)  # noqa: PTH100 - "" too
    return {**kept, **_ONE_THREAD, "PYTHONPATH": path}
