"""The microphone on real sound servers: after being unplugged, hanging, dying or blocking it recovers by itself."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile

from device.config.microphone.microphone_settings import MicrophoneSettings
from device.messages import AudioBlock, NoAudio
from device.runtime.secrets.microphone_login import open_microphone
from device.sources.microphone_list import list_microphones

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy.typing as npt

    from device.sources.microphone import Microphone
    from tests.system.conftest import JackCard, PulseCard

pytestmark = pytest.mark.system

NOTICED_S = 3.0
"""Within this, a microphone that delivers nothing any more is reported."""

BACK_S = 20.0
"""Within this, one that is back delivers sound: at most 5 s of backoff, 3 s to open it, and a busy machine."""


class Ear:
    """A thread that reads a microphone for as long as a test lasts."""

    def __init__(self, microphone: Microphone) -> None:
        self.microphone = microphone
        self.heard: list[tuple[float, AudioBlock | NoAudio]] = []
        self._thread = threading.Thread(target=self._hear, name="ear")
        self._thread.start()

    def close(self) -> float:
        """Close the microphone; seconds until the thread ended."""
        began_s = time.monotonic()
        self.microphone.close()
        self._thread.join(10.0)
        assert not self._thread.is_alive()
        return time.monotonic() - began_s

    def wait_for(self, is_it: Callable[[AudioBlock | NoAudio], bool], within_s: float) -> AudioBlock | NoAudio:
        """The first message from now on for which a condition holds."""
        seen = len(self.heard)
        deadline_s = time.monotonic() + within_s
        while time.monotonic() < deadline_s:
            for _, message in self.heard[seen:]:
                if is_it(message):
                    return message
            time.sleep(0.01)
        pytest.fail(f"not heard within {within_s:g} s; last was {self.heard[-1:]}")

    def wait_for_sound(self, within_s: float = BACK_S) -> AudioBlock:
        found = self.wait_for(lambda message: isinstance(message, AudioBlock) and bool(message.samples.any()), within_s)
        assert isinstance(found, AudioBlock)
        return found

    def wait_for_none(self, within_s: float = NOTICED_S) -> NoAudio:
        found = self.wait_for(lambda message: isinstance(message, NoAudio), within_s)
        assert isinstance(found, NoAudio)
        return found

    @property
    def child(self) -> int:
        """Process id of the capture process."""
        child = self.microphone._child
        assert child is not None
        return child._process.pid

    def blocks(self) -> list[AudioBlock]:
        return [message for _, message in self.heard if isinstance(message, AudioBlock)]

    def _hear(self) -> None:
        for message in self.microphone.blocks():
            self.heard.append((time.monotonic(), message))


@pytest.fixture
def ear(pulse: PulseCard) -> Iterator[Ear]:
    """Reads the private PulseAudio; whatever happened, its time never ran backwards and it closes quickly."""
    listening = Ear(open_microphone(MicrophoneSettings(device=pulse.name, sample_rate_hz=pulse.rate_hz)))
    yield listening
    assert listening.close() < 1.0
    _assert_time_never_ran_back(listening)
    assert _children() == []


@pytest.fixture
def noise_path(tmp_path: Path) -> Path:
    """Two minutes of noise at 16 kHz, 16 bit, no sample of which is zero."""
    samples = np.random.default_rng(1).integers(1, 20000, 120 * 16000).astype(np.int16)
    soundfile.write(tmp_path / "noise.wav", samples, 16000, subtype="PCM_16")
    return tmp_path / "noise.wav"


def _assert_time_never_ran_back(listening: Ear) -> None:
    end_s = 0.0
    for _, message in listening.heard:
        if isinstance(message, NoAudio):
            assert message.at_s >= end_s - 1e-9
            continue
        assert message.start_sample / message.sample_rate_hz >= end_s - 1e-9
        end_s = message.end_sample / message.sample_rate_hz


def _children() -> list[int]:
    """Process ids of this process's capture processes, zombies too."""
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            name, _, rest = status.read_text().rpartition(")")
            command = status.with_name("cmdline").read_text()
        except OSError:
            continue
        zombie, parent = rest.split()[:2]
        if int(parent) == os.getpid() and (
            (zombie == "Z" and "(python" in name) or "device.sources.capture" in command
        ):
            found.append(int(name.split()[0]))
    return found


def _descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_a_wav_played_into_the_microphone_is_heard_bit_for_bit(pulse: PulseCard, ear: Ear, tmp_path: Path) -> None:
    played = np.random.default_rng(0).integers(-20000, 20000, 3 * 16000).astype(np.int16)
    soundfile.write(tmp_path / "played.wav", played, 16000, subtype="PCM_16")
    ear.wait_for(lambda message: isinstance(message, AudioBlock), BACK_S)
    assert pulse.play(tmp_path / "played.wav", latency_ms=1000).wait(30) == 0  # no pause on a busy machine
    time.sleep(0.5)
    heard = np.concatenate([block.samples for block in ear.blocks()])
    first = int(np.flatnonzero(heard)[0])
    wanted = played[int(np.flatnonzero(played)[0]) :].astype(np.float32) / 32768
    np.testing.assert_array_equal(heard[first : first + len(wanted)], wanted)
    assert not any(block.after_gap for block in ear.blocks())
    assert ear.microphone.overruns == 0


def test_an_unplugged_microphone_is_missed_and_heard_again_when_it_is_back(
    pulse: PulseCard, ear: Ear, noise_path: Path
) -> None:
    pulse.play(noise_path)
    before = ear.wait_for_sound()
    pulse.unplug()
    assert "unplugged" in ear.wait_for_none().reason
    time.sleep(1.0)
    pulse.plug()
    pulse.play(noise_path)
    after = ear.wait_for_sound()
    assert after.start_sample > before.end_sample + 16000
    _assert_one_gap_per_opening(ear)


def test_a_hung_sound_server_is_missed_and_heard_again_when_it_goes_on(
    pulse: PulseCard, ear: Ear, noise_path: Path
) -> None:
    pulse.play(noise_path)
    ear.wait_for_sound()
    pulse.freeze()
    ear.wait_for_none()
    ear.wait_for(lambda message: isinstance(message, NoAudio) and "hangs" in message.reason, NOTICED_S)
    time.sleep(2.0)
    pulse.thaw()
    ear.wait_for_sound()
    _assert_no_more_sound_than_time(ear)


def test_a_short_hang_makes_time_run_neither_ahead_nor_back(pulse: PulseCard, ear: Ear, noise_path: Path) -> None:
    pulse.play(noise_path)
    ear.wait_for_sound()
    for _ in range(3):
        pulse.freeze()
        time.sleep(0.8)
        pulse.thaw()
        time.sleep(0.7)
    ear.wait_for_sound()
    time.sleep(0.5)
    assert ear.microphone.reopened == 0
    _assert_no_more_sound_than_time(ear)
    last = ear.blocks()[-1]
    began_s = ear.microphone._began_ns / 1e9
    behind_s = ear.heard[-1][0] - began_s - last.end_sample / last.sample_rate_hz
    assert behind_s < 0.6  # lost samples were counted as time


def test_a_killed_sound_server_is_missed_and_heard_again_when_it_is_restarted(
    pulse: PulseCard, ear: Ear, noise_path: Path
) -> None:
    pulse.play(noise_path)
    ear.wait_for_sound()
    pulse.kill()
    ear.wait_for_none()
    time.sleep(1.0)
    pulse.start()
    pulse.play(noise_path)
    ear.wait_for_sound()
    assert ear.microphone.reopened >= 1
    _assert_one_gap_per_opening(ear)


def test_a_muted_microphone_gives_zeros_and_not_silence_of_the_stream(
    pulse: PulseCard, ear: Ear, noise_path: Path
) -> None:
    pulse.play(noise_path)
    ear.wait_for_sound()
    pulse.mute(muted=True)
    ear.wait_for(lambda message: isinstance(message, AudioBlock) and not message.samples.any(), NOTICED_S)
    before = len(ear.heard)
    time.sleep(1.0)
    assert all(isinstance(message, AudioBlock) for _, message in ear.heard[before:])
    pulse.mute(muted=False)
    ear.wait_for_sound()
    assert ear.microphone.reopened == 0


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_a_killed_or_stopped_capture_process_is_replaced(
    pulse: PulseCard, ear: Ear, noise_path: Path, number: signal.Signals
) -> None:
    pulse.play(noise_path)
    ear.wait_for_sound()
    first = ear.child
    os.kill(first, number)
    ear.wait_for(lambda message: isinstance(message, AudioBlock) and message.after_gap, NOTICED_S + BACK_S)
    ear.wait_for_sound()
    assert ear.child != first
    assert first not in _children()
    assert any(isinstance(message, NoAudio) for _, message in ear.heard)


def test_twenty_reopenings_leave_no_descriptor_and_no_zombie(pulse: PulseCard) -> None:
    microphone = open_microphone(MicrophoneSettings(device=pulse.name, sample_rate_hz=pulse.rate_hz))
    stream = microphone.blocks()
    _next_block(stream)
    descriptors = _descriptors()
    for _ in range(20):
        assert microphone._child is not None
        microphone._backoff.reset()
        os.kill(microphone._child._process.pid, signal.SIGKILL)
        while not _next_block(stream).after_gap:
            pass
    assert microphone.reopened == 20
    assert _descriptors() == descriptors
    assert len(_children()) == 1
    microphone.close()
    assert list(stream) == []
    assert _children() == []
    assert _descriptors() == descriptors - 4  # three pipes and the descriptor that wakes


def test_closing_takes_less_than_a_second_while_the_server_hangs(pulse: PulseCard) -> None:
    listening = Ear(open_microphone(MicrophoneSettings(device=pulse.name, sample_rate_hz=pulse.rate_hz)))
    listening.wait_for(lambda message: isinstance(message, AudioBlock), BACK_S)
    pulse.freeze()
    listening.wait_for_none()
    assert listening.close() < 1.0
    opening = Ear(open_microphone(MicrophoneSettings(device=pulse.name, sample_rate_hz=pulse.rate_hz)))
    opening.wait_for_none()
    assert opening.close() < 1.0
    pulse.kill()
    waiting = Ear(open_microphone(MicrophoneSettings(device=pulse.name, sample_rate_hz=pulse.rate_hz)))
    waiting.wait_for_none()
    assert waiting.close() < 1.0
    assert _children() == []


def test_the_capture_process_leaves_when_its_parent_is_killed(pulse: PulseCard) -> None:
    program = (
        "from device.runtime.secrets.microphone_login import open_microphone\n"
        "from device.config.microphone.microphone_settings import MicrophoneSettings\n"
        f"microphone = open_microphone(MicrophoneSettings(device={pulse.name!r}, sample_rate_hz={pulse.rate_hz}))\n"
        "for block in microphone.blocks():\n"
        "    if microphone.opened: print(microphone._child._process.pid, flush=True)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    child = Path("/proc", parent.stdout.readline().strip())
    assert "device.sources.capture" in (child / "cmdline").read_text()
    parent.kill()
    parent.wait(10)
    parent.stdout.close()
    deadline_s = time.monotonic() + 5.0
    while _lives(child) and time.monotonic() < deadline_s:
        time.sleep(0.02)
    assert not _lives(child)


def test_the_list_names_the_microphone_and_the_rates_it_accepts(pulse: PulseCard) -> None:
    (fake,) = (device for device in list_microphones() if device.name == pulse.name)
    assert fake.host_api == "ALSA"
    assert 16000 in fake.rates_hz


def test_samples_that_jack_threw_away_are_counted_and_marked(jack: JackCard) -> None:
    listening = Ear(open_microphone(MicrophoneSettings(device=jack.name)))
    listening.wait_for(lambda message: isinstance(message, AudioBlock), BACK_S)
    for _ in range(3):
        child = listening.child
        os.kill(child, signal.SIGSTOP)
        time.sleep(0.9)
        os.kill(child, signal.SIGCONT)
        time.sleep(0.5)
    assert listening.microphone.sample_rate_hz == jack.rate_hz
    assert listening.microphone.overruns >= 1
    assert any(block.after_gap for block in listening.blocks())
    assert listening.close() < 1.0
    _assert_time_never_ran_back(listening)


def test_a_driver_that_sticks_when_it_dies_is_recovered_from(jack: JackCard) -> None:
    listening = Ear(open_microphone(MicrophoneSettings(device=jack.name)))
    listening.wait_for(lambda message: isinstance(message, AudioBlock), BACK_S)
    jack.kill()
    listening.wait_for_none()
    time.sleep(2.0)
    jack.start()
    listening.wait_for(lambda message: isinstance(message, AudioBlock), BACK_S)
    assert listening.close() < 1.0
    assert _children() == []


def _next_block(stream: Iterator[AudioBlock | NoAudio]) -> AudioBlock:
    """The next block of sound; fails if none comes."""
    deadline_s = time.monotonic() + BACK_S
    for message in stream:
        if isinstance(message, AudioBlock):
            return message
        assert time.monotonic() < deadline_s, message
    pytest.fail("the stream ended")


def _lives(process: Path) -> bool:
    try:
        return (process / "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def _assert_one_gap_per_opening(listening: Ear) -> None:
    gaps: npt.NDArray[np.bool_] = np.array([block.after_gap for block in listening.blocks()])
    assert gaps.sum() == listening.microphone.reopened + listening.microphone.overruns


def _assert_no_more_sound_than_time(listening: Ear) -> None:
    began_s = listening.microphone._began_ns / 1e9
    for at_s, message in listening.heard:
        if isinstance(message, AudioBlock):
            assert message.end_sample / message.sample_rate_hz <= at_s - began_s + 0.6
