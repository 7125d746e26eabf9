"""Playback: recordings become one stream, like that of a microphone."""

from __future__ import annotations

import resource
import threading
import time
from dataclasses import replace
from itertools import islice, pairwise
from typing import TYPE_CHECKING, Self

import numpy as np
import pytest
import soundfile

from device.config.loading import profile
from device.config.settings import ModelSettings
from device.daemon.audio.file_playback import NAMED_S, RETRY_S, FilePlayback
from device.messages import AudioBlock, NoAudio
from device.runtime.model_loader import open_models
from device.sources.recording import Recording

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from device.hearing.listener import Listener
    from device.messages import Event, Fault

FAST = 1e9


def _write(path: Path, seconds: float, rate_hz: int = 16000, level: float = 0.1) -> str:
    noise = level * np.random.default_rng(len(path.name)).standard_normal(round(seconds * rate_hz))
    soundfile.write(path, np.clip(noise, -1, 1), rate_hz, subtype="FLOAT")
    return str(path)


def _blocks(*paths: str) -> list[AudioBlock]:
    return list(_sound(FilePlayback(paths, channel=None, speed=FAST)))


def _sound(playback: FilePlayback) -> Iterator[AudioBlock]:
    """The blocks of a playback whose recordings can all be opened."""
    for item in playback.blocks():
        assert isinstance(item, AudioBlock)
        yield item


def test_a_recording_is_given_out_as_a_microphone_would(tmp_path: Path) -> None:
    path = _write(tmp_path / "one.wav", 1.03)
    blocks = _blocks(path)
    assert [len(block.samples) for block in blocks] == [800] * 20 + [480]
    assert [block.start_sample for block in blocks] == list(range(0, 16480, 800))
    assert not any(block.after_gap for block in blocks)
    samples, _ = soundfile.read(path, dtype="float32")
    assert np.array_equal(np.concatenate([block.samples for block in blocks]), samples)


def test_recordings_of_any_rate_make_one_stream_that_never_goes_back(tmp_path: Path) -> None:
    rates = [44100, 16000, 16000, 8000, 48000, 11025]
    paths = [_write(tmp_path / f"{index}.wav", 0.333, rate) for index, rate in enumerate(rates)]
    blocks = _blocks(*paths)
    for before, after in pairwise(blocks):
        gap_s = after.start_sample / after.sample_rate_hz - before.end_sample / before.sample_rate_hz
        assert -1e-9 <= gap_s < 1 / after.sample_rate_hz
    firsts = [block for block in blocks if block.after_gap]
    assert [block.sample_rate_hz for block in firsts] == rates[1:]


def test_recordings_of_one_rate_follow_without_a_missing_sample(tmp_path: Path) -> None:
    """Regression: seconds times the rate, rounded up, skipped a sample; 1.1 s at 44.1 kHz is 48510.000000000007."""
    blocks = _blocks(*(_write(tmp_path / f"{index}.wav", 0.1, 44100) for index in range(30)))
    assert [block.start_sample for block in blocks[1:]] == [block.end_sample for block in blocks[:-1]]


def test_each_second_has_the_name_of_what_was_heard_up_to_it(tmp_path: Path) -> None:
    paths = [_write(tmp_path / "first.wav", 1.0), _write(tmp_path / "second.wav", 2.0)]
    simulation = FilePlayback(paths, channel=None, speed=FAST)
    assert simulation.name_at(0.0) == paths[0]
    assert len(list(simulation.blocks())) == 60
    assert [simulation.name_at(second) for second in (0.0, 0.5, 1.0, 1.05, 3.0, 99.0)] == paths[:1] * 3 + paths[1:] * 3


def test_what_was_heard_long_ago_is_forgotten_and_what_waits_is_not(tmp_path: Path) -> None:
    """Regression: a night of loops kept the name of every recording it had played."""
    paths = [_write(tmp_path / "a.wav", 0.5), _write(tmp_path / "b.wav", 0.5)]
    simulation = FilePlayback(paths, channel=None, speed=FAST, loops=True)
    for block in islice(_sound(simulation), 20 * 200):
        at_s = block.end_sample / 16000
        assert simulation.name_at(at_s) == paths[int(2 * at_s - 0.01) % 2]
        assert simulation.name_at(max(0.1, at_s - 20)) == paths[int(2 * max(0.1, at_s - 20) - 0.01) % 2]
    assert len(simulation._starts) < 2 * NAMED_S + 3


def test_it_loops_until_it_is_closed(tmp_path: Path) -> None:
    simulation = FilePlayback([_write(tmp_path / "one.wav", 0.1)], channel=None, speed=FAST, loops=True)
    heard = []
    for block in _sound(simulation):
        heard.append(block.start_sample)
        if len(heard) == 7:
            simulation.close()
    assert heard == [0, 800, 1600, 2400, 3200, 4000, 4800]


def test_a_loop_of_which_nothing_can_be_heard_ends(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    simulation = FilePlayback([str(tmp_path / "none.wav")], channel=None, speed=FAST, loops=True)
    assert list(simulation.blocks()) == []
    assert simulation.failures == 1
    assert "none.wav" in capsys.readouterr().err


def test_a_bad_recording_is_told_of_and_the_others_are_heard(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good = _write(tmp_path / "good.wav", 0.5)
    (tmp_path / "bad.wav").write_bytes(b"RIFF")
    cut = tmp_path / "cut.wav"
    cut.write_bytes((tmp_path / "good.wav").read_bytes()[: -4 * 4000])
    simulation = FilePlayback([good, str(tmp_path / "bad.wav"), str(cut), good], channel=None, speed=FAST)
    blocks = list(_sound(simulation))
    assert sum(len(block.samples) for block in blocks) == 8000 + 4000 + 8000
    assert simulation.failures == 2
    lines = capsys.readouterr().err.splitlines()
    assert [line.startswith("auricle: ") for line in lines] == [True, True]
    assert "bad.wav" in lines[0]
    assert "cut.wav" in lines[1]
    assert [block.start_sample for block in blocks if block.after_gap] == [8000, 12000]


def test_who_closes_it_hears_no_complaint_of_what_would_have_come(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Regression: on a stop, damage of the next recording was reported, and changed the exit code."""
    simulation = FilePlayback([_write(tmp_path / "a.wav", 1.0), str(tmp_path / "none.wav")], channel=None, speed=FAST)
    for _ in simulation.blocks():
        simulation.close()
    assert simulation.failures == 0
    assert capsys.readouterr().err == ""


def test_a_channel_is_chosen(tmp_path: Path) -> None:
    path = tmp_path / "two.wav"
    soundfile.write(path, np.tile([0.25, -0.5], (1600, 1)), 16000, subtype="FLOAT")
    (block, _) = _sound(FilePlayback([str(path)], channel=1, speed=FAST))
    assert set(block.samples) == {-0.5}


@pytest.mark.parametrize("speed", [1.0, 4.0])
def test_it_gives_nothing_out_before_its_time(tmp_path: Path, speed: float) -> None:
    paths = [_write(tmp_path / "a.wav", 0.2), _write(tmp_path / "b.wav", 0.2, 8000)]
    simulation, began_s = FilePlayback(paths, channel=None, speed=speed), time.monotonic()
    for block in _sound(simulation):
        assert time.monotonic() - began_s >= block.end_sample / block.sample_rate_hz / speed - 0.001
    assert time.monotonic() - began_s < 0.4 / speed + 10


def test_it_ends_soon_where_it_is_closed_while_it_waits(tmp_path: Path) -> None:
    simulation = FilePlayback([_write(tmp_path / "a.wav", 1.0)], channel=None, speed=1e-4)  # a block in 500 s
    waiting = threading.Thread(target=lambda: list(simulation.blocks()))
    waiting.start()
    simulation.close()
    simulation.close()
    waiting.join(10)
    assert not waiting.is_alive()
    assert repr(simulation) == "FilePlayback(1 recordings, 0.0001 x, 0.0 s so far)"


def test_one_recording_is_heard_like_its_replay(tmp_path: Path, tiny_bundle_path: Path) -> None:
    """Events are equal in every field but the event id, which begins with the stream id."""
    phase = 2 * np.pi * 1000 * np.arange(30 * 44100) / 44100
    loud = np.repeat([0, 1, 0, 1, 0], 6 * 44100)
    noise = np.random.default_rng(0).normal(0, 1e-3, len(phase))
    soundfile.write(tmp_path / "tones.wav", 0.3 * loud * np.sin(phase) + noise, 44100)
    path = str(tmp_path / "tones.wav")
    settings = replace(profile(), models=(ModelSettings("tiny-tone", bundle=str(tiny_bundle_path)),))
    with open_models(settings) as models, Recording(path) as recording:
        live = _heard(models.listener(settings, "live"), _blocks(path))
        again = _heard(models.listener(settings, "again"), list(recording.blocks()))
    assert [event.phase for event in live[0]] == ["begin", "end", "begin", "end"]
    assert [replace(event, event_id=event.event_id.replace("live", "again")) for event in live[0]] == again[0]
    assert live[1] == again[1]


def _heard(listener: Listener, blocks: list[AudioBlock]) -> tuple[list[Event], list[Fault]]:
    heard = [*(listener.push(block) for block in blocks), listener.finish("end_of_file")]
    return [event for each in heard for event in each.events], [fault for each in heard for fault in each.faults]


class _NoDescriptor:
    """This process can open no further file, as long as it is in the block."""

    def __enter__(self) -> Self:
        self._before = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (0, self._before[1]))
        return self

    def __exit__(self, *_error: object) -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, self._before)


def test_a_loop_that_cannot_open_its_file_has_no_audio_and_plays_on_once_it_can(tmp_path: Path) -> None:
    """Regression: with too many files open a loop came to its end, and with it the daemon."""
    path = _write(tmp_path / "a.wav", 0.2)
    playback = FilePlayback([path], channel=None, speed=20.0, loops=True)
    items = playback.blocks()
    first = list(islice(items, 4))
    with _NoDescriptor():
        absent = list(islice(items, 3))
    assert all(isinstance(item, NoAudio) for item in absent)
    (since_s,) = {item.since_s for item in absent if isinstance(item, NoAudio)}
    assert since_s == pytest.approx(0.2)
    ends_s = [item.at_s for item in absent if isinstance(item, NoAudio)]
    assert all(later - earlier >= 20 * RETRY_S - 1e-6 for earlier, later in pairwise([since_s, *ends_s]))
    assert "a.wav cannot be opened (Too many open files)" in absent[0].reason  # type: ignore[union-attr]
    again = next(items)
    assert isinstance(again, AudioBlock)
    assert again.after_gap
    assert again.start_sample / again.sample_rate_hz >= ends_s[-1]
    assert np.array_equal(again.samples, first[0].samples)  # type: ignore[union-attr]
    assert playback.failures == 0


def test_a_file_that_cannot_be_opened_is_waited_for_at_the_start_too_until_it_is_closed(tmp_path: Path) -> None:
    path = _write(tmp_path / "a.wav", 0.2)
    playback = FilePlayback([path], channel=None, speed=1.0)
    items = playback.blocks()
    with _NoDescriptor():
        assert isinstance(next(items), NoAudio)
        playback.close()
        assert list(items) == []
    assert playback.failures == 0


def test_a_loop_whose_file_is_gone_ends_as_before(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = _write(tmp_path / "a.wav", 0.2)
    playback = FilePlayback([path], channel=None, speed=FAST, loops=True)
    items = playback.blocks()
    assert len(list(islice(items, 4))) == 4
    (tmp_path / "a.wav").unlink()
    assert list(items) == []
    assert playback.failures == 1
    assert "does not exist" in capsys.readouterr().err
