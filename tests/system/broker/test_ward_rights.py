"""A ward with the certificates of docs/fleet.md: readers look, operators acknowledge; and silence by its default."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.system.broker.fleet import Fleet, running_fleet
from tests.system.broker.simulated_beds import SimulatedBeds
from tests.system.broker.telling import until
from tests.system.broker.test_ward import RunningWard
from tests.system.broker.ward_page import WITHIN_S, WardPage, bed_of
from tests.system.running_daemon import AURICLE, RunningDaemon, Sounds

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.system.conftest import Mosquitto

pytestmark = pytest.mark.system


@pytest.fixture
def fleet() -> Iterator[Fleet]:
    with running_fleet() as made:
        yield made


def _mqtt(fleet: Fleet, name: str) -> str:
    files = {"ca_file": "ca.crt", "cert_file": f"{name}.crt", "key_file": f"{name}.key"}
    named = "\n".join(f'{key} = "{fleet.file(file)}"' for key, file in files.items())
    return f'host = "localhost"\nport = {fleet.broker.port}\ntls = true\n{named}'


def test_an_operators_certificate_acknowledges_from_the_page_and_a_readers_only_looks(
    private_folder: Path, fleet: Fleet
) -> None:
    sounds = Sounds(private_folder)
    command = [str(AURICLE), "listen", "--loop", "--source", str(sounds.write("cry.wav", [sounds.crying(60.0)]))]
    with (
        RunningDaemon(private_folder, {}, fleet.bed("anna"), name="anna", command=command),
        WardPage(private_folder, _mqtt(fleet, "north-reader"), name="reader") as looks,
        WardPage(private_folder, _mqtt(fleet, "north-operator"), name="operator") as commands,
    ):
        looking, commanding = looks.opened(), commands.opened()

        def cries() -> list[str]:
            found = [bed_of(browser).get("alarms", []) for browser in (looking, commanding)]
            return [alarm["alarm_id"] for alarm in found[0] if alarm["kind"] == "sound" and found[1]]

        until(cries, "the cry on both pages", WITHIN_S)
        asked = {"bed": "anna", "alarm_id": cries()[0]}
        refused = looking.post("api/acknowledge", json=asked)
        assert (refused.status_code, "does not let this user write" in refused.text) == (409, True), refused.text
        assert commanding.post("api/acknowledge", json=asked).status_code == 200


def test_a_bed_that_says_nothing_more_without_a_last_will_is_silent_by_the_default_of_the_ward(
    private_folder: Path, broker: Mosquitto
) -> None:
    with SimulatedBeds(broker.port, ["anna"]) as beds, RunningWard(private_folder, broker) as ward:
        beds.begin()
        ward.until("anna", "hears")
        until(lambda: ward.bed()["hearing"] == "silent", "the silence", 90.0 + WITHIN_S)
        assert "no message for 88 s" in ward.bed()["why"]
