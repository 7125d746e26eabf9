"""Whether people can listen in: whether it is on, whether the daemon lets them, and who has the right."""

from __future__ import annotations

from typing import TYPE_CHECKING

from device.findings import Finding
from device.printable import printable
from device.runtime.secrets.page_accounts import who_may_listen
from device.tools.check.check_run import AS_THE_DAEMON

if TYPE_CHECKING:
    from pathlib import Path

    from device.config.web_settings import WebSettings
    from device.runtime.daemon_state import DaemonState

_NAME = "listening"
_RELOAD = "sudo systemctl reload auricle@{}, or start the daemon again"
_ALLOW = "auricle web allow NAME --listen-in gives an account the right; auricle web accounts lists them"


def check_listening(
    settings: WebSettings, instance: str, state: DaemonState | None, *, socket: Path, accounts: Path
) -> Finding:
    """Whether the configuration, the running daemon and the accounts agree about listening in.

    Args:
        settings: of the page.
        instance: name of the daemon.
        state: of the running daemon; None if none runs.
        socket: on which that daemon lets people listen in.
        accounts: the file of the page's accounts.
    """
    listeners = None if state is None else state.listening_in
    if not settings.listen_in:
        if listeners is None:
            return Finding(_NAME, "ok", "nobody can listen in: listen_in in [web] is off")
        summary = "listen_in in [web] is off, but the daemon that runs still lets people listen in"
        return Finding(_NAME, "warning", summary, _RELOAD.format(instance))
    if settings.listen is None:
        summary = "listen_in in [web] is on, but no page is served"
        return Finding(_NAME, "warning", summary, 'set "listen" in [web], as "127.0.0.1:8127", and start auricle web')
    if state is not None and listeners is None:
        summary = "listen_in in [web] is on, but the daemon that runs lets nobody listen in"
        return Finding(_NAME, "failure", summary, _RELOAD.format(instance))
    if state is not None and not _may_exist(socket):
        summary = f"the daemon's socket for it is gone: {printable(str(socket))}"
        return Finding(_NAME, "failure", summary, f"sudo systemctl restart auricle@{instance}")
    return _rights(accounts, _now(listeners))


def _rights(accounts: Path, now: str) -> Finding:
    try:
        names = who_may_listen(accounts)
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no file of accounts"
        summary = f"{now}; who may is not known: {printable(str(accounts))} cannot be read: {why}"
        return Finding(_NAME, "warning", summary, f"{AS_THE_DAEMON}, or as root")
    if not names:
        return Finding(_NAME, "warning", f"{now}; no account has the right", _ALLOW)
    return Finding(_NAME, "ok", f"{now}; may: {', '.join(map(printable, names))}")


def _now(listeners: tuple[str, ...] | None) -> str:
    if listeners is None:
        return "it is on, and the daemon does not run"
    return f"it is on, {len(listeners)} listen in now" if listeners else "it is on, nobody listens in now"


def _may_exist(path: Path) -> bool:
    try:
        path.lstat()
    except FileNotFoundError:
        return False
    except OSError:  # in a folder that may not be looked into
        return True
    return True
