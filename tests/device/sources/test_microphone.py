"""The microphone over capture processes that do what a script says: real processes, pipes and signals."""

from __future__ import annotations

import contextlib
import random
import sys
import threading
import time
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.config.microphone.microphone_settings import MicrophoneSettings
from device.errors import MicrophoneError
from device.fault_info import FAULTS
from device.hearing.deafness.detector import DeafnessDetector
from device.messages import AudioBlock, NoAudio
from device.sources.capture_plan import CapturePlan, MicrophoneTimeouts, capture_plan
from device.sources.capture_record import CaptureProtocolError
from device.sources.channel_mix import ChannelMixer
from device.sources.microphone import Microphone, _Backoff, finite_frames

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from device.messages import Fault

RATE_HZ = 8000
BLOCK = 400
SHORT = MicrophoneTimeouts(quiet_s=0.05, hung_s=0.8, opening_s=5.0, backoff_s=0.02, max_backoff_s=0.1, steady_s=30.0)
WITHIN_S = 20.0

PRELUDE = """
import array, json, os, sys, time
from device.sources.capture_record import *
with open(sys.argv[1], "a+") as count:
    count.write("x"); count.flush(); attempt = count.tell() - 1
def say(data):
    while data: data = data[os.write(1, data):]
def opened(rate=8000, channels=1, name="Mic: Audio (hw:1,0)"):
    say(encode(CaptureRecord(OPENED, json.dumps(dict(name=name, sample_rate_hz=rate, channels=channels)).encode())))
def frame(number, value=0.5, samples=400, flags=0, late_s=0.0, channels=1):
    at = time.monotonic_ns() - int(late_s * 1e9)
    say(encode(CaptureRecord(FRAME, array.array("f", [value] * samples * channels).tobytes(), flags, number, at)))
def flow(first=0, count=10**9, rate=8000, samples=400, value=0.5):
    for number in range(first, first + count):
        time.sleep(samples / rate); frame(number, value, samples)
"""


class Scripted:
    """Microphones whose capture process does what a script says, each attempt counted."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._open: list[Microphone] = []

    def microphone(self, script: str, *, timeouts: MicrophoneTimeouts = SHORT, **settings: Any) -> Microphone:
        path = self._folder / "child.py"
        path.write_text(PRELUDE + script)
        command = [sys.executable, "-S", "-P", str(path), str(self._folder / "attempts")]
        plan = replace(capture_plan(MicrophoneSettings(**settings), lambda: None), timeouts=timeouts)
        microphone = Microphone(
            replace(plan, command=(*command, plan.command[-1])), settings.get("channel", 0), rng=random.Random(1)
        )
        self._open.append(microphone)
        return microphone

    @property
    def attempts(self) -> int:
        return len((self._folder / "attempts").read_text())

    def close(self) -> None:
        for microphone in self._open:
            microphone.close()


@pytest.fixture
def scripted(tmp_path: Path) -> Iterator[Scripted]:
    made = Scripted(tmp_path)
    yield made
    made.close()


def heard_until(microphone: Microphone, is_it: Callable[[AudioBlock | NoAudio], bool]) -> list[AudioBlock | NoAudio]:
    """Everything up to the first message of which something holds, times checked on the way."""
    deadline_s = time.monotonic() + WITHIN_S
    heard: list[AudioBlock | NoAudio] = []
    for message in microphone.blocks():
        heard.append(message)
        if is_it(message):
            assert_time_runs_on(heard)
            return heard
        assert time.monotonic() < deadline_s, heard[-3:]
    pytest.fail("the stream ended")


def assert_time_runs_on(heard: list[AudioBlock | NoAudio]) -> None:
    end_s = 0.0
    for message in heard:
        if isinstance(message, NoAudio):
            assert message.since_s <= message.at_s
            assert message.at_s >= end_s - 1e-9
        else:
            assert message.start_sample / message.sample_rate_hz >= end_s - 1e-9
            end_s = message.end_sample / message.sample_rate_hz


def blocks_of(heard: list[AudioBlock | NoAudio]) -> list[AudioBlock]:
    return [message for message in heard if isinstance(message, AudioBlock)]


def reasons_of(heard: list[AudioBlock | NoAudio]) -> list[str]:
    return [message.reason for message in heard if isinstance(message, NoAudio)]


def is_sound(message: AudioBlock | NoAudio) -> bool:
    return isinstance(message, AudioBlock)


def after_gap(message: AudioBlock | NoAudio) -> bool:
    return isinstance(message, AudioBlock) and message.after_gap


# --- what is heard


def test_frames_become_blocks_at_the_devices_rate_with_its_name(scripted: Scripted) -> None:
    microphone = scripted.microphone("opened(); flow(value=0.25)", timeouts=MicrophoneTimeouts(quiet_s=5.0))
    assert (microphone.sample_rate_hz, microphone.name) == (None, "default")
    first, second, third = [message for message, _ in zip(microphone.blocks(), range(3), strict=False)]
    blocks = blocks_of([first, second, third])
    assert len(blocks) == 3
    assert [block.sample_rate_hz for block in blocks] == [RATE_HZ] * 3
    assert [block.after_gap for block in blocks] == [False] * 3
    assert all((block.samples == np.float32(0.25)).all() and block.samples.dtype == np.float32 for block in blocks)
    assert [later.start_sample - earlier.start_sample for earlier, later in pairwise(blocks)] == [BLOCK, BLOCK]
    assert (microphone.sample_rate_hz, microphone.name) == (RATE_HZ, "Mic: Audio (hw:1,0)")
    assert (microphone.overruns, microphone.reopened) == (0, 0)


def test_the_child_is_told_what_to_open(scripted: Scripted) -> None:
    microphone = scripted.microphone(
        "say(encode(CaptureRecord(ERROR, sys.argv[2].encode()))); time.sleep(60)",
        device="usb:0d8c:0014",
        channel=None,
        sample_rate_hz=48000,
    )
    heard = heard_until(microphone, lambda message: isinstance(message, NoAudio) and "usb" in message.reason)
    wanted = '{"device": "usb:0d8c:0014", "channel": null, "sample_rate_hz": 48000}'
    assert reasons_of(heard)[-1].startswith(wanted)


@pytest.mark.parametrize(("channel", "wanted"), [(0, [0.1, -1.0]), (1, [0.3, -0.5]), (None, [0.2, -0.75])])
def test_one_channel_or_the_mean_of_all_is_heard(channel: int | None, wanted: list[float]) -> None:
    payload = np.array([[0.1, 0.3], [-1.5, -0.5]], "<f4")
    if channel is None:
        payload[1, 0] = -1.0
    frames = finite_frames(payload.tobytes(), 2, channel)
    assert ChannelMixer(channel).mix(frames).tolist() == pytest.approx(wanted)


@given(st.binary(max_size=64), st.integers(1, 4), st.none() | st.just(0))
def test_a_frame_is_samples_in_range_or_nonsense(payload: bytes, channels: int, channel: int | None) -> None:
    with contextlib.suppress(CaptureProtocolError):
        samples = ChannelMixer(channel).mix(finite_frames(payload, channels, channel))
        assert len(samples) == len(payload) // (4 * channels)
        assert samples.dtype == np.float32
        assert np.abs(samples).max() <= 1.0


def test_channels_that_cancel_in_the_mix_are_a_fault_of_the_live_stream_too(scripted: Scripted) -> None:
    script = (
        "opened(channels=2)\n"
        "for number in range(80):\n"
        "    sound = [0.3 * (-1) ** (n // 7 % 2) for n in range(400)]\n"
        "    both = array.array('f', [x for value in sound for x in (value, -value)]).tobytes()\n"
        "    time.sleep(0.05)\n"
        "    say(encode(CaptureRecord(FRAME, both, 0, number, time.monotonic_ns())))\n"
        "time.sleep(60)\n"
    )
    microphone = scripted.microphone(script, channel=None, timeouts=MicrophoneTimeouts(quiet_s=5.0))
    detector = DeafnessDetector(RATE_HZ)
    faults: list[Fault] = []

    def reaches_the_end(message: AudioBlock | NoAudio) -> bool:
        return isinstance(message, AudioBlock) and message.end_sample >= 79 * BLOCK

    for block in blocks_of(heard_until(microphone, reaches_the_end)):
        faults += detector.push(block)
    assert [fault.kind for fault in faults] == ["cancellation"]
    assert "hear one: channel = 1" in faults[0].detail
    assert "channel = 1 in [microphone]" in FAULTS["cancellation"].cure


def test_an_overflow_is_counted_and_marks_a_gap_of_the_time_that_was_lost(scripted: Scripted) -> None:
    script = "opened(); flow(count=3); time.sleep(0.4); frame(3, flags=OVERFLOWED); flow(first=4)"
    microphone = scripted.microphone(script)
    blocks = blocks_of(heard_until(microphone, after_gap))
    lost_s = (blocks[-1].start_sample - blocks[-2].end_sample) / RATE_HZ
    assert 0.3 < lost_s < 0.4 + WITHIN_S
    assert [block.after_gap for block in blocks] == [False, False, False, True]
    assert (microphone.overruns, microphone.reopened) == (1, 0)


def test_a_lost_frame_is_counted_and_marks_a_gap(scripted: Scripted) -> None:
    microphone = scripted.microphone("opened(); flow(count=3); flow(first=4)")
    blocks = blocks_of(heard_until(microphone, after_gap))
    assert len(blocks) == 4
    assert microphone.overruns == 1


def test_sound_that_a_slow_listener_has_not_taken_is_neither_lost_nor_a_hang(scripted: Scripted) -> None:
    microphone = scripted.microphone("opened(); flow()")
    stream = microphone.blocks()
    while not is_sound(next(stream)):
        pass
    time.sleep(3 * SHORT.hung_s)
    blocks = blocks_of([next(stream) for _ in range(20)])
    assert len(blocks) == 20
    assert not any(block.after_gap for block in blocks)
    assert (microphone.reopened, microphone.overruns) == (0, 0)


# --- what is not


def test_silence_is_told_again_and_again_with_its_reason_while_time_runs_on(scripted: Scripted) -> None:
    script = "say(encode(CaptureRecord(ERROR, b'it is unplugged'))); time.sleep(60)"
    heard = heard_until(
        scripted.microphone(script),
        lambda message: isinstance(message, NoAudio) and message.at_s > 1 and scripted.attempts >= 3,
    )
    assert any("it is unplugged" in reason for reason in reasons_of(heard))
    times = [message.at_s for message in heard if isinstance(message, NoAudio)]
    assert len(times) >= 4
    assert times == sorted(set(times))
    assert {message.since_s for message in heard if isinstance(message, NoAudio)} == {0.0}


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        ("os._exit(3)", "ended with exit code 3"),
        ("os.kill(os.getpid(), 9)", "killed by signal 9"),
        ("os.write(2, b'ALSA lib: one\\nALSA lib: the last word\\n'); os._exit(1)", "(ALSA lib: the last word)"),
        ("raise RuntimeError('out of luck')", "(RuntimeError: out of luck)"),
        ("say(encode(CaptureRecord(ERROR, b'it is in use')))", "it is in use"),
        ("time.sleep(60)", "hangs"),
        ("os.close(1); time.sleep(60)", "ended with exit code None"),
        ("os.kill(os.getpid(), 19)", "hangs"),
        ("say(os.urandom(5000)); time.sleep(60)", "nonsense"),
        ("say(b'x' * 5000); time.sleep(60)", "nonsense"),
        ("say(encode(CaptureRecord(FRAME, b'abc', 0, 3))); time.sleep(60)", "nonsense"),
        ("say(encode(CaptureRecord(FRAME, b'', 0, 3))); time.sleep(60)", "nonsense"),
        ("frame(3, value=float('nan')); time.sleep(60)", "nonsense"),
        ("opened(); time.sleep(60)", "nonsense"),
        ("say(encode(CaptureRecord(LISTED, b'[]'))); time.sleep(60)", "nonsense"),
        ("say(HEADER.pack(MAGIC, FRAME, 0, 3, MAX_PAYLOAD + 1, 0)); time.sleep(60)", "nonsense"),
        ("say(encode(CaptureRecord(FRAME, bytes(1600), 0, 3))[:-1]); time.sleep(60)", "hangs"),
    ],
)
def test_whatever_a_capture_process_does_another_takes_over(scripted: Scripted, fault: str, says: str) -> None:
    microphone = scripted.microphone(
        f"opened()\nif attempt == 0:\n    flow(count=3)\n    {fault}\nelse:\n    time.sleep(0.2); flow()"
    )
    heard = heard_until(microphone, after_gap)
    assert any(says in reason for reason in reasons_of(heard)), reasons_of(heard)
    blocks = blocks_of(heard)
    assert len(blocks) == 4
    assert (blocks[-1].start_sample - blocks[-2].end_sample) / RATE_HZ > 0.15
    assert microphone.reopened == 1
    assert microphone.overruns == 0


@pytest.mark.parametrize(
    "said",
    [
        "b'{'",
        "b'[]'",
        "b'{}'",
        "b'[' * 200000",
        "b'\\xff'",
        """b'{"name": 1, "sample_rate_hz": 8000, "channels": 1}'""",
        """b'{"name": "x", "sample_rate_hz": 0, "channels": 1}'""",
        """b'{"name": "x", "sample_rate_hz": [8000], "channels": 1}'""",
        """b'{"name": "x", "sample_rate_hz": 8000, "channels": 0}'""",
        """b'{"name": "x", "sample_rate_hz": 8000.5, "channels": 1e9}'""",
    ],
)
def test_a_device_that_cannot_be_is_nonsense(scripted: Scripted, said: str) -> None:
    script = f"if attempt == 0:\n    say(encode(CaptureRecord(OPENED, {said})))\n    time.sleep(60)\nopened(); flow()"
    heard = heard_until(scripted.microphone(script), is_sound)
    assert scripted.attempts == 2
    assert len(blocks_of(heard)) == 1


def test_a_frame_from_the_future_does_not_take_time_along(scripted: Scripted) -> None:
    microphone = scripted.microphone("opened(); flow(count=3); frame(3, flags=OVERFLOWED, late_s=-1e6); flow(first=4)")
    block = blocks_of(heard_until(microphone, after_gap))[-1]
    assert block.end_sample / RATE_HZ < WITHIN_S


def test_a_flood_of_chatter_neither_stops_the_sound_nor_is_kept(scripted: Scripted) -> None:
    script = (
        "import threading\n"
        "def chat():\n    while True: os.write(2, b'ALSA lib pcm.c: underrun\\n' * 1000)\n"
        "threading.Thread(target=chat, daemon=True).start()\nopened(); flow(count=20); os._exit(0)"
    )
    microphone = scripted.microphone(script)
    heard = heard_until(microphone, after_gap)
    assert len(blocks_of(heard)) == 21
    assert microphone._child is None  # the stream was left


def test_chatter_alone_is_no_sign_of_life(scripted: Scripted) -> None:
    script = "opened()\nwhile True:\n    os.write(2, b'.\\n'); time.sleep(0.01)"
    microphone = scripted.microphone(script)
    heard_until(microphone, lambda message: isinstance(message, NoAudio) and "hangs" in message.reason)
    heard_until(microphone, lambda _: scripted.attempts >= 2)


def test_a_program_that_cannot_be_started_is_a_reason_and_no_exception() -> None:
    microphone = Microphone(CapturePlan("default", ("/nowhere/capture",), timeouts=SHORT), 0)
    heard = heard_until(microphone, lambda message: isinstance(message, NoAudio) and message.at_s > 0.4)
    assert all("cannot be started" in reason for reason in reasons_of(heard))
    microphone.close()


def test_a_new_rate_counts_the_time_so_far_in_the_new_rate(scripted: Scripted) -> None:
    script = (
        "if attempt == 0:\n    opened(8000); flow(count=5); os._exit(0)\nopened(48000); flow(rate=48000, samples=2400)"
    )
    microphone = scripted.microphone(script)
    blocks = blocks_of(heard_until(microphone, after_gap))
    assert [block.sample_rate_hz for block in blocks] == [8000] * 5 + [48000]
    assert microphone.sample_rate_hz == 48000
    assert blocks[-1].start_sample / 48000 >= blocks[-2].end_sample / 8000


def test_a_device_name_that_can_be_none_is_refused_at_once() -> None:
    with pytest.raises(MicrophoneError, match="usb:VENDOR:PRODUCT"):
        capture_plan(MicrophoneSettings(device="usb:1"), lambda: None)


# --- its end


@pytest.mark.parametrize(
    "script",
    [
        "opened(); flow()",
        "time.sleep(60)",
        "opened(); os.kill(os.getpid(), 19)",
        "os._exit(1)",
        "import signal\nfor n in (1, 2, 15): signal.signal(n, signal.SIG_IGN)\ntime.sleep(60)",
    ],
)
def test_close_ends_the_stream_within_a_second_whatever_the_child_does(scripted: Scripted, script: str) -> None:
    microphone = scripted.microphone(script, timeouts=MicrophoneTimeouts())
    ended = threading.Event()

    def hear() -> None:
        for _ in microphone.blocks():
            pass
        ended.set()

    thread = threading.Thread(target=hear, name="hear")
    thread.start()
    time.sleep(0.5)
    began_s = time.monotonic()
    microphone.close()
    assert ended.wait(1.0)
    assert time.monotonic() - began_s < 1.0
    thread.join()
    microphone.close()
    assert list(microphone.blocks()) == []
    assert "closed" in repr(microphone)


def test_a_stream_that_is_left_takes_its_child_along_and_may_be_taken_up_again(scripted: Scripted) -> None:
    microphone = scripted.microphone("opened(); flow()")
    first = blocks_of(heard_until(microphone, is_sound))[-1]
    assert microphone._child is None
    again = blocks_of(heard_until(microphone, is_sound))[-1]
    assert again.after_gap
    assert again.start_sample >= first.end_sample


@given(st.integers(0, 2**32), st.integers(1, 3000))
def test_attempts_are_spread_ever_further_apart_up_to_a_limit(seed: int, failures: int) -> None:
    backoff = _Backoff(MicrophoneTimeouts(), random.Random(seed))
    waits_s = [backoff.next_s() for _ in range(failures)]
    for number, wait_s in enumerate(waits_s):
        full_s = min(5.0, 0.2 * 2.0 ** min(number, 30))
        assert full_s / 2 <= wait_s <= full_s
    backoff.reset()
    assert backoff.next_s() <= 0.2
