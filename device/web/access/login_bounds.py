"""How often somebody may try to log in: per address, and in all. Pure.

Only failures count. Who has a session needs no login, so whoever is in stays in while others are kept out.
"""

from __future__ import annotations

import ipaddress
from collections import deque

FAILURES_OF_ONE_ADDRESS = 5
FAILURES_IN_ALL = 50
WITHIN_S = 300.0
_MOST_ADDRESSES = 1000


class LoginBounds:
    """Counts failures within the last five minutes.

    Args:
        of_one_address: failures after which an address has to wait.
        in_all: failures after which everybody has to wait.
        within_s: how long a failure counts.
    """

    def __init__(
        self,
        *,
        of_one_address: int = FAILURES_OF_ONE_ADDRESS,
        in_all: int = FAILURES_IN_ALL,
        within_s: float = WITHIN_S,
    ) -> None:
        self._of_one_address, self._in_all, self._within_s = of_one_address, in_all, within_s
        self._failures: dict[str, deque[float]] = {}
        self._all: deque[float] = deque(maxlen=in_all)

    def __repr__(self) -> str:
        return f"LoginBounds({len(self._all)} failures of {len(self._failures)} addresses)"

    def wait_s(self, address: str, now_s: float) -> float:
        """Seconds until a try from this address is let through; 0 if it is now."""
        own = self._failures.get(network_of(address), deque())
        return max(
            self._until(own, self._of_one_address, now_s),
            self._until(self._all, self._in_all, now_s),
        )

    def count(self, address: str, now_s: float) -> None:
        """Count a try as a failure, before its outcome is known: tries at one moment cannot outrun the bound."""
        network = network_of(address)
        if network not in self._failures and len(self._failures) >= _MOST_ADDRESSES:
            self._failures.pop(next(iter(self._failures)))
        self._failures.setdefault(network, deque(maxlen=self._of_one_address)).append(now_s)
        self._all.append(now_s)

    def forgive(self, address: str) -> None:
        """The last try from this address was right: it does not count, and neither do those before it."""
        self._failures.pop(network_of(address), None)
        if self._all:
            self._all.pop()

    def _until(self, failures: deque[float], most: int, now_s: float) -> float:
        return max(0.0, failures[0] + self._within_s - now_s) if len(failures) >= most else 0.0


def network_of(address: str) -> str:
    """The address itself, or the network of 64 bits that one home has in IPv6."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if parsed.version == 6 and parsed.ipv4_mapped is None:
        return str(ipaddress.ip_network((parsed, 64), strict=False))
    return str(getattr(parsed, "ipv4_mapped", None) or parsed)
