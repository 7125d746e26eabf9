"""The state of alarms and their delivery, as a status snapshot shows it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from device.messages import Alarm


@dataclass(frozen=True, slots=True)
class AlarmSummary:
    """The open alarms, and whether they are kept and delivered.

    Attributes:
        alarms: open ones, the most urgent first.
        paused: signals are silent for a while.
        owed: changes of alarms that the broker has not acknowledged; None if no broker is configured.
        broker: state of the connection; None if no broker is configured.
        journal: why the journal commits nothing at present; empty if it does.
        broker_reason: why it is not connected, or what is wrong with the connection; empty if nothing is.
        commands_rejected: invalid commands that the broker delivered, since the start.
        paused_for_s: until signals sound again; 0 if they are not paused.
        push: how the process that notifies phones fares; None if nobody is to be notified.
        delivered: changes of alarms that the broker has acknowledged, since the start.
        delivered_late: of these, the ones that were late, or for which no clock can say whether they were.
    """

    alarms: tuple[Alarm, ...]
    paused: bool
    owed: int | None
    broker: str | None
    journal: str
    commands_rejected: int = 0
    push: str | None = None
    broker_reason: str = ""
    paused_for_s: float = 0.0
    delivered: int = 0
    delivered_late: int = 0
