"""Metrics over a real HTTP GET, read by Prometheus' own parser."""

from __future__ import annotations

import contextlib
import dataclasses
import re
import socket
import threading
import time
from typing import TYPE_CHECKING
from urllib.request import urlopen

import pytest
from prometheus_client.parser import text_string_to_metric_families

from device.errors import MissingExtraError, ServiceError
from device.runtime.daemon_state import DaemonState, FaultStatus, LabelStatus
from device.runtime.metrics.machine_figures import MachineFigures
from device.runtime.metrics.metrics_server import ADDRESS, MetricsServer

if TYPE_CHECKING:
    from collections.abc import Callable

_SOON_S = 20.0


def _scraped(server: MetricsServer) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """(sample, labels) -> value."""
    with urlopen(f"http://{ADDRESS}:{server.port}/metrics", timeout=_SOON_S) as answer:
        text = answer.read().decode()
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def _told(
    state: Callable[[], DaemonState | None], machine: MachineFigures | None = None
) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    with MetricsServer(0, state, lambda: machine or MachineFigures()) as server:
        return _scraped(server)


def test_every_figure_of_the_state_is_told_under_its_unit(state: DaemonState) -> None:
    told = _told(lambda: state, MachineFigures(51.5, {"journal": 4_000_000_000}))
    plain = {name: value for (name, labels), value in told.items() if name.startswith("auricle_") and not labels}
    assert plain.pop("auricle_state_age_seconds") == pytest.approx(0.0, abs=_SOON_S)
    plain_age = plain.pop("auricle_window_age_seconds")
    assert plain == {
        "auricle_hearing": 1.0,
        "auricle_temperature_celsius": 51.5,
        "auricle_uptime_seconds": 3600.0,
        "auricle_listened_ratio": 0.9996,
        "auricle_windows_ratio": 1.0,
        "auricle_hop_seconds": 0.5,
        "auricle_configured_hop_seconds": 0.5,
        "auricle_backlog_seconds": 0.1,
        "auricle_level_dbfs": -52.34,
        "auricle_peak_dbfs": -31.0,
        "auricle_sample_rate_hertz": 48000.0,
        "auricle_alarms_open": 1.0,
        "auricle_alarms_unacknowledged": 1.0,
        "auricle_alarms_owed": 2.0,
        "auricle_broker_connected": 0.0,
        "auricle_journal_trouble": 0.0,
        "auricle_events_total": 3.0,
        "auricle_faults_total": 2.0,
        "auricle_gaps_total": 4.0,
        "auricle_overruns_total": 5.0,
        "auricle_reopened_total": 6.0,
        "auricle_windows_scored_total": 7190.0,
        "auricle_windows_due_total": 7200.0,
        "auricle_dropped_seconds_total": 0.0,
        "auricle_commands_rejected_total": 0.0,
        "auricle_dropped_notices_total": 0.0,
        "auricle_alarms_delivered_total": 12.0,
        "auricle_alarms_delivered_late_total": 1.0,
    }
    assert plain_age == pytest.approx(0.4, abs=_SOON_S)
    assert told["auricle_disk_free_bytes", (("holds", "journal"),)] == 4e9


def test_labels_faults_and_who_it_is_are_told_with_names(state: DaemonState) -> None:
    wheeze = LabelStatus("lung", "wheeze", on=False, score=None, since_utc_s=None)
    faults = (FaultStatus("clipping", 1.0, "loud"),)
    told = _told(lambda: dataclasses.replace(state, labels=(*state.labels, wheeze), faults=faults))
    assert told["auricle_label_on", (("label", "cry"), ("model", "cry"))] == 1.0
    assert told["auricle_label_on", (("label", "wheeze"), ("model", "lung"))] == 0.0
    assert told["auricle_label_score", (("label", "cry"), ("model", "cry"))] == 0.97
    assert ("auricle_label_score", (("label", "wheeze"), ("model", "lung"))) not in told
    kinds = {labels[0][1]: value for (name, labels), value in told.items() if name == "auricle_fault"}
    assert [kind for kind, value in kinds.items() if value] == ["clipping"]
    assert {"silence", "microphone", "coverage", "classifier"} <= kinds.keys()
    about = next(dict(labels) for (name, labels) in told if name == "auricle_info")
    assert about == {"version": "0.2.0", "name": "anna", "source": "usb:0d8c:0014", "device": "USB Audio Device"}


def test_each_model_is_told_with_its_version_and_hash(state: DaemonState) -> None:
    two = dataclasses.replace(state, models=("cry 1.0.0", "scream 2.0.0"), bundles=("ab" * 32, "cd" * 32))
    models = [dict(labels) for name, labels in _told(lambda: two) if name == "auricle_model_info"]
    assert models == [
        {"model": "cry", "version": "1.0.0", "sha256": "ab" * 32},
        {"model": "scream", "version": "2.0.0", "sha256": "cd" * 32},
    ]


def test_the_age_of_the_newest_window_grows_with_a_loop_that_hangs(state: DaemonState) -> None:
    states = [dataclasses.replace(state, uptime_s=100.0)]
    with MetricsServer(0, lambda: states[-1]) as server:
        before = _scraped(server)["auricle_window_age_seconds", ()]
        states.append(dataclasses.replace(state, uptime_s=90.0))
        assert _scraped(server)["auricle_window_age_seconds", ()] - before > 9.5
    before_the_first = _told(lambda: dataclasses.replace(state, window_age_s=None))
    assert not any(name == "auricle_window_age_seconds" for name, _ in before_the_first)


def test_digital_silence_has_no_level(state: DaemonState) -> None:
    names = {name for name, _ in _told(lambda: dataclasses.replace(state, level_dbfs=None, peak_dbfs=None))}
    assert not names & {"auricle_level_dbfs", "auricle_peak_dbfs"}
    assert "auricle_hop_seconds" in names


def test_names_keep_prometheus_conventions(state: DaemonState) -> None:
    units = r"_(seconds|ratio|dbfs|hertz|celsius|info|total|bytes|fds)"
    unitless = {"auricle_hearing", "auricle_fault", "auricle_label_on", "auricle_label_alarms", "auricle_label_score"}
    unitless |= {"auricle_alarms_open", "auricle_alarms_unacknowledged", "auricle_alarms_owed"}
    unitless |= {"auricle_broker_connected", "auricle_journal_trouble"}
    names = {name for name, _ in _told(lambda: state)}
    assert {name for name in names if not re.search(f"{units}(_total)?$", name)} == unitless


def test_before_the_first_state_nothing_is_said_to_be_heard() -> None:
    told = _told(lambda: None)
    assert told["auricle_hearing", ()] == 0.0
    assert not any(name == "auricle_hop_seconds" for name, _ in told)


def test_a_loop_that_hangs_is_said_to_hear_nothing(state: DaemonState) -> None:
    began_s = time.monotonic()
    states = [dataclasses.replace(state, uptime_s=100.0)]
    with MetricsServer(0, lambda: states[-1]) as server:
        assert _scraped(server)["auricle_hearing", ()] == 1.0
        states.append(dataclasses.replace(state, uptime_s=90.0 - (time.monotonic() - began_s)))
        told = _scraped(server)
    assert told["auricle_hearing", ()] == 0.0
    assert told["auricle_state_age_seconds", ()] > 10.0


def test_the_daemons_own_memory_is_told(state: DaemonState) -> None:
    assert 5e6 < _told(lambda: state)["process_resident_memory_bytes", ()] < 5e9


def test_a_file_name_that_is_no_utf_8_breaks_no_scrape(state: DaemonState) -> None:
    told = _told(lambda: dataclasses.replace(state, source="w\udce4rm\n.wav"))
    about = next(dict(labels) for (name, labels) in told if name == "auricle_info")
    assert about["source"] == r"w\udce4rm\n.wav"


def test_nothing_listens_but_on_loopback(state: DaemonState) -> None:
    with MetricsServer(0, lambda: state) as server:
        local = f"{socket.inet_aton(ADDRESS)[::-1].hex().upper()}:{server.port:04X}"
        with open("/proc/self/net/tcp") as table:  # noqa: PTH123 - no file of ours
            listening = [row.split()[1] for row in table if row.split()[3] == "0A"]
    assert [address for address in listening if address.endswith(f":{server.port:04X}")] == [local]


def test_a_port_that_is_taken_is_said_in_one_sentence(state: DaemonState) -> None:
    with (
        MetricsServer(0, lambda: state) as server,
        pytest.raises(ServiceError, match=f"port {server.port} of .* metrics_port"),
    ):
        MetricsServer(server.port, lambda: state)


def test_a_port_is_free_again_at_once(state: DaemonState) -> None:
    with MetricsServer(0, lambda: state) as server:
        _scraped(server)
    with MetricsServer(server.port, lambda: state) as again:
        assert _scraped(again)


def test_a_client_that_says_nothing_delays_the_next_and_no_more(
    state: DaemonState, capfd: pytest.CaptureFixture[str]
) -> None:
    with MetricsServer(0, lambda: state) as server, socket.create_connection((ADDRESS, server.port)):
        assert _scraped(server)["auricle_hearing", ()] == 1.0
        assert {thread.name for thread in threading.enumerate()} >= {"metrics"}
    assert capfd.readouterr() == ("", "")


def test_a_hundred_clients_that_send_a_byte_a_second_delay_no_scrape(state: DaemonState) -> None:
    with MetricsServer(0, lambda: state) as server, contextlib.ExitStack() as opened:
        slow = [opened.enter_context(socket.create_connection((ADDRESS, server.port))) for _ in range(100)]
        for part in (b"G", b"E", b"T"):
            for client in slow:
                with contextlib.suppress(OSError):  # the longest connected are closed
                    client.send(part)
            began_s = time.monotonic()
            assert _scraped(server)["auricle_hearing", ()] == 1.0
            assert time.monotonic() - began_s < 1.5
            time.sleep(1.0)


@pytest.mark.parametrize("head", [b"GET /metrics HTTP/1.0\r\n\r\n", b"GET /metrics HTTP/1.1\nHost: x\n\n"])
def test_a_request_may_come_in_pieces(state: DaemonState, head: bytes) -> None:
    with MetricsServer(0, lambda: state) as server, socket.create_connection((ADDRESS, server.port)) as client:
        for number in range(len(head)):
            client.sendall(head[number : number + 1])
        client.settimeout(_SOON_S)
        answer = b"".join(iter(lambda: client.recv(4096), b""))
    assert answer.startswith(b"HTTP/1.0 200 OK")
    assert b"auricle_hearing 1.0" in answer


def test_what_is_no_request_is_refused_and_harms_nobody(state: DaemonState, capfd: pytest.CaptureFixture[str]) -> None:
    with MetricsServer(0, lambda: state) as server:
        for request in (b"\xff\r\n\r\n", b"POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n", b"x" * 100_000):
            with socket.create_connection((ADDRESS, server.port)) as client, contextlib.suppress(OSError):
                client.sendall(request)
                client.settimeout(_SOON_S)
                while client.recv(4096):
                    pass
        assert _scraped(server)["auricle_hearing", ()] == 1.0
    assert capfd.readouterr() == ("", "")


def test_closing_is_idempotent_and_ends_the_thread(state: DaemonState) -> None:
    server = MetricsServer(0, lambda: state)
    server.close()
    server.close()
    assert "metrics" not in {thread.name for thread in threading.enumerate()}
    assert repr(server).endswith("closed)")


def test_without_the_library_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "prometheus_client", None)
    with pytest.raises(MissingExtraError, match=r"auricle\[device\]"):
        MetricsServer(0, lambda: None)
