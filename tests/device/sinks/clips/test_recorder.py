"""A clip holds the right sound to the sample, and memory is bounded."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.messages import AudioBlock, Event
from device.sinks.clips.recorder import LONGEST_S, Clip, ClipAlarm, PreRoll, Recorder
from tests.device.sinks.clips.numbered_stream import RATE_HZ, UTC_S, blocks, event_at, level, stream, with_events


def _recorded(pushes: list[AudioBlock | Event], before_s: float = 2.0, after_s: float = 3.0) -> list[Clip]:
    clips: list[Clip] = []
    recorder = Recorder(before_s, after_s, clips.append)
    for item in pushes:
        if isinstance(item, AudioBlock):
            recorder.push(item)
        else:
            recorder.keep(ClipAlarm(item, UTC_S + item.decided_s))
    recorder.finish()
    return clips


@given(st.integers(20, 900), st.floats(0.0, 10.0), st.floats(0.0, 5.0), st.floats(0.1, 5.0))
def test_a_clip_is_the_sound_around_the_alarm_to_the_sample(
    size: int, decided_s: float, before_s: float, after_s: float
) -> None:
    items = with_events(blocks(0, 16 * RATE_HZ, size), event_at(decided_s))
    (clip,) = _recorded(items, before_s, after_s)
    begin = max(0, round((decided_s - before_s) * RATE_HZ))
    end = round((decided_s + after_s) * RATE_HZ)
    assert clip.samples.tolist() == [level(sample) for sample in range(begin, end)]
    assert clip.start_s == begin / RATE_HZ
    assert clip.utc_s == pytest.approx(UTC_S + clip.start_s, abs=1e-6)
    assert clip.missing == ()


@given(st.floats(0.0, 6.0), st.integers(20, 400))
def test_memory_is_bounded_by_the_pre_roll(keep_s: float, size: int) -> None:
    roll = PreRoll(keep_s)
    for block in blocks(0, 8 * RATE_HZ, size):
        roll.push(block)
        assert roll.end == block.end_sample
        assert min(block.end_sample, keep_s * RATE_HZ) <= roll.end - roll.start <= keep_s * RATE_HZ + size


def test_what_is_kept_is_a_copy_that_holds_no_larger_array() -> None:
    roll = PreRoll(1.0)
    whole = stream(0, 100_000)
    roll.push(AudioBlock(whole[:50], RATE_HZ, 0))
    (piece,) = roll._pieces
    assert piece.samples.base is None
    assert piece.samples.nbytes == 100


def test_sound_beyond_full_scale_is_clipped_and_never_wraps() -> None:
    roll = PreRoll(1.0)
    roll.push(AudioBlock(np.array([1.0, -1.0, 0.99999, 1.5, -1.5], np.float32), RATE_HZ, 0))
    (piece,) = roll.since(0)
    assert piece.samples.tolist() == [32767, -32768, 32767, 32767, -32768]


def test_a_clip_that_the_stream_cuts_off_is_what_there_was() -> None:
    (clip,) = _recorded(with_events(blocks(0, 6000), event_at(5.5)))
    assert clip.samples.tolist() == [level(sample) for sample in range(3500, 6000)]


def test_missing_sound_is_silence_of_its_length_and_said() -> None:
    with_gaps = itertools.chain(blocks(0, 4000), blocks(4500, 5200), blocks(5300, 9000))
    (clip,) = _recorded(with_events(with_gaps, event_at(5.0)))
    assert clip.missing == ((1.0, 1.5), (2.2, 2.3))
    expected = [
        level(sample) if not (4000 <= sample < 4500 or 5200 <= sample < 5300) else 0 for sample in range(3000, 8000)
    ]
    assert clip.samples.tolist() == expected


def test_a_gap_longer_than_the_post_roll_ends_the_clip_where_the_sound_ended() -> None:
    (clip,) = _recorded(with_events(itertools.chain(blocks(0, 5500), blocks(3_600_000, 3_601_000)), event_at(5.0)))
    assert clip.samples.tolist() == [level(sample) for sample in range(3000, 5500)]


@pytest.mark.parametrize("then", [AudioBlock(stream(0, 50), RATE_HZ, 0), AudioBlock(stream(0, 50), 16000, 1_000_000)])
def test_another_stream_or_rate_ends_what_is_kept_and_is_not_mixed_with_it(then: AudioBlock) -> None:
    items = [
        *with_events(blocks(0, 6000), event_at(5.5)),
        then,
        event_at(then.end_sample / then.sample_rate_hz, number=1),
    ]
    first, second = _recorded(items)
    assert first.samples.tolist() == [level(sample) for sample in range(3500, 6000)]
    assert second.sample_rate_hz == then.sample_rate_hz
    assert len(second.samples) == 50


def test_alarms_that_overlap_share_a_clip_which_lasts_to_the_last_post_roll() -> None:
    events = [event_at(5.0), event_at(6.5, number=1, label="scream"), event_at(8.0, number=2)]
    (clip,) = _recorded(with_events(blocks(0, 20_000), *events))
    assert clip.samples.tolist() == [level(sample) for sample in range(3000, 11_000)]
    assert [raised.event for raised in clip.alarms] == events
    assert clip.stem == "cry_0.97_20250228T164626Z"


def test_alarms_apart_have_clips_of_their_own() -> None:
    first, second = _recorded(with_events(blocks(0, 30_000), event_at(5.0), event_at(15.0, number=1)))
    assert (first.start_s, second.start_s) == (3.0, 13.0)
    assert len(first.alarms) == len(second.alarms) == 1


def test_alarms_without_end_fill_clip_after_clip_and_lose_no_sample() -> None:
    events = [event_at(5.0 + 2 * number, number=number) for number in range(130)]
    clips = _recorded(with_events(blocks(0, 280_000), *events))
    assert len(clips) == 3
    assert max(len(clip.samples) for clip in clips) == round(LONGEST_S * RATE_HZ)
    assert [clip.is_continuation for clip in clips] == [False, True, True]
    end = round((events[-1].decided_s + 3.0) * RATE_HZ)
    assert np.concatenate([clip.samples for clip in clips]).tolist() == [level(at) for at in range(3000, end)]
    assert len({clip.stem for clip in clips}) == 3


def test_before_any_sound_there_is_nothing_to_keep() -> None:
    assert _recorded([event_at(1.0)]) == []
