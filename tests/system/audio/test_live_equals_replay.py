"""The daemon detects in a microphone's sound what a replay detects in it, whatever happens to the microphone."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile
import soxr

from device.config.loading import parse_config
from device.messages import AudioBlock, NoAudio, Notice
from device.runtime.model_loader import open_models
from device.sinks.log import log_line
from tests.programs import program
from tests.system.audio.tapped_daemon import read_tap
from tests.system.running_daemon import CRY_WITHIN_S, NAMES_ANY_CRY, RATE_HZ, RunningDaemon, Sounds

if TYPE_CHECKING:
    import numpy.typing as npt

    from tests.system.conftest import PulseCard
    from tests.system.running_daemon import Line

pytestmark = pytest.mark.system

HERE = Path(__file__).parent
HOP_S = 0.5
HOUR_S = 3600
QUIET_WITHIN_S = 30.0
"""From the begin of a cry of 8 s to its end, with 5 s of hold, on a busy machine."""

# The hop is fixed: a busy machine may be late, but with a widened hop it would score other windows.
CONFIG = f"""
[microphone]
device = "fakemic"
sample_rate_hz = {RATE_HZ}
[listen]
hop_s = {HOP_S}
widen_up_to = 1
{NAMES_ANY_CRY}
"""
INFANTS = (
    "donateacry/cry/03ADDCFB-354E-416D-BF32-260CF47F7060-1433658024-1.1-f-04-ti.ogg",
    "babycry/cry/margot.m4a_4.ogg",
)
_OF_ONE_RUN = frozenset({"utc", "source", "event_id"})


@dataclass(frozen=True, slots=True)
class Evening:
    """The items that a daemon received and the lines that it logged, from its start to its end."""

    tapped: list[AudioBlock | NoAudio]
    lines: list[Line]

    @property
    def events(self) -> list[Line]:
        return [line for line in self.lines if line["kind"] == "event"]

    @property
    def faults(self) -> list[str]:
        return [line["fault"] for line in self.lines if line["kind"] == "fault"]

    @property
    def blocks(self) -> list[AudioBlock]:
        return [item for item in self.tapped if isinstance(item, AudioBlock)]


class TappedDaemon(RunningDaemon):
    """A daemon whose captured sound is recorded."""

    def __init__(self, folder: Path, card: PulseCard, environment: dict[str, str] | None = None) -> None:
        self._tap_path = folder / "tap"
        command = [sys.executable, str(HERE / "tapped_daemon.py"), str(self._tap_path)]
        super().__init__(folder, {**card.environment, **(environment or {})}, CONFIG, command=command)

    def evening(self) -> Evening:
        """Stop it; returns what it received and logged."""
        code, _ = self.terminate()
        assert code == 0, self
        return Evening(read_tap(self._tap_path), self.lines())


def heard_again(evening: Evening) -> list[str]:
    """The results of a new listener for the items that the daemon received."""
    with open_models(parse_config(CONFIG, source="the test")) as models:
        listener = models.listener(parse_config(CONFIG, source="the test"), "again")
        events = [event for item in evening.tapped for event in listener.push(item).events]
        events += listener.finish("stopped").events
        lines = [log_line(Notice(0.0, "", event, models.priorities[event.model, event.label])) for event in events]
    return [same_in_both(json.loads(line)) for line in lines]


def same_in_both(event: Line) -> str:
    """An event as text, without the members that differ between runs."""
    return json.dumps({name: value for name, value in event.items() if name not in _OF_ONE_RUN})


def phases(events: list[Line]) -> list[tuple[str, str, str | None]]:
    return [(event["label"], event["phase"], event["reason"] if event["phase"] == "end" else None) for event in events]


def assert_events_are_the_same(evening: Evening) -> None:
    assert [same_in_both(event) for event in evening.events] == heard_again(evening)


class TestAMicrophoneThatIsUnpluggedInMidCry:
    @pytest.fixture(scope="class")
    @classmethod
    def evening(cls, folder: Path, card: PulseCard) -> Evening:
        sound = Sounds(folder).cry_then_room(8.0, 10.0)
        with TappedDaemon(folder, card) as daemon:
            daemon.wait_until_it_captures()
            card.play(sound)
            daemon.wait_for_a_cry()
            card.unplug()
            daemon.wait_for({"phase": "end"}, within_s=CRY_WITHIN_S)
            card.plug()
            card.play(sound)
            lines = len(daemon.lines())
            daemon.wait_for_a_cry(after=lines)
            daemon.wait_for({"phase": "end"}, after=lines, within_s=QUIET_WITHIN_S)
            return daemon.evening()

    def test_the_cry_before_and_the_cry_after_are_two_events(self, evening: Evening) -> None:
        assert phases(evening.events) == [
            ("cry", "begin", None),
            ("cry", "end", "no_audio"),
            ("cry", "begin", None),
            ("cry", "end", "quiet"),
        ]
        assert any(isinstance(item, NoAudio) and item.at_s - item.since_s > 3.0 for item in evening.tapped)
        assert any(block.after_gap for block in evening.blocks)

    def test_a_replay_of_what_the_daemon_was_given_has_every_event_byte_for_byte(self, evening: Evening) -> None:
        assert_events_are_the_same(evening)


@pytest.mark.real_audio
class TestRecordedInfants:
    @pytest.fixture(scope="class")
    @classmethod
    def played_path(cls, folder: Path, data_dir: Path) -> Path:
        """Two infants, of two collections, in a room with a fire: 34 s at 16 kHz, 16 bits."""
        room = loaded(data_dir / "ambient" / "loops" / "blanket__fireplace.ogg")
        first, second = (loaded(data_dir / infant) for infant in INFANTS)
        parts = [room[: 2 * RATE_HZ], first, room[: 10 * RATE_HZ], second, room[: 10 * RATE_HZ]]
        path = folder / "infants.wav"
        soundfile.write(path, np.concatenate(parts), RATE_HZ, subtype="PCM_16")
        return path

    @pytest.fixture(scope="class")
    @classmethod
    def evening(cls, folder: Path, card: PulseCard, played_path: Path) -> Evening:
        with TappedDaemon(folder, card) as daemon:
            daemon.wait_until_it_captures()
            assert card.play(played_path, latency_ms=2000).wait(120) == 0  # no pause is put in on a busy machine
            return daemon.evening()

    def test_a_replay_of_what_the_daemon_was_given_has_every_event_byte_for_byte(self, evening: Evening) -> None:
        assert_events_are_the_same(evening)
        assert all(event["verdict"] for event in evening.events if event["phase"] == "end")

    def test_a_replay_of_the_file_has_the_same_events_within_a_hop_and_a_quarter_second(
        self, folder: Path, played_path: Path, evening: Evening
    ) -> None:
        played_at_s = played_from_s(evening, played_path)
        aligned_path = after_silence(played_path, played_at_s % HOP_S, folder / "aligned.wav")
        of_file = replayed_events(aligned_path, folder / "events.jsonl")
        begin, end, again = ("cry", "begin", None), ("cry", "end", "quiet"), ("cry", "reopen", None)
        assert phases(of_file) == [begin, end, again, end]  # the other infant cries within the cooldown
        assert phases(evening.events) == phases(of_file)
        shift_s = played_at_s - played_at_s % HOP_S
        for live, replayed in zip(evening.events, of_file, strict=True):
            assert live["start_s"] == pytest.approx(replayed["start_s"] + shift_s, abs=HOP_S + 0.25)


class TestAClockThatIsStepped:
    """By an hour forward while an infant cries, and by two hours back."""

    @pytest.fixture(scope="class")
    @classmethod
    def shift(cls, folder: Path) -> Path:
        path = folder / "shift"
        write_shift(path, 0)
        return path

    @pytest.fixture(scope="class")
    @classmethod
    def environment(cls, folder: Path, shift: Path) -> dict[str, str]:
        library = folder / "shift_clock.so"
        compiling = [program("gcc"), "-shared", "-fPIC", "-Wall", "-Werror", "-o", str(library)]
        subprocess.run([*compiling, str(HERE.parent / "shift_clock.c")], check=True, timeout=60)
        return {"LD_PRELOAD": str(library), "SHIFT_CLOCK_FILE": str(shift)}

    @pytest.fixture(scope="class")
    @classmethod
    def evening(cls, folder: Path, card: PulseCard, shift: Path, environment: dict[str, str]) -> Evening:
        sounds = Sounds(folder)
        night = sounds.cry_then_room(8.0, 40.0)
        # The room is there from before the first block: a card that nothing plays into is silent, a true fault.
        card.play(sounds.write("night-long-room.wav", [sounds.room(240.0)]))
        with TappedDaemon(folder, card, environment) as daemon:
            daemon.wait_until_it_captures()
            card.play(night)
            daemon.wait_for_a_cry()
            write_shift(shift, HOUR_S)
            wait_until_told(daemon, HOUR_S)
            write_shift(shift, -HOUR_S)
            wait_until_told(daemon, -HOUR_S)
            daemon.wait_for({"phase": "end"}, within_s=QUIET_WITHIN_S)
            return daemon.evening()

    def test_nothing_is_lost_repeated_or_late(self, evening: Evening) -> None:
        ends = [block.end_sample for block in evening.blocks]
        starts = [block.start_sample for block in evening.blocks]
        assert starts[1:] == ends[:-1]
        assert not any(block.after_gap for block in evening.blocks)
        first = evening.tapped.index(evening.blocks[0])
        assert not any(isinstance(item, NoAudio) for item in evening.tapped[first:])
        assert evening.faults == []

    def test_events_are_decided_in_the_same_seconds_of_the_stream(self, evening: Evening) -> None:
        assert phases(evening.events) == [("cry", "begin", None), ("cry", "end", "quiet")]
        assert_events_are_the_same(evening)

    def test_the_log_tells_the_time_of_day_as_it_then_is(self, evening: Evening) -> None:
        begun, ended = evening.events
        by_day_s = (datetime.fromisoformat(ended["utc"]) - datetime.fromisoformat(begun["utc"])).total_seconds()
        by_stream_s = ended["decided_s"] - begun["decided_s"]
        assert by_day_s == pytest.approx(by_stream_s - HOUR_S, abs=1.0)


def write_shift(path: Path, seconds: int) -> None:
    """Shift the clock of the processes that have mapped this file; overwrites 8 bytes in one write."""
    with path.open("r+b" if path.exists() else "wb", buffering=0) as file:
        file.write(np.int64(seconds).tobytes())


def wait_until_told(daemon: RunningDaemon, shift_s: int) -> None:
    """Wait until the daemon's status has the shifted time of day; no other figure may change."""

    def told() -> bool:
        state = daemon.status()
        return state is not None and state.hears and abs(state.told_utc_s - time.time() - shift_s) < 5.0

    daemon.wait_until(told, f"a clock that is {shift_s} s off", 5.0)


def loaded(path: Path) -> npt.NDArray[np.float32]:
    """A recording at 16 kHz, its peak at -6 dBFS: float32 (n,)."""
    samples, rate_hz = soundfile.read(path, dtype="float32")
    resampled: npt.NDArray[np.float32] = soxr.resample(samples, rate_hz, RATE_HZ)
    scaled: npt.NDArray[np.float32] = resampled / (2.0 * np.abs(resampled).max())
    return scaled


def after_silence(path: Path, silence_s: float, out: Path) -> Path:
    """A copy of a file that begins that much later, so that windows cut both recordings at the same samples.

    Windows that lie elsewhere in the same sound may confirm the same cry two hops earlier or later.
    """
    samples, rate_hz = soundfile.read(path, dtype="int16")
    soundfile.write(out, np.pad(samples, (round(silence_s * rate_hz), 0)), rate_hz, subtype="PCM_16")
    return out


def replayed_events(path: Path, out: Path) -> list[Line]:
    """The events of `auricle replay` for a file."""
    command = [sys.executable, "-m", "device", "replay", str(path), "--events", str(out)]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    return [json.loads(line) for line in out.read_text().splitlines()]


def played_from_s(evening: Evening, path: Path) -> float:
    """The second of the stream at which playing the file began; checks that all of it was captured unchanged."""
    played, _ = soundfile.read(path, dtype="int16")
    heard = (np.concatenate([block.samples for block in evening.blocks]) * 32768).astype(np.int16)
    first, sample = heard.tobytes().find(played[:RATE_HZ].tobytes()), 2
    assert first >= 0
    begin = first // sample
    np.testing.assert_array_equal(heard[begin : begin + len(played) - RATE_HZ], played[:-RATE_HZ])
    return (evening.blocks[0].start_sample + begin) / RATE_HZ
