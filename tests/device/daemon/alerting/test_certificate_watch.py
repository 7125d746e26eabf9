"""A certificate is a fault 30 days before it expires, another one once it has, and over once it is renewed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from device.commands import CertificateReport
from device.daemon.alerting.faults.certificate_watch import CLEARED, PAGE_KEY, CertificateWatch
from device.runtime.certificates import DAY_S, CertificateExpiry
from device.sinks.mqtt.link import BrokerCertificate
from tests.device.daemon.scripted import UP

if TYPE_CHECKING:
    from tests.device.daemon.alerting.stage import Stage

EXPIRES_S = 1_800_000_000.0
OURS = CertificateExpiry(("mqtt", "cert_file"), "/etc/anna.crt", EXPIRES_S, EXPIRES_S - 30 * DAY_S)
THEIRS = replace(OURS, key=("mqtt", "ca_file"), path="/etc/ca.crt")
SAID = '"cert_file" in [mqtt] is "/etc/anna.crt", which expires on 2027-01-15T08:00:00Z'


class Life:
    def __init__(self, *expiries: CertificateExpiry) -> None:
        self.watch = CertificateWatch()
        self.expiries = expiries

    def at(self, days_before: float, *, synchronized: bool = True) -> list[tuple[bool, str]]:
        utc_s = EXPIRES_S - days_before * DAY_S
        changes = self.watch.update(self.expiries, now_s=utc_s, utc_s=utc_s, is_synchronized=synchronized)
        assert {change.kind for change in changes} <= {"certificate"}
        return [(change.begins, change.detail) for change in changes]


def test_it_begins_30_days_before_says_so_once_and_again_when_the_certificate_has_expired() -> None:
    life = Life(OURS)
    assert life.at(31) == []
    assert life.at(30) == [(True, SAID)]
    assert life.at(29) == life.at(1) == []
    expired = SAID.replace("expires", "expired")
    assert life.at(-1) == [(False, f"now {expired}"), (True, expired)]
    assert life.at(-2) == []


def test_it_is_over_once_the_daemon_uses_a_renewed_certificate() -> None:
    life = Life(OURS, THEIRS)
    assert life.at(29) == [(True, f"{SAID}; {SAID.replace('cert_file', 'ca_file').replace('anna', 'ca')}")]
    renewed = replace(OURS, expires_utc_s=EXPIRES_S + 365 * DAY_S, due_utc_s=EXPIRES_S + 335 * DAY_S)
    life.expiries = (renewed, THEIRS)
    assert [begins for begins, _ in life.at(28)] == [False, True]
    life.expiries = (renewed,)
    assert life.at(27) == [(False, CLEARED)]


def test_a_clock_that_nothing_has_set_may_begin_it_and_ends_nothing() -> None:
    """A Pi without a clock begins in the past, where every certificate is young."""
    life = Life(OURS)
    assert life.at(29, synchronized=False) == [(True, SAID)]
    assert life.at(500, synchronized=False) == []
    assert life.at(500, synchronized=True) == [(False, CLEARED)]


def test_what_the_page_reports_counts_more_than_its_file_until_it_is_silent() -> None:
    page = replace(OURS, key=PAGE_KEY, path="/etc/page.crt")
    life = Life(replace(page, due_utc_s=EXPIRES_S + DAY_S))  # renewed, but the page has not been started again
    assert life.at(20) == []
    now_s = EXPIRES_S - 20 * DAY_S
    life.watch.receive(CertificateReport(page.path, page.expires_utc_s, page.due_utc_s, "auricle-web"), now_s)
    assert life.at(20) == [(True, page.sentence(now_s))]
    hour = 1 / 24
    assert life.at(20 - 2 * hour) == []
    assert life.at(20 - 4 * hour) == [(False, CLEARED)]


def test_the_fault_is_an_alarm_of_low_priority_that_ends_with_a_reload(stage: Stage) -> None:
    expires_s = stage.clocks.utc_s + 29 * DAY_S
    stage.controller.channels.certificates = [replace(OURS, expires_utc_s=expires_s, due_utc_s=expires_s - 30 * DAY_S)]
    (fault,) = stage.turn().faults
    (alarm,) = stage.controller.machine.alarms
    assert (fault.kind, fault.begins, alarm.name, alarm.priority) == ("certificate", True, "certificate", "low")
    stage.controller.channels.certificates = [replace(OURS, due_utc_s=stage.clocks.utc_s + DAY_S)]
    (over,) = stage.turn().faults
    assert (over.begins, over.detail) == (False, CLEARED)
    assert stage.controller.machine.alarms == ()


def test_the_certificate_that_the_broker_has_shown_counts_and_a_renewed_one_ends_the_fault(stage: Stage) -> None:
    channels = stage.controller.channels
    channels.certificate_days = 30
    utc_s = stage.clocks.utc_s
    stage.broker.link = replace(UP, certificate=BrokerCertificate("broker.local:8883", utc_s + 31 * DAY_S))
    assert not stage.turn().faults
    stage.broker.link = replace(UP, certificate=BrokerCertificate("broker.local:8883", utc_s + 29 * DAY_S))
    (fault,) = stage.turn().faults
    expected = "the certificate of the broker at broker.local:8883, which expires on "
    assert (fault.kind, fault.begins, fault.detail.startswith(expected)) == ("certificate", True, True)
    stage.broker.link = replace(UP, certificate=BrokerCertificate("broker.local:8883", utc_s + 365 * DAY_S))
    (over,) = stage.turn().faults
    assert (over.begins, over.detail) == (False, CLEARED)


def test_without_certificates_there_is_no_fault() -> None:
    assert Life().at(-1000) == []
