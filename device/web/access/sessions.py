"""Logins that hold for a while: who, since when and from where. They outlive a restart, and can be ended one by one.

What a browser holds is a random token; what is kept is its hash, so that the file lets nobody in. The proof against
forged requests is derived from the token: another site can neither read nor guess it.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import os
import secrets
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

MOST_SESSIONS = 100
_TOUCHED_AFTER_S = 300.0
_MOST_AGENT_CHARACTERS = 200
_FILE_MODE = 0o600


@dataclass(frozen=True, slots=True)
class Session:
    """One login.

    Attributes:
        key: hash of its token, in hexadecimal.
        account: name of who logged in.
        since_utc_s: when.
        used_utc_s: when it was used last, to five minutes.
        address: from where.
        agent: what the browser calls itself.
        stamp: of the password that it was begun with; another password ends it.
    """

    key: str
    account: str
    since_utc_s: float
    used_utc_s: float
    address: str
    agent: str
    stamp: str


def stamp_of(proof: str) -> str:
    """What tells one password's proof from another, and gives nothing of it away."""
    return hashlib.sha256(b"auricle stamp " + proof.encode()).hexdigest()[:16]


def csrf_of(token: str) -> str:
    """The proof that a request comes from our own page, which alone can know it."""
    return hashlib.sha256(b"auricle csrf " + token.encode("utf-8", "replace")).hexdigest()[:32]


def is_csrf(given: str, token: str) -> bool:
    """Whether this is the proof that belongs to a token."""
    return hmac.compare_digest(given.encode("utf-8", "replace"), csrf_of(token).encode())


class Sessions:
    """All logins.

    Args:
        path: of the file in which they outlive a restart; None for none. One that cannot be written costs a new login.
        idle_s: a login that was not used for this long has ended.
    """

    def __init__(self, path: Path | None, *, idle_s: float) -> None:
        self._path = path
        self._idle_s = idle_s
        self._sessions = {} if path is None else _read(path)

    def __repr__(self) -> str:
        return f"Sessions({len(self._sessions)})"

    def begin(self, account: str, *, proof: str, address: str, agent: str, now_utc_s: float) -> str:
        """Log somebody in, by the proof of a password; returns the token for the browser.

        Where there are too many logins, the one that was not used for longest gives way.
        """
        token = secrets.token_urlsafe(32)
        shown = agent[:_MOST_AGENT_CHARACTERS]
        session = Session(_key(token), account, now_utc_s, now_utc_s, address, shown, stamp_of(proof))
        while len(self._sessions) >= MOST_SESSIONS:
            self._sessions.pop(min(self._sessions.values(), key=lambda each: each.used_utc_s).key)
        self._sessions[session.key] = session
        self._write()
        return token

    def find(self, token: str, now_utc_s: float) -> Session | None:
        """The login of a token, which is in use by this; None if there is none, or it has ended."""
        session = self._sessions.get(_key(token))
        if session is None:
            return None
        if now_utc_s - session.used_utc_s > self._idle_s:
            self.end(session.key)
            return None
        if now_utc_s - session.used_utc_s > _TOUCHED_AFTER_S:
            session = self._sessions[session.key] = replace(session, used_utc_s=now_utc_s)
            self._write()
        return session

    def of(self, account: str) -> list[Session]:
        """The logins of an account, the newest use first."""
        own = [session for session in self._sessions.values() if session.account == account]
        return sorted(own, key=lambda session: -session.used_utc_s)

    def end(self, key: str) -> None:
        """End a login; nothing if there is none."""
        if self._sessions.pop(key, None) is not None:
            self._write()

    def _write(self) -> None:
        if self._path is None:
            return
        text = json.dumps([asdict(session) for session in self._sessions.values()])
        beside = self._path.with_name(f".{self._path.name}.new")
        with contextlib.suppress(OSError):
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW
            with os.fdopen(os.open(beside, flags, _FILE_MODE), "w", encoding="utf-8") as file:
                file.write(text)
            beside.replace(self._path)


def _key(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()


def _read(path: Path) -> dict[str, Session]:
    try:
        rows: Any = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    found = (_parsed(row) for row in rows) if isinstance(rows, list) else ()
    return {session.key: session for session in found if session is not None}


def _parsed(row: Any) -> Session | None:
    match row:
        case {
            "key": str(key),
            "account": str(account),
            "since_utc_s": int() | float() as since_utc_s,
            "used_utc_s": int() | float() as used_utc_s,
            "address": str(address),
            "agent": str(agent),
            "stamp": str(stamp),
        }:
            return Session(key, account, float(since_utc_s), float(used_utc_s), address, agent, stamp)
    return None
