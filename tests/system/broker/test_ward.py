"""`auricle ward` over a real broker: with daemons that are killed, frozen and restarted it shows what is true."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import pytest

from device.daemon.publishing.night_coverage import SETTLING_S
from tests.system.broker.telling import Subscriber, until
from tests.system.conftest import Mosquitto
from tests.system.running_daemon import AURICLE, UP_WITHIN_S, RunningDaemon, Sounds, private

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.system.conftest import PulseCard

pytestmark = pytest.mark.system

WITHIN_S = 60.0
_HANGING = Path(__file__).parents[1] / "operation" / "hanging_daemon.py"
_KEEPS = ("persistence true", "autosave_on_changes true", "autosave_interval 1")


class RunningWard:
    """`auricle ward --json` in a process, and what it has printed."""

    def __init__(self, folder: Path, broker: Mosquitto, *options: str) -> None:
        self._out = folder / f"ward-{len(list(folder.glob('ward-*.out')))}.out"
        self.config = folder / "ward.toml"
        self.config.write_text(f'[mqtt]\nhost = "127.0.0.1"\nport = {broker.port}\n')
        self._environment = private(folder, {})
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        command = [str(AURICLE), "ward", "--config", str(self.config), "--json", *self._options]
        with self._out.open("ab") as out:
            self._process = subprocess.Popen(command, env=self._environment, stdout=out, stderr=out)
        return self

    def __exit__(self, *_error: object) -> None:
        self.kill()

    def kill(self) -> None:
        """SIGKILL; idempotent."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(UP_WITHIN_S)

    @property
    def views(self) -> list[dict[str, Any]]:
        """Everything that it has shown, but for a line that is being written."""
        lines = self._out.read_text().splitlines(keepends=True)
        return [json.loads(line) for line in lines if line.endswith("\n")]

    def bed(self, name: str = "anna") -> dict[str, Any]:
        """As it is shown now; empty if it is not."""
        beds = self.views[-1]["beds"] if self.views else []
        return next((bed for bed in beds if bed["name"] == name), {})

    def until(self, name: str, hearing: str) -> None:
        """Wait until a bed is shown so."""
        assert self._process is not None
        until(
            lambda: self.bed(name).get("hearing") == hearing,
            f"{name} {hearing}: {self._out.read_text()[-2000:]}",
            WITHIN_S,
        )
        assert self._process.poll() is None

    def ask(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run `auricle ward` with other arguments to its end."""
        command = [str(AURICLE), "ward", *arguments, "--config", str(self.config)]
        return subprocess.run(
            command, env=self._environment, capture_output=True, text=True, check=False, timeout=WITHIN_S
        )


def daemon(folder: Path, broker: Mosquitto, name: str, *parts: Any) -> RunningDaemon:
    """A daemon that hears these parts over and over."""
    sounds = Sounds(folder)
    command = [str(AURICLE), "listen", "--source", str(sounds.write(f"{name}.wav", list(parts))), "--loop"]
    config = f'[mqtt]\nhost = "127.0.0.1"\nport = {broker.port}\n'
    return RunningDaemon(folder, {}, config, name=name, command=command)


def alarms(ward: RunningWard, name: str = "anna", kind: str = "sound") -> list[dict[str, Any]]:
    return [alarm for alarm in ward.bed(name).get("alarms", []) if alarm["kind"] == kind]


@pytest.fixture
def keeping_broker(private_folder: Path) -> Iterator[Mosquitto]:
    """A broker that remembers sessions over its own death."""
    running = Mosquitto(private_folder, *_KEEPS)
    running.start()
    yield running
    running.kill()


def test_two_wards_show_a_cry_and_its_acknowledgement_by_name_and_a_bed_that_was_killed(
    private_folder: Path, broker: Mosquitto
) -> None:
    sounds = Sounds(private_folder)
    with (
        daemon(private_folder, broker, "anna", sounds.room(3.0), sounds.crying(30.0)) as bed,
        RunningWard(private_folder, broker, "--id", "north") as north,
        RunningWard(private_folder, broker, "--id", "south") as south,
    ):
        bed.wait_until_it_hears()
        until(lambda: alarms(north) and alarms(south), "the cry in both wards", WITHIN_S)
        (alarm,) = alarms(north)
        assert not alarm["acknowledged"]
        assert alarm["start_utc"] is not None
        assert north.bed()["software"]["models"]
        once = north.ask("--once")
        assert (once.returncode, "1 alarm not acknowledged" in once.stdout) == (1, True), once
        done = north.ask("acknowledge", "anna", alarm["alarm_id"], "--by", "Nora")
        assert done.returncode == 0, done
        for ward in (north, south):
            until(
                lambda ward=ward: [each["acknowledged_by"] for each in alarms(ward)] == ["Nora (mqtt)"],  # type: ignore[misc]
                "the acknowledgement",
                WITHIN_S,
            )
        again = json.loads(north.ask("--once", "--json").stdout)
        assert again["beds"][0]["alarms"][0]["acknowledged_by"] == "Nora (mqtt)", "the broker keeps who it was"
        bed.kill()
        for ward in (north, south):
            ward.until("anna", "silent")
        refused = north.ask("acknowledge", "anna")
        assert (refused.returncode, "offline" in refused.stderr) == (2, True), refused


def test_a_ward_that_is_killed_misses_no_change_and_finds_what_is_open(
    private_folder: Path, keeping_broker: Mosquitto
) -> None:
    ward = RunningWard(private_folder, keeping_broker)
    with daemon(private_folder, keeping_broker, "anna", Sounds(private_folder).crying(40.0)) as bed:
        with ward:
            until(lambda: alarms(ward), "the cry", WITHIN_S)
            ward.kill()
            bed.ask("acknowledge", "--instance", "anna")
            before = len(ward.views)
            keeping_broker.kill()
            keeping_broker.start()
        with ward:
            until(lambda: len(ward.views) > before and alarms(ward), "the cry after both restarts", WITHIN_S)
            until(lambda: alarms(ward)[0]["acknowledged"], "what was acknowledged meanwhile", WITHIN_S)
            assert alarms(ward)[0]["acknowledged_by"]


def test_a_broker_that_restarts_makes_the_beds_unknown_for_a_moment_and_the_ward_goes_on(
    private_folder: Path, keeping_broker: Mosquitto
) -> None:
    with (
        daemon(private_folder, keeping_broker, "anna", Sounds(private_folder).room(60.0)),
        RunningWard(private_folder, keeping_broker) as ward,
    ):
        ward.until("anna", "hears")
        keeping_broker.kill()
        ward.until("anna", "unknown")
        until(lambda: "nothing listens" in ward.views[-1]["trouble"], "the reason", WITHIN_S)
        keeping_broker.start()
        ward.until("anna", "hears")
        assert ward.views[-1]["trouble"] == ""


def test_a_frozen_bed_is_silent_by_its_last_will(private_folder: Path, broker: Mosquitto) -> None:
    with (
        daemon(private_folder, broker, "anna", Sounds(private_folder).room(60.0)) as bed,
        RunningWard(private_folder, broker) as ward,
    ):
        ward.until("anna", "hears")
        bed.process.send_signal(signal.SIGSTOP)
        ward.until("anna", "silent")
        assert "offline" in ward.bed()["why"]
        bed.process.send_signal(signal.SIGCONT)
        ward.until("anna", "hears")


def test_a_bed_whose_main_loop_hangs_is_silent_by_the_clock_of_the_ward_though_it_still_answers_the_broker(
    private_folder: Path, broker: Mosquitto, pulse: PulseCard
) -> None:
    trigger = private_folder / "hang"
    config = f'[microphone]\ndevice = "fakemic"\n[mqtt]\nhost = "127.0.0.1"\nport = {broker.port}\n'
    command = [sys.executable, str(_HANGING), "loop", str(trigger)]
    with (
        RunningDaemon(private_folder, pulse.environment, config, name="anna", command=command) as bed,
        RunningWard(private_folder, broker, "--silent-after", "20") as ward,
    ):
        bed.wait_until_it_captures()
        until(lambda: ward.bed().get("hearing") in {"deaf", "hears"}, "the bed", WITHIN_S)
        trigger.touch()
        ward.until("anna", "silent")
        assert "no message for 20 s" in ward.bed()["why"]
        assert bed.process.poll() is None


def test_hostile_messages_never_end_the_ward_and_never_reach_a_terminal_raw(
    private_folder: Path, broker: Mosquitto
) -> None:
    escape = "\x1b[2J\x1b]0;gotcha\x07\u202e"
    body = {"alarm_id": escape, "seq": 0, "change": "raised", "kind": "sound", "name": escape, "model": escape}
    body |= {"state": "active", "priority": "high", "acknowledged": False, "detail": escape, "cause": escape}
    body |= {"start_utc": None, "decided_utc": "2026-11-21T02:14:07.350Z", "time_quality": "synchronized"}
    with (
        Subscriber(broker.port, "none") as stranger,
        daemon(private_folder, broker, "anna", Sounds(private_folder).room(60.0)),
        RunningWard(private_folder, broker) as ward,
    ):
        ward.until("anna", "hears")
        for payload in (
            b"",
            b"no JSON",
            b"[" * 50_000,
            b"\xff" * 1000,
            b'{"a":' * 9000,
            b"9" * 60_000,
            b"x" * 10_000_000,
        ):
            for topic in ("state", "faults", "alarm/sound/cry/cry", "coverage", "software", "level"):
                stranger.say(f"auricle/ben/{topic}", payload)
        stranger.say("auricle/ben/alarm/sound/cry/cry", json.dumps(body).encode())
        until(lambda: alarms(ward, "ben"), "the alarm of a stranger", WITHIN_S)
        ward.until("anna", "hears")
        assert ward.views[-1]["unreadable"] > 10
        stranger.say("auricle/ben/state", json.dumps(_state_with(body)).encode(), retain=True)
        printed = ward.ask("--once").stdout
        assert "\\u001b[2J" in printed
        assert all(line.isprintable() for line in printed.splitlines())


def _state_with(alarm: dict[str, Any]) -> dict[str, Any]:
    return {"hearing": True, "alarms": [alarm], "omitted": 0, "told_utc": "2026-11-21T02:14:07.350Z"}


def test_what_cannot_work_is_one_sentence(private_folder: Path, broker: Mosquitto) -> None:
    ward = RunningWard(private_folder, broker)
    for arguments, said in (
        (["acknowledge"], "name the bed"),
        (["--silent-after", "0"], "must be 1 to 3600 s"),
        (["--broker", "mqtt://x"], "host's name"),
        (["--topic-prefix", "a/#"], "a topic of"),
        (["--only", "A B"], "cannot name an instance"),
        (["acknowledge", "nobody"], "no alarm that waits"),
    ):
        answer = ward.ask(*arguments, "--once")
        assert (answer.returncode, said in answer.stderr, answer.stderr.count("\n")) == (2, True, 1), answer
    broker.kill()
    answer = ward.ask("--once")
    assert (answer.returncode, "nothing listens" in answer.stderr) == (2, True), answer


def test_the_night_of_a_bed_goes_on_after_it_was_killed_and_what_it_missed_stands_in_the_ward(
    private_folder: Path, broker: Mosquitto
) -> None:
    def missed_s() -> float:
        night = ward.bed().get("night") or {"elapsed_s": 0.0, "listened_s": 0.0}
        return float(night["elapsed_s"] - night["listened_s"])

    with RunningWard(private_folder, broker) as ward:
        with daemon(private_folder, broker, "anna", Sounds(private_folder).room(30.0)) as bed:
            bed.wait_until_it_hears()
            until(lambda: bool(ward.bed().get("night")), "the night in the ward", WITHIN_S)
            since_utc = ward.bed()["night"]["since_utc"]
            bed.kill()
        ward.until("anna", "silent")
        assert ward.bed()["night"]["since_utc"] == since_utc, "what it said last stays"
        time.sleep(2 * SETTLING_S)
        with daemon(private_folder, broker, "anna", Sounds(private_folder).room(30.0)):
            ward.until("anna", "hears")
            until(lambda: missed_s() >= SETTLING_S, "what was missed, in the ward", WITHIN_S)
            assert ward.bed()["night"]["since_utc"] == since_utc
        once = ward.ask("--once")
        assert "NIGHT" in once.stdout
        assert "100.0 %" not in once.stdout, once
