"""One person's way out: a thread that talks to one service, so that a slow one delays no other.

The main loop hands over one task at a time and takes its result; all state but the open service is the main loop's.
"""

from __future__ import annotations

import queue
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from device.errors import AuricleError
from device.printable import printable
from device.push.services.delivery_error import DeliveryError
from device.push.services.service_opening import open_service, secret_paths

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from device.push.notification import Notification
    from device.push.owed.ledger_content import Told
    from device.push.owed.notify_rule import NotifyRule
    from device.push.owed.owed_ledger import Delivery
    from device.push.services.backoff import Backoff
    from device.push.services.push_service import Acknowledgement, PushService

POLL_S = 10.0
"""From one question for acknowledgements to the next; Pushover and ntfy.sh allow one in 5 s."""

MOST_POLL_S = 120.0

Purpose = Literal["deliver", "trial", "poll"]


@dataclass(frozen=True, slots=True)
class LaneTask:
    """What the thread is to do.

    Attributes:
        purpose: send what is owed, send a trial, or ask for acknowledgements.
        notification: to be sent; None for a question.
        delivery: what is owed; None for another purpose.
        waiting: alarms that somebody may acknowledge.
    """

    purpose: Purpose
    notification: Notification | None = None
    delivery: Delivery | None = None
    waiting: Mapping[str, Told] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LaneResult:
    """What became of a task.

    Attributes:
        task: as given.
        failure: None if it succeeded.
        receipt: of a message.
        acknowledgements: that were found.
    """

    task: LaneTask
    failure: DeliveryError | None = None
    receipt: str = ""
    acknowledgements: Sequence[Acknowledgement] = ()


class DeliveryLane:
    """The thread of one rule.

    Args:
        rule: of the configuration.
        index: of its table.
        acknowledge_key: secret that proves acknowledgements.
        backoff: pauses after failures.
        wake: called from the thread once a result is there.

    Attributes:
        rule: as given.
        backoff: as given.
        poll_at_s: when to ask for acknowledgements again; set by the main loop.
        poll_pause_s: the pause before that.
    """

    def __init__(
        self, rule: NotifyRule, index: int, *, acknowledge_key: bytes, backoff: Backoff, wake: Callable[[], None]
    ) -> None:
        self.rule = rule
        self.backoff = backoff
        self.poll_at_s = float("-inf")
        self.poll_pause_s = POLL_S
        self._index = index
        self._key = acknowledge_key
        self._wake = wake
        self._tasks: queue.Queue[LaneTask | None] = queue.Queue(1)
        self._results: queue.Queue[LaneResult] = queue.Queue(1)
        self._is_busy = False
        self._service: PushService | None = None
        self._opened_with: object = None
        self._seen = self._files()
        self._thread = threading.Thread(target=self._run, name=f"push-{rule.name}", daemon=True)
        self._thread.start()

    def __repr__(self) -> str:
        return f"DeliveryLane({self.rule.name!r}, {'busy' if self._is_busy else 'idle'}, {self.backoff!r})"

    # --- the main loop's side

    @property
    def is_alive(self) -> bool:
        """Whether its thread runs."""
        return self._thread.is_alive()

    @property
    def is_busy(self) -> bool:
        """Whether a task is under way, or its result was not taken."""
        return self._is_busy

    def start(self, task: LaneTask) -> None:
        """Hand over a task; the lane is idle."""
        self._is_busy = True
        self._tasks.put_nowait(task)

    def result(self) -> LaneResult | None:
        """The result of the task; None while there is none."""
        try:
            result = self._results.get_nowait()
        except queue.Empty:
            return None
        self._is_busy = False
        return result

    def notice_corrections(self) -> None:
        """Ask a service that refused again, once a file with an address or token has changed."""
        files = self._files()
        if files != self._seen:
            self._seen = files
            self.backoff.ask_again()

    def close(self) -> None:
        """Let the thread end after its task; it is not waited for."""
        try:
            self._tasks.put_nowait(None)
        except queue.Full:
            return

    # --- the thread

    def _run(self) -> None:
        while (task := self._tasks.get()) is not None:
            self._results.put(self._done(task))
            self._wake()

    def _done(self, task: LaneTask) -> LaneResult:
        try:
            service = self._opened()
            if task.notification is None:
                return LaneResult(task, acknowledgements=service.acknowledgements(task.waiting))
            return LaneResult(task, receipt=service.send(task.notification))
        except DeliveryError as error:
            return LaneResult(task, error)
        except (AuricleError, OSError) as error:
            return LaneResult(task, DeliveryError("refused", printable(str(error))))
        except Exception as error:  # noqa: BLE001 - a mistake of ours must not end the only way to somebody
            return LaneResult(task, DeliveryError("busy", f"it could not be sent: {type(error).__name__}"))

    def _opened(self) -> PushService:
        files = self._files()
        if self._service is None or files != self._opened_with:
            self._service = open_service(self.rule.settings, self._index, acknowledge_key=self._key)
            self._opened_with = files
        return self._service

    def _files(self) -> object:
        """Changes whenever a file with an address, token or key does."""
        return tuple(_state(path) for path in secret_paths(self.rule.settings).values())


def _state(path: Path) -> tuple[Path, int, int]:
    try:
        status = path.stat()
    except OSError:
        return path, 0, 0
    return path, status.st_ino, status.st_mtime_ns
