"""A real Prometheus scrapes two real daemons by the files of docs/prometheus; only times and ports are replaced."""

from __future__ import annotations

import contextlib
import json
import re
import socket
import subprocess
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode
from urllib.request import urlopen

import numpy as np
import pytest
import soundfile

from tests.programs import program
from tests.system.conftest import wait_until
from tests.system.running_daemon import AURICLE, RATE_HZ, UP_WITHIN_S, RunningDaemon

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.system.conftest import Mosquitto

pytestmark = pytest.mark.system

FILES = Path(__file__).parents[3] / "docs" / "prometheus"
PAGE = FILES.parent / "prometheus.md"
PROXY = "/usr/lib/systemd/systemd-socket-proxyd"
MAY_BE_EMPTY = {"auricle_temperature_celsius", "auricle_fault"}
"""This machine may have no sensor, and no fault is open."""


def _run(*command: str, folder: Path = FILES) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=60)


def test_each_rule_fires_where_it_should_and_nowhere_else() -> None:
    tested = _run(program("promtool"), "test", "rules", "auricle.rules.test.yml")
    assert tested.returncode == 0, tested.stdout + tested.stderr
    alerts = re.findall(r"- alert: (\w+)", (FILES / "auricle.rules.yml").read_text())
    cases = (FILES / "auricle.rules.test.yml").read_text()
    assert (
        re.findall(r"(?m)^      - alertname: (\w+)\n +eval_time: \d+m\n +exp_alerts:\n +- exp_labels", cases) == alerts
    )
    assert re.findall(r"alertname: (\w+), eval_time: \d+m, exp_alerts: \[\]", cases) == alerts
    assert re.findall(r"(?m)^\| `(\w+)` \|", PAGE.read_text(encoding="utf-8")) == alerts


def test_the_files_for_server_and_device_are_valid_as_they_are() -> None:
    checked = _run(program("promtool"), "check", "config", "prometheus.yml")
    assert checked.returncode == 0, checked.stdout + checked.stderr
    units = sorted(str(path) for path in FILES.glob("auricle-metrics.*"))
    assert len(units) == 2
    assert _run(program("systemd-analyze"), "verify", "--man=no", *units).stderr == ""


class Server:
    """A Prometheus with its own folder, on a port of loopback.

    Args:
        folder: for its configuration and data.
        targets: ports of the two beds.
    """

    def __init__(self, folder: Path, targets: tuple[int, int]) -> None:
        self._folder, self._port = folder, _free_port()
        config = (FILES / "prometheus.yml").read_text().replace("15s", "1s")
        for before, port in zip((9760, 9761), targets, strict=True):
            config = config.replace(f"127.0.0.1:{before}", f"127.0.0.1:{port}")
        (folder / "prometheus.yml").write_text(config)
        rules = re.sub(r"\bfor: \w+", "for: 2s", (FILES / "auricle.rules.yml").read_text())
        (folder / "auricle.rules.yml").write_text(shortened(rules))

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        options = ["--config.file=prometheus.yml", "--storage.tsdb.path=data", "--log.level=warn"]
        command = [program("prometheus"), *options, f"--web.listen-address=127.0.0.1:{self._port}"]
        with (self._folder / "prometheus.log").open("wb") as log:
            process = subprocess.Popen(command, cwd=self._folder, stdout=log, stderr=log)
        try:
            yield
        finally:
            process.kill()
            process.wait(UP_WITHIN_S)

    def ask(self, path: str, **query: str) -> Any:
        """The data of an answer; None if there is none yet."""
        with (
            contextlib.suppress(OSError),
            urlopen(f"http://127.0.0.1:{self._port}/api/v1/{path}?{urlencode(query)}") as answer,
        ):
            return json.load(answer)["data"]
        return None

    def health(self) -> dict[str, str]:
        """Bed -> whether its daemon answers."""
        targets = (self.ask("targets") or {"activeTargets": []})["activeTargets"]
        return {target["labels"]["bed"]: target["health"] for target in targets}

    def alerts(self) -> dict[tuple[str, str], dict[str, Any]]:
        """(Bed, alert) -> state and annotations, of all that are pending or firing."""
        found = (self.ask("alerts") or {"alerts": []})["alerts"]
        return {(alert["labels"]["bed"], alert["labels"]["alertname"]): alert for alert in found}


def shortened(query: str) -> str:
    """The same over seconds in place of minutes and hours."""
    return re.sub(r"\[\d+[mh]\]", "[10s]", query)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def _write_room(path: Path) -> Path:
    """Two minutes of the faint noise of a room."""
    noise = np.random.default_rng(5).normal(0.0, 0.003, 120 * RATE_HZ)
    soundfile.write(path, noise, RATE_HZ, subtype="PCM_16")
    return path


def _daemon(folder: Path, name: str, port: int, broker: Mosquitto) -> RunningDaemon:
    recording = _write_room(folder / f"{name}.wav")
    text = f'profile = "nursery"\n[status]\nmetrics_port = {port}\n[mqtt]\nhost = "127.0.0.1"\nport = {broker.port}\n'
    command = [str(AURICLE), "listen", "--source", str(recording), "--loop"]
    return RunningDaemon(folder, {}, text, name=name, command=command)


@contextlib.contextmanager
def _proxy(port: int) -> Iterator[int]:
    """The distribution's proxy, as docs/prometheus/auricle-metrics.socket starts it; yields its port."""
    opened = _free_port()
    command = [program("systemd-socket-activate"), "--listen", f"127.0.0.1:{opened}", PROXY, f"127.0.0.1:{port}"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield opened
    finally:
        process.kill()
        process.wait(UP_WITHIN_S)


def _dashboard() -> list[str]:
    panels = json.loads((FILES / "auricle.dashboard.json").read_text(encoding="utf-8"))["panels"]
    return [shortened(target["expr"].replace("$bed", ".*")) for panel in panels for target in panel["targets"]]


def test_two_beds_are_followed_and_the_one_that_dies_is_reported(private_folder: Path, broker: Mosquitto) -> None:
    ports = _free_port(), _free_port()
    with (
        _daemon(private_folder, "anna", ports[0], broker) as anna,
        _daemon(private_folder, "ben", ports[1], broker) as ben,
        _proxy(ports[1]) as opened,
    ):
        server = Server(private_folder, (ports[0], opened))
        with server.running():
            anna.wait_until_it_hears(2 * UP_WITHIN_S)
            ben.wait_until_it_hears(2 * UP_WITHIN_S)
            wait_until(lambda: server.health() == {"anna": "up", "ben": "up"}, "both scraped", UP_WITHIN_S)
            _check_dashboard(server)
            _check_rules(server)
            wait_until(lambda: server.alerts() == {}, "no alert while all is well", UP_WITHIN_S)
            ben.kill()
            seen = _states_until_firing(server, ("ben", "BedSilent"))
            assert seen == ["pending", "firing"]
            assert {bed for bed, _ in server.alerts()} == {"ben"}
            annotations = server.alerts()["ben", "BedSilent"]["annotations"]
            assert "ben" in annotations["summary"]
            assert "auricle@ben" in annotations["cure"]


def _check_dashboard(server: Server) -> None:
    """Each query of the dashboard is valid and finds both beds."""
    for query in _dashboard():
        if any(name in query for name in MAY_BE_EMPTY):
            assert server.ask("query", query=query) is not None
        else:
            wait_until(partial(_finds_both_beds, server, query), query, UP_WITHIN_S)


def _finds_both_beds(server: Server, query: str) -> bool:
    found = (server.ask("query", query=query) or {"result": []})["result"]
    return {series["metric"]["bed"] for series in found} == {"anna", "ben"}


def _check_rules(server: Server) -> None:
    (group,) = server.ask("rules")["groups"]
    for rule in group["rules"]:
        assert rule["health"] in {"ok", "unknown"}, rule
        assert rule["duration"] > 0
        assert rule["labels"]["severity"] in {"critical", "warning"}
        assert rule["annotations"]["summary"].startswith("{{ $labels.bed }}: ")
        assert len(rule["annotations"]["cure"]) > 20


def _states_until_firing(server: Server, alert: tuple[str, str]) -> list[str]:
    """Its states, in order, from none to firing."""
    seen: list[str] = []
    deadline_s = time.monotonic() + UP_WITHIN_S
    while seen[-1:] != ["firing"] and time.monotonic() < deadline_s:
        state = server.alerts().get(alert, {}).get("state", "")
        if state and state not in seen:
            seen.append(state)
        time.sleep(0.1)
    return seen
