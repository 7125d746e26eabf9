"""`auricle listen` as a user runs it: faults, stopping, reloading, two instances, and refused input."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.system.conftest import PulseCard, wait_until
from tests.system.running_daemon import (
    AURICLE,
    CRY_WITHIN_S,
    RATE_HZ,
    UP_WITHIN_S,
    RunningDaemon,
    Sounds,
    lives,
    private,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.system.running_daemon import Line

pytestmark = pytest.mark.system

NOTICED_S = 3.0
"""Within this, any fault that keeps the daemon from detecting is reported."""

POLLED_S = 1.5
"""Added to that: the status is updated twice a second, the test polls the log, and the machine is busy."""

RENDERED_S = 2.0
"""Silence that the card has rendered ahead when nothing is played for a moment."""

LEAVES_WITHIN_S = 5.0
DEAF = 1
BAD_INPUT = 2
UTC = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")

CONFIG = f"""
[microphone]
device = "fakemic"
sample_rate_hz = {RATE_HZ}
"""


@dataclass(slots=True)
class Bedside:
    """A sound card into which sounds are played, and a daemon that captures from it."""

    card: PulseCard
    daemon: RunningDaemon
    sounds: Sounds
    player: subprocess.Popen[bytes] | None = None

    def hears_a_cry(self) -> None:
        """An infant cries, and the alert is logged; the sound continues for two minutes."""
        if self.cry_is_on():
            return
        after = len(self.daemon.lines())
        self.play(self.sounds.endless_cry())
        self.daemon.wait_for_a_cry(after=after)

    def play(self, path: Path) -> None:
        """Play this sound instead of any other."""
        if self.player is not None:
            self.player.kill()
            self.player.wait(UP_WITHIN_S)
        self.player = self.card.play(path)

    def cry_is_on(self) -> bool:
        """Whether the last logged phase of a cry is its begin."""
        events = self.daemon.events()
        return bool(events) and events[-1]["phase"] != "end"


@pytest.fixture(scope="class")
def bedside(folder: Path, card: PulseCard) -> Iterator[Bedside]:
    """A daemon that captures from the card."""
    with RunningDaemon(folder, card.environment, CONFIG) as daemon:
        daemon.wait_until_it_captures()
        yield Bedside(card, daemon, Sounds(folder))


# --- faults of the microphone


@dataclass(frozen=True, slots=True)
class Trouble:
    """How a fault is caused and ended, and how it is reported."""

    makes: Callable[[PulseCard], None]
    mends: Callable[[PulseCard], None]
    fault: str
    ends: str  # reason with which the open cry ends
    plays_on: bool  # the player continues


TROUBLES = {
    "unplugged": Trouble(PulseCard.unplug, PulseCard.plug, "microphone", "no_audio", plays_on=False),
    "server hangs": Trouble(PulseCard.freeze, PulseCard.thaw, "microphone", "no_audio", plays_on=True),
    "server killed": Trouble(PulseCard.kill, PulseCard.start, "microphone", "no_audio", plays_on=False),
    "muted": Trouble(
        lambda card: card.mute(muted=True), lambda card: card.mute(muted=False), "silence", "deaf", plays_on=True
    ),
}


class TestTroubleWhileAnInfantCries:
    @pytest.mark.parametrize("name", TROUBLES)
    def test_it_is_told_within_3_s_and_a_cry_after_it_is_a_new_alert(self, bedside: Bedside, name: str) -> None:
        trouble, daemon = TROUBLES[name], bedside.daemon
        process_id = daemon.process.pid
        bedside.hears_a_cry()
        open_event = [line for line in daemon.events() if line["phase"] == "begin"][-1]
        before = len(daemon.lines())

        trouble.makes(bedside.card)
        begun = daemon.wait_for({"fault": trouble.fault, "begins": True}, after=before, within_s=NOTICED_S + POLLED_S)
        daemon.wait_until(lambda: trouble.fault in open_faults(daemon), "the fault in the status", POLLED_S)
        assert begun["at_s"] - begun["since_s"] <= NOTICED_S
        asked = daemon.ask("status")
        assert asked.returncode == DEAF
        assert f"FAULT       {trouble.fault} since" in asked.stdout
        ended = daemon.wait_for({"phase": "end"}, after=before, within_s=NOTICED_S + POLLED_S)
        assert (ended["event_id"], ended["reason"]) == (open_event["event_id"], trouble.ends)

        mended = len(daemon.lines())
        trouble.mends(bedside.card)
        if not trouble.plays_on:
            bedside.play(bedside.sounds.endless_cry())
        daemon.wait_for({"fault": trouble.fault, "begins": False}, after=mended, within_s=CRY_WITHIN_S)
        again = daemon.wait_for_a_cry(after=mended)
        assert again["event_id"] != open_event["event_id"]
        daemon.wait_until(lambda: open_faults(daemon) == set(), "a status without faults", POLLED_S)
        assert daemon.process.pid == process_id
        assert daemon.process.poll() is None

    @pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
    def test_a_capture_process_that_is_killed_or_stopped_is_replaced(
        self, bedside: Bedside, number: signal.Signals
    ) -> None:
        daemon = bedside.daemon
        bedside.hears_a_cry()
        (child,) = daemon.children()
        state = daemon.status()
        assert state is not None
        os.kill(child, number)
        after = daemon.wait_until(
            lambda: now if (now := daemon.status()) is not None and now.gaps > state.gaps and now.hears else None,
            "hearing again",
            CRY_WITHIN_S,
        )
        (fresh,) = daemon.children()
        assert fresh != child
        assert not lives(child)
        assert (after.gaps, after.reopened, after.pid) == (state.gaps + 1, state.reopened + 1, state.pid)
        daemon.wait_until(bedside.cry_is_on, "the cry being heard", CRY_WITHIN_S)

    def test_a_stuck_value_is_told_within_3_s(self, bedside: Bedside) -> None:
        daemon = bedside.daemon
        before = len(daemon.lines())
        bedside.play(bedside.sounds.constant())
        within_s = RENDERED_S + NOTICED_S + POLLED_S
        begun = daemon.wait_for({"fault": "stuck", "begins": True}, after=before, within_s=within_s)
        assert begun["at_s"] - begun["since_s"] <= NOTICED_S

    def test_every_event_that_began_has_an_end_and_an_id_of_its_own(self, bedside: Bedside) -> None:
        bedside.hears_a_cry()
        events = bedside.daemon.events()
        begun = [event["event_id"] for event in events if event["phase"] == "begin"]
        ended = [event["event_id"] for event in events if event["phase"] == "end"]
        assert len(set(begun)) == len(begun)
        assert ended in (begun, begun[:-1])

    def test_every_line_on_the_console_begins_with_utc(self, bedside: Bedside) -> None:
        bedside.hears_a_cry()
        lines = bedside.daemon.printed().splitlines()
        assert lines
        assert all(UTC.match(line) for line in lines)
        assert all(UTC.fullmatch(line["utc"]) for line in bedside.daemon.lines())


def open_faults(daemon: RunningDaemon) -> set[str]:
    state = daemon.status()
    return {"no status"} if state is None else {fault.kind for fault in state.faults}


# --- stopping


class TestLeaving:
    """SIGTERM, each time in another state."""

    @pytest.fixture
    def fresh(self, pulse: PulseCard, private_folder: Path) -> Iterator[Bedside]:
        """A daemon for one test."""
        with RunningDaemon(private_folder, pulse.environment, CONFIG) as daemon:
            daemon.wait_until_it_captures()
            yield Bedside(pulse, daemon, Sounds(private_folder))

    def test_while_an_infant_cries_its_end_is_written(self, fresh: Bedside) -> None:
        fresh.hears_a_cry()
        (begun,) = fresh.daemon.events()
        assert_leaves(fresh.daemon)
        _, ended = fresh.daemon.events()
        assert (ended["event_id"], ended["phase"], ended["reason"]) == (begun["event_id"], "end", "stopped")
        assert fresh.daemon.lines()[-1]["happening"] == "stopping"

    def test_while_the_microphone_is_gone(self, fresh: Bedside) -> None:
        fresh.card.unplug()
        fresh.daemon.wait_for({"fault": "microphone"}, within_s=NOTICED_S + POLLED_S)
        assert_leaves(fresh.daemon)
        assert fresh.daemon.find({"fault": "microphone", "begins": False}) is not None

    def test_while_the_sound_server_hangs(self, fresh: Bedside) -> None:
        fresh.hears_a_cry()
        fresh.card.freeze()
        time.sleep(0.5)
        assert_leaves(fresh.daemon)
        assert fresh.daemon.events()[-1]["reason"] == "stopped"

    def test_while_models_are_opened(self, pulse: PulseCard, private_folder: Path) -> None:
        many = "".join(f'[model.cry{number}]\nbundle = "cry"\n' for number in range(20))
        with RunningDaemon(private_folder, pulse.environment, CONFIG + many) as daemon:
            daemon.wait_until(daemon.children, "a capture process", UP_WITHIN_S)
            assert daemon.lines() == []
            assert_leaves(daemon)

    def test_while_nobody_reads_its_console(self, pulse: PulseCard, private_folder: Path) -> None:
        unread, console = full_pipe()
        daemon = RunningDaemon(private_folder, pulse.environment, CONFIG)
        try:
            daemon.start(console)
            daemon.wait_until_it_captures()
            assert_leaves(daemon)
        finally:
            daemon.kill()
            os.close(unread)
            os.close(console)
        assert [line["happening"] for line in daemon.lines() if line["kind"] == "happening"] == ["started", "stopping"]

    def test_killed_it_leaves_no_capture_process_and_the_next_one_starts(self, fresh: Bedside) -> None:
        (child,) = fresh.daemon.children()
        fresh.hears_a_cry()
        fresh.daemon.kill()
        wait_until(lambda: not lives(child), "the end of the capture process", LEAVES_WITHIN_S)
        assert fresh.daemon.socket_path.exists()
        before = len(fresh.daemon.lines())
        fresh.daemon.start()
        again = fresh.daemon.wait_for_a_cry(after=before, within_s=UP_WITHIN_S + CRY_WITHIN_S)
        assert again["event_id"] not in {event["event_id"] for event in fresh.daemon.events()[:-1]}
        assert_leaves(fresh.daemon)


def assert_leaves(daemon: RunningDaemon) -> None:
    """SIGTERM ends it in time, with exit code 0, and nothing is left behind."""
    children = daemon.children()
    code, seconds = daemon.terminate()
    assert code == 0, daemon
    assert seconds < LEAVES_WITHIN_S
    assert not any(lives(child) for child in children)
    assert not daemon.socket_path.exists()


def full_pipe() -> tuple[int, int]:
    """Both ends of a full pipe."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(writing, bytes(4096))
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(writing, b"x")
    os.set_blocking(writing, True)
    return reading, writing


# --- reloading


class TestReload:
    """SIGHUP."""

    def test_a_file_that_does_not_hold_is_refused_with_its_sentence_and_hearing_goes_on(self, bedside: Bedside) -> None:
        bedside.hears_a_cry()
        begun = bedside.daemon.events()[-1]
        refused = reload(bedside, CONFIG + "[listen]\nhop_s = 7\n")
        assert refused["happening"] == "reload_refused"
        assert 'nursery.toml, line 6: "hop_s"' in refused["detail"]
        assert "is kept" in refused["detail"]
        time.sleep(1.0)
        assert bedside.daemon.events()[-1] == begun
        assert bedside.cry_is_on()
        assert open_faults(bedside.daemon) == set()

    def test_a_broken_file_and_one_that_is_gone_are_refused(self, bedside: Bedside) -> None:
        bedside.hears_a_cry()
        assert reload(bedside, "[listen\n")["happening"] == "reload_refused"
        bedside.daemon.config_path.unlink()
        assert reload(bedside)["happening"] == "reload_refused"
        assert bedside.cry_is_on()

    def test_a_hop_that_a_model_cannot_take_is_refused(self, bedside: Bedside) -> None:
        refused = reload(bedside, CONFIG + "[listen]\nhop_s = 0.25\n")
        assert refused["happening"] == "reload_refused"
        assert "model cry: hop_s is 0.25, must be 0.5" in refused["detail"]

    def test_another_threshold_is_taken_over_and_what_is_open_ends(self, bedside: Bedside) -> None:
        bedside.hears_a_cry()
        begun = [line for line in bedside.daemon.events() if line["phase"] == "begin"]
        before = len(bedside.daemon.lines())
        changed = '[model.cry.label.cry]\non = 0.05\noff = 0.01\npriority = "low"\n'
        assert reload(bedside, CONFIG + changed)["happening"] == "reloaded"
        ended = bedside.daemon.wait_for({"phase": "end"}, after=before, within_s=POLLED_S)
        assert (ended["event_id"], ended["reason"]) == (begun[-1]["event_id"], "reload")
        again = bedside.daemon.wait_for_a_cry(after=before)
        assert again["event_id"] not in {event["event_id"] for event in begun}
        assert "at or above 0.05" in again["reason"]
        assert again["priority"] == "low"

    def test_metrics_appear_on_loopback_alone_and_go_again(self, bedside: Bedside) -> None:
        port = free_port()
        assert reload(bedside, f"{CONFIG}[status]\nmetrics_port = {port}\n")["happening"] == "reloaded"
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
            assert b"auricle_" in answer.read()
        assert listening_addresses(port) == {"0100007F"}
        assert reload(bedside, CONFIG)["happening"] == "reloaded"
        assert listening_addresses(port) == set()

    def test_a_port_that_is_taken_is_refused(self, bedside: Bedside) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            refused = reload(bedside, f"{CONFIG}[status]\nmetrics_port = {port}\n")
        assert refused["happening"] == "reload_refused"
        assert str(port) in refused["detail"]

    def test_another_log_file_is_written_from_then_on(self, bedside: Bedside) -> None:
        other = bedside.daemon.config_path.with_name("other.jsonl")
        bedside.daemon.configure(CONFIG + '[log]\nfile = "other.jsonl"\n')
        bedside.daemon.reload()
        wait_until(lambda: other.exists() and '"reloaded"' in other.read_text(), "the other log", CRY_WITHIN_S)
        assert reload(bedside, CONFIG)["happening"] == "reloaded"

    def test_another_microphone_is_opened_and_one_that_is_not_there_is_a_fault(self, bedside: Bedside) -> None:
        before = len(bedside.daemon.lines())
        assert reload(bedside, CONFIG.replace("fakemic", "nosuchmic"))["happening"] == "reloaded"
        fault = bedside.daemon.wait_for(
            {"fault": "microphone", "begins": True}, after=before, within_s=NOTICED_S + POLLED_S
        )
        assert (fault["source"], "nosuchmic" in fault["detail"]) == ("nosuchmic", True)
        assert reload(bedside, CONFIG)["happening"] == "reloaded"
        bedside.daemon.wait_until_it_hears()
        bedside.hears_a_cry()


def reload(bedside: Bedside, config: str | None = None) -> Line:
    """Write the configuration, if one is given, and reload; returns the daemon's line about it."""
    if config is not None:
        bedside.daemon.configure(config)
    before = len(bedside.daemon.lines())
    bedside.daemon.reload()
    return bedside.daemon.wait_until(
        lambda: next((line for line in bedside.daemon.lines()[before:] if "reload" in line.get("happening", "")), None),
        "a word on the reload",
        CRY_WITHIN_S,
    )


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        port: int = found.getsockname()[1]
        return port


def listening_addresses(port: int) -> set[str]:
    """Addresses with a listener at this port, as the kernel prints them."""
    found = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for row in Path(table).read_text().splitlines()[1:]:
            address, state = row.split()[1], row.split()[3]
            if state == "0A" and int(address.rpartition(":")[2], 16) == port:
                found.add(address.rpartition(":")[0])
    return found


# --- two instances


class TestTwoInstances:
    """Two nurseries on one machine."""

    def test_each_hears_its_own_microphone_and_one_outlives_the_other(self, folder: Path, card: PulseCard) -> None:
        second_folder = folder / "second"
        second_folder.mkdir()
        second = PulseCard(second_folder, name="othermic")
        both = both_cards(folder, card, second)
        second.start()
        try:
            with (
                RunningDaemon(folder, both, CONFIG, name="anna") as anna,
                RunningDaemon(folder, both, CONFIG.replace("fakemic", "othermic"), name="ben") as ben,
            ):
                anna.wait_until_it_captures()
                ben.wait_until_it_captures()
                sounds = Sounds(folder)
                second.play(sounds.endless_room())
                card.play(sounds.endless_cry())
                anna.wait_for_a_cry()
                asked = anna.ask("status")
                assert {line.split()[0] for line in asked.stdout.splitlines() if line[:1].strip()} == {"anna", "ben"}
                assert ben.events() == []
                twin = anna.ask("listen", "--config", str(anna.config_path))
                assert twin.returncode == BAD_INPUT
                assert "already runs" in twin.stderr
                assert_leaves(anna)
                second.play(sounds.endless_cry())
                ben.wait_for_a_cry()
                assert_leaves(ben)
        finally:
            second.stop()


def both_cards(folder: Path, first: PulseCard, second: PulseCard) -> dict[str, str]:
    """Variables with which a process captures from both cards."""
    conf = folder / "both.conf"
    conf.write_text("".join(Path(card.environment["ALSA_CONFIG_PATH"]).read_text() for card in (first, second)))
    return {"ALSA_CONFIG_PATH": str(conf)}


# --- refused input


class TestBadInput:
    """One sentence on stderr, exit code 2."""

    @pytest.mark.parametrize(
        ("arguments", "sentence"),
        [
            (["--source", "nosuch.wav"], "nosuch.wav"),
            (["--speed", "2"], "--speed, --loop and --shed are for recordings"),
            (["--source", "x.wav", "--speed", "0"], "'0' is not a speed"),
            (["--instance", "a/b"], "'a/b' cannot name an instance"),
            (["--profile", "kitchen"], 'no profile is named "kitchen"'),
            (["--config", "nosuch.toml"], "nosuch.toml"),
        ],
    )
    def test_of_arguments(self, tmp_path: Path, arguments: list[str], sentence: str) -> None:
        assert_refused(tmp_path, arguments, sentence)

    @pytest.mark.parametrize(
        ("config", "sentence"),
        [
            ('[microphone]\ndevice = "1"\n', 'line 2: "device" in [microphone]'),
            ("[microphone\n", "line 1"),
            ('[microphone]\nname = "x"\n', "line 2"),
            ("[model.cry.label.bark]\non = 0.5\n", "has no label 'bark'"),
            ("[model.dog]\n", "dog"),
            ("[listen]\nhop_s = 0.123\n", "hop_s is 0.123"),
        ],
    )
    def test_of_a_file(self, tmp_path: Path, config: str, sentence: str) -> None:
        (tmp_path / "here.toml").write_text(config)
        assert_refused(tmp_path, ["--config", "here.toml"], sentence)

    def test_of_a_file_whose_name_can_name_no_instance(self, tmp_path: Path) -> None:
        (tmp_path / "My Nursery.toml").write_text("")
        assert_refused(tmp_path, ["--config", "My Nursery.toml"], "give one with --instance")


def assert_refused(folder: Path, arguments: list[str], sentence: str) -> None:
    command = [str(AURICLE), "listen", *arguments]
    done = subprocess.run(
        command, cwd=folder, env=private(folder, {}), capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == BAD_INPUT
    assert done.stdout == ""
    assert done.stderr.startswith("auricle")
    assert done.stderr.count("\n") == 1
    assert sentence in done.stderr
    assert not (folder / "state").exists()
