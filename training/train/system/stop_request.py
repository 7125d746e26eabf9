"""A wish to end: the first SIGINT or SIGTERM of a training run."""

from __future__ import annotations

import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from device.errors import AuricleError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType


_BEFORE_AN_EPOCH = "stopped before an epoch was under way; the same command goes on"


class TrainingStopped(AuricleError):  # noqa: N818 - it is no error of the program
    """A signal ended the run; `signal_number` is which."""

    def __init__(self, sentence: str, signal_number: int) -> None:
        super().__init__(sentence)
        self.signal_number = signal_number


class StopRequest:
    """Notes a signal while epochs run, so that the loop ends between two batches; raises at any other time."""

    def __init__(self) -> None:
        self.signal_number = 0
        self._noted_only = False

    @property
    def wanted(self) -> bool:
        """Whether a signal has come."""
        return self.signal_number != 0

    @contextmanager
    def listening(self) -> Iterator[StopRequest]:
        """Take SIGINT and SIGTERM; what took them before does so again at the end.

        Raises:
            TrainingStopped: a signal has come, also where a library made another error of what the handler raised, as
                Keras does while it loads a network.
        """
        before = {number: signal.signal(number, self._take) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield self
        except TrainingStopped:
            raise
        except Exception as error:
            if self.wanted:
                raise TrainingStopped(_BEFORE_AN_EPOCH, self.signal_number) from error
            raise
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    @contextmanager
    def noted_only(self) -> Iterator[None]:
        """Within the block a signal is noted and nothing else."""
        self._noted_only = True
        try:
            yield
        finally:
            self._noted_only = False

    def _take(self, number: int, _frame: FrameType | None) -> Any:
        self.signal_number = number
        if not self._noted_only:
            raise TrainingStopped(_BEFORE_AN_EPOCH, number)
