"""The page tells each daemon until when its certificate is valid: at its start, and every hour."""

from __future__ import annotations

from typing import TYPE_CHECKING

from device.commands import CertificateReport
from device.runtime.certificates import CertificateExpiry
from device.web.live.certificate_reporting import EVERY_S, CertificateReporting
from tests.device.web.site import Site
from tests.system.conftest import wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from device.runtime.daemon_state import DaemonState

EXPIRY = CertificateExpiry(("web", "cert_file"), "/etc/page.crt", 1.9e9, 1.8e9)


def test_a_daemon_is_told_once_and_again_after_an_hour_and_after_its_restart(
    tmp_path: Path, state: DaemonState
) -> None:
    site, now_s = Site(tmp_path, state), [0.0]
    site.others.append(CertificateReporting(site.service.link, EXPIRY, lambda: now_s[0]).run)
    with site:
        wait_until(lambda: len(site.commands) == 1, "the first report")
        number = site.service.link.newest.number
        wait_until(lambda: site.service.link.newest.number > number + 1, "another answer of the daemon")
        assert len(site.commands) == 1
        now_s[0] = EVERY_S
        site.show(uptime_s=state.uptime_s + 60.0)  # the main loop of a daemon that shows nothing new for 2 s hangs
        wait_until(lambda: len(site.commands) == 2, "the report after an hour")
        site.show(pid=state.pid + 1, uptime_s=state.uptime_s + 120.0)
        wait_until(lambda: len(site.commands) == 3, "the report to another daemon")
    (report, *_) = site.commands
    assert isinstance(report, CertificateReport)
    assert (report.path, report.expires_utc_s, report.due_utc_s) == ("/etc/page.crt", 1.9e9, 1.8e9)


def test_a_page_without_a_certificate_reports_nothing(tmp_path: Path, state: DaemonState) -> None:
    site = Site(tmp_path, state)
    site.others.append(CertificateReporting(site.service.link, None).run)
    with site:
        number = site.service.link.newest.number
        wait_until(lambda: site.service.link.newest.number > number, "another answer of the daemon")
    assert site.commands == []
