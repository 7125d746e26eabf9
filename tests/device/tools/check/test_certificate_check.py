"""`auricle check` says until when each certificate is valid, warns before, and fails once one has expired."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from device.config.loading import profile
from device.config.settings import MqttSettings
from device.runtime.certificates import DAY_S
from device.tools.check.certificate_check import check_certificates
from tests.device.runtime.signed_certificates import certificate

if TYPE_CHECKING:
    from pathlib import Path

    from device.findings import FindingOutcome

NOW_S = 1_800_000_000.0


@pytest.mark.parametrize(
    ("days", "outcome", "verb"), [(31, "ok", "expires"), (29, "warning", "expires"), (-1, "failure", "expired")]
)
def test_each_outcome_names_the_file_and_the_date(
    tmp_path: Path, days: int, outcome: FindingOutcome, verb: str
) -> None:
    path = tmp_path / "anna.crt"
    path.write_bytes(certificate(NOW_S + days * DAY_S))
    settings = replace(profile(), mqtt=MqttSettings(host="h", tls=True, cert_file=str(path)))
    finding = check_certificates(settings, NOW_S)
    assert finding.outcome == outcome
    assert f'"cert_file" in [mqtt] is "{path}", which {verb} on 202' in finding.summary
    assert bool(finding.cure) == (outcome != "ok")


def test_a_certificate_that_cannot_be_read_is_a_warning_and_none_is_no_mistake(tmp_path: Path) -> None:
    missing = MqttSettings(host="h", tls=True, cert_file=str(tmp_path / "gone.crt"))
    finding = check_certificates(replace(profile(), mqtt=missing), NOW_S)
    assert (finding.outcome, "which is not there" in finding.summary) == ("warning", True)
    assert check_certificates(profile(), NOW_S).summary == "none is configured"
