"""The process that serves the page: puts its parts together, says where it is, and serves until it is stopped."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import secrets
from pathlib import Path
from typing import TYPE_CHECKING

from device.errors import MissingExtraError
from device.printable import printable
from device.runtime.certificates import expiry_in
from device.runtime.clocks import zone_of
from device.runtime.paths import clips_folder, instance_journal, web_folder
from device.runtime.secrets.page_accounts import accounts_file
from device.runtime.secrets.page_certificate import check_certificate
from device.runtime.systemd_notify import Notifier
from device.web.access.accounts import AccountBook
from device.web.access.sessions import Sessions
from device.web.access.visitors import Visitors

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from device.config.settings import Settings
    from device.config.web_settings import WebSettings
    from device.runtime.certificates import CertificateExpiry
    from device.web.classifying.classify_service import ClassifyService
    from device.web.requests.gatekeeper import Gatekeeper
    from device.web.server.service import Service

_DAY_S = 86400.0

_WEB_PACKAGES = frozenset({"starlette", "uvicorn", "anyio", "h11", "python_multipart"})
"""What the extra `web` brings, as modules."""

_UPLOADS = "uploads"


def serve_page(
    settings: Settings,
    instance: str,
    *,
    listen: str,
    config: str | None = None,
    environment: Mapping[str, str] = os.environ,
) -> int:
    """Serve the page of an instance until this process is asked to end; returns exit code 0.

    Args:
        settings: of the instance.
        instance: name of the daemon.
        listen: address and port.
        config: the file of the settings; None for a profile alone.
        environment: names the folders.

    Raises:
        ConfigError: the configuration, the accounts or the certificate are not valid.
        ServiceError: the address cannot be used.
        MissingExtraError: the extra `web` is not installed.
    """
    web = dataclasses.replace(settings.web, listen=listen)
    gate = open_gate(
        web, instance, web_folder(instance, environment), environment
    )  # first, as it says what the page needs and is not installed
    from device.web.live.certificate_reporting import CertificateReporting
    from device.web.requests.serving import bound, server_of
    from device.web.server.application import application

    service = dataclasses.replace(
        _service(settings, instance, gate, environment),
        classifying=_classifying(settings, instance, config, environment),
    )
    notifier = Notifier.from_environment(os.environ)
    listening = bound(listen)
    scheme = "https" if web.cert_file else "http"
    greeting = f"the page of {instance} is at {scheme}://{listen}{web.base_path}"
    report(greeting)
    notifier.ready(greeting)
    reporting = CertificateReporting(service.link, _expiry(settings, web))
    app = application(service, web, on_moment=lambda _moment: notifier.watchdog(), others=[reporting.run])
    server_of(app, web).run(sockets=[listening])
    notifier.stopping()
    return 0


def _expiry(settings: Settings, web: WebSettings) -> CertificateExpiry | None:
    """Of the certificate that is served; None if there is none, or its date is unknown."""
    if web.cert_file is None:
        return None
    with contextlib.suppress(OSError, ValueError):
        return expiry_in(("web", "cert_file"), web.cert_file, days=settings.status.certificate_days)
    return None


def open_gate(
    web: WebSettings,
    name: str,
    folder: Path,
    environment: Mapping[str, str],
    *,
    command: str = "auricle web password NAME",
) -> Gatekeeper:
    """What lets visitors in, by the accounts and the logins of a page, once its certificate and address are in order.

    Args:
        web: with the address at which the page listens.
        name: of the instance or the ward.
        folder: of its accounts and logins.
        environment: names the folder of credentials.
        command: that makes an account.

    Raises:
        ConfigError: the accounts or the certificate are not valid, or the address demands an account and there is none.
        MissingExtraError: the extra `web` is not installed.
    """
    try:
        from device.web.requests.gatekeeper import Gatekeeper
        from device.web.requests.serving import check_access, is_loopback
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in _WEB_PACKAGES:
            raise
        raise MissingExtraError(f"the page needs {error.name}, which is not installed: auricle[web]") from None
    check_certificate(web)
    book = AccountBook(accounts_file(web, folder, environment))
    check_access(book, web, command)
    session_s = web.session_days * _DAY_S
    kept = _made_folder(folder)
    sessions = Sessions(None if kept is None else kept / "sessions.json", idle_s=session_s)
    visitors = Visitors(book, sessions, may_be_open=is_loopback(str(web.listen)), instance=name)
    return Gatekeeper(visitors, report=report, session_s=session_s)


def _service(settings: Settings, instance: str, gate: Gatekeeper, environment: Mapping[str, str]) -> Service:
    from device.web.live.daemon_link import DaemonLink
    from device.web.night.happenings import Happenings
    from device.web.night.hearing_record import HearingRecord
    from device.web.night.journal_tail import JournalTail
    from device.web.pages.now_view import PageFacts
    from device.web.server.service import Service

    folder = _made_folder(web_folder(instance, environment))
    journal = _journal(settings, instance, environment)
    return Service(
        link=DaemonLink(instance, environment=environment),
        tail=JournalTail(journal or (lambda: instance_journal(instance, environment))),
        happenings=Happenings(journal, _clips(settings, instance, environment)),
        hearing=HearingRecord(None if folder is None else folder / "heard"),
        gate=gate,
        facts=PageFacts(instance, zone_of(settings.alarms.time_zone), settings.alarms.longest_pause_s),
        epoch=secrets.token_hex(4),
        report=report,
        lets_listen=settings.web.listen_in,
    )


def _classifying(
    settings: Settings, instance: str, config: str | None, environment: Mapping[str, str]
) -> ClassifyService | None:
    """What hears recordings that are sent; None if the configuration has it off."""
    if not settings.web.classify:
        return None
    from device.web.classifying.classify_service import ClassifyService

    return ClassifyService(settings, config, web_folder(instance, environment) / _UPLOADS)


def _made_folder(folder: Path) -> Path | None:
    """Where logins and the record of hearing outlive a restart; None if nothing can be kept there."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError:
        return None
    return folder


def _journal(settings: Settings, instance: str, environment: Mapping[str, str]) -> Callable[[], Path] | None:
    """Finds the daemon's journal; None if it keeps none."""
    file = settings.journal.file
    if file is None:
        return None
    return (lambda: instance_journal(instance, environment)) if file == "auto" else (lambda: Path(file))


def _clips(settings: Settings, instance: str, environment: Mapping[str, str]) -> Path | None:
    """The daemon's folder of clips; None if it keeps none."""
    if not settings.clips.enabled:
        return None
    if settings.clips.folder != "auto":
        return Path(settings.clips.folder)
    return instance_journal(instance, environment).with_name(clips_folder(instance, environment).name)


def report(line: str) -> None:
    """Write a line of the log."""
    print(f"auricle: {printable(line)}", flush=True)
