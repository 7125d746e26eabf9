"""The unit of a ward's page on a real systemd, booted in a container: beside a broker and a bed, it shows that bed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.programs import program
from tests.system.install.booted_machine import Machine, booted_machine, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

UNIT = "auricle-ward@north"
WITHIN_S = 120.0
MAX_BYTES = 160 * 2**20
BROKER = '[mqtt]\nhost = "127.0.0.1"\n'
ASKS = """
import urllib.error, urllib.request
try:
    answer = urllib.request.urlopen("http://127.0.0.1:8127/api/state", timeout=60)
    print(answer.status, answer.read().decode())
except urllib.error.HTTPError as error:
    print(error.code, error.read().decode())
except OSError:
    print(0, "{}")
"""

pytestmark = pytest.mark.system


@pytest.fixture(scope="module")
def machine() -> Iterator[Machine]:
    """A broker, the monitor of anna that publishes there, and the page of the ward north."""
    with booted_machine() as machine:
        machine.run("systemd-run", "--unit=broker", program("mosquitto"), "-p", "1883")
        machine.configure("anna", f'profile = "nursery"\n{BROKER}')
        machine.configure("north", f'{BROKER}[web]\nlisten = "127.0.0.1:8127"\n')
        machine.systemctl("restart", "auricle@anna")
        machine.systemctl("start", UNIT)
        yield machine


def _beds(machine: Machine) -> dict[str, dict[str, Any]]:
    """What the page shows, by name; nothing while it has no connection."""
    python = "/opt/auricle/current/bin/python"
    said = machine.run("env", "LD_LIBRARY_PATH=/opt/python/lib", python, "-W", "ignore", "-c", ASKS)
    status, _, content = said.partition(" ")
    return {bed["name"]: bed for bed in json.loads(content)["beds"]} if status == "200" else {}


def _of_unit(machine: Machine, name: str) -> str:
    return machine.systemctl("show", "--value", f"--property={name}", UNIT).strip()


def test_it_runs_as_the_user_of_pages_with_a_folder_of_its_own_and_shows_who_hears(machine: Machine) -> None:
    wait_until(lambda: _beds(machine).get("anna", {}).get("hearing") == "hears", "the page shows anna", WITHIN_S)
    assert _of_unit(machine, "ActiveState") == "active"
    pid = _of_unit(machine, "MainPID")
    assert machine.run("ps", "-o", "user:20=,ni=", "-p", pid).split() == ["auricle-web", "5"]
    assert machine.run("stat", "-c", "%U %a", "/var/lib/auricle-ward/north").split() == ["auricle-web", "700"]
    assert int(_of_unit(machine, "MemoryMax")) == MAX_BYTES
    machine.run("systemd-analyze", "security", "--threshold=20", UNIT)


def test_it_shows_that_a_bed_has_ended_and_is_started_again_when_it_is_killed(machine: Machine) -> None:
    machine.systemctl("stop", "auricle@anna")
    wait_until(lambda: _beds(machine)["anna"]["hearing"] == "silent", "the page shows that anna is silent", WITHIN_S)
    before = _of_unit(machine, "MainPID")
    machine.run("kill", "-KILL", before)
    wait_until(lambda: _of_unit(machine, "MainPID") not in {before, "0"}, "systemd starts the page again", WITHIN_S)
    machine.systemctl("start", "auricle@anna")
    wait_until(lambda: _beds(machine).get("anna", {}).get("hearing") == "hears", "the new page shows anna", WITHIN_S)
