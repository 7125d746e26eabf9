"""Timeouts and retry delays of the connection to a broker."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SessionTimeouts:
    """Timeouts and retry delays, in seconds.

    Attributes:
        keepalive_s: a broker that is silent this long is pinged; one that does not answer this long is lost.
        answer_s: to connect to one address, for the TLS handshake, and for the answer to the login.
        acknowledge_s: for a message to be acknowledged; after that the connection counts as lost.
        first_s: until the first retry, doubled for each further one; each delay is cut at random, by half at most.
        longest_s: longest delay until the next retry.
        refused_s: until the next retry if the broker refused us and a retry will hardly help.
        denied_s: until a message that the broker denied is sent again.
        stable_s: after a connection that lasted this long the delays start anew. Longer than `longest_s`, or two
            clients of one id would keep disconnecting each other.
    """

    keepalive_s: int = 10
    answer_s: float = 5.0
    acknowledge_s: float = 20.0
    first_s: float = 0.5
    longest_s: float = 15.0
    refused_s: float = 30.0
    denied_s: float = 30.0
    stable_s: float = 60.0
