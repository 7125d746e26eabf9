"""How often a visitor may command: each for itself, and all together. Pure.

Every command is an entry in the journal and a turn of the daemon's main loop. A page or a program that sends them as
fast as it can would fill the one and delay alarms in the other. Nobody who presses buttons comes near these bounds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from device.allowance import Allowance
from device.web.access.login_bounds import network_of

if TYPE_CHECKING:
    from device.web.access.visitors import Visitor

_RESTED_S = 10.0
_MOST_VISITORS = 1000


class Rate(NamedTuple):
    """How many may come.

    Attributes:
        at_once: after a rest.
        per_s: beyond that.
    """

    at_once: float
    per_s: float


class TooFast(NamedTuple):
    """A command that has to wait.

    Attributes:
        wait_s: seconds until the next one may come.
        is_first: the one before was carried out: a flood fills no log.
    """

    wait_s: float
    is_first: bool


@dataclass(slots=True)
class _Sender:
    """One account at one address."""

    allowance: Allowance
    is_refused: bool = False


class CommandBounds:
    """Counts commands of each account at each address, and of all.

    The first command of an account in 10 s never waits for others: whoever floods keeps nobody else from
    acknowledging an alarm.

    Args:
        of_one: account at one address.
        in_all: of everybody.
    """

    def __init__(self, of_one: Rate, in_all: Rate) -> None:
        self.of_one = of_one
        self._in_all = in_all
        self._all: Allowance | None = None
        self._senders: dict[tuple[str, bool, str], _Sender] = {}
        self._commanded_s: dict[tuple[str, bool], float] = {}

    def __repr__(self) -> str:
        return f"CommandBounds({len(self._senders)} senders)"

    def take(self, visitor: Visitor, address: str, now_s: float) -> TooFast | None:
        """Count a command that is about to be carried out; or how long it has to wait.

        Args:
            visitor: who sends it.
            address: from where.
            now_s: monotonic.
        """
        account = visitor.name, bool(visitor.token)  # where no login is needed, a program and a browser share a name
        sender = self._sender((*account, network_of(address)), now_s)
        wait_s = sender.allowance.ready_in_s(now_s) or self._wait_for_others_s(account, now_s)
        if wait_s:
            is_first, sender.is_refused = not sender.is_refused, True
            return TooFast(wait_s, is_first)
        sender.allowance.use(1.0, now_s)
        sender.is_refused = False
        self._commanded_s.pop(account, None)
        self._commanded_s[account] = now_s
        _forget_oldest(self._commanded_s)
        return None

    def _wait_for_others_s(self, account: tuple[str, bool], now_s: float) -> float:
        if self._all is None:
            self._all = Allowance(at_once=self._in_all.at_once, per_s=self._in_all.per_s, now_s=now_s)
        may_come = self._all.use(1.0, now_s) or now_s - self._commanded_s.get(account, float("-inf")) >= _RESTED_S
        return 0.0 if may_come else self._all.ready_in_s(now_s)

    def _sender(self, key: tuple[str, bool, str], now_s: float) -> _Sender:
        rate = self.of_one
        found = self._senders.pop(key, None) or _Sender(Allowance(at_once=rate.at_once, per_s=rate.per_s, now_s=now_s))
        self._senders[key] = found  # as the newest
        _forget_oldest(self._senders)
        return found


def bounds_of_commands() -> CommandBounds:
    """Of what people ask for."""
    return CommandBounds(Rate(20.0, 1.0), Rate(100.0, 5.0))


def bounds_of_looks() -> CommandBounds:
    """Of looks at a measurement of the room: an open page takes one every two seconds, and the journal none."""
    return CommandBounds(Rate(20.0, 5.0), Rate(100.0, 20.0))


def _forget_oldest(known: dict[Any, Any]) -> None:
    if len(known) > _MOST_VISITORS:
        known.pop(next(iter(known)))
