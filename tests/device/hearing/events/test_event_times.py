"""Events say when a sound was, not the edges of windows; the estimate depends on no block size, and keeps little."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from device.config.loading import profile
from device.demo.scene import SEED, bedside
from device.hearing.decision import OperatingPoint
from device.hearing.events.event_times import FRAME_S, MAX_SPAN_S, EventTimes, LevelTrack
from device.messages import AudioBlock, Event, Window
from device.runtime.model_loader import open_models
from device.synthesis.infant import cry

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

    from device.messages import Phase

_HZ, _WINDOW_S, _HOP_S = 16_000, 2.0, 0.5


def _signal(seconds: float, on: tuple[float, float], *, loud: float = 0.2) -> npt.NDArray[np.float32]:
    """Noise at -60 dBFS, and a tone of 1 kHz in it."""
    time_s = np.arange(round(seconds * _HZ)) / _HZ
    noise = 0.001 * np.random.default_rng(5).standard_normal(len(time_s))
    tone = loud * np.sin(2 * np.pi * 1000 * time_s) * ((time_s >= on[0]) & (time_s < on[1]))
    return (noise + tone).astype(np.float32)


def _windows(samples: npt.NDArray[np.float32], hop_s: float = _HOP_S, *, first_s: float = 0.0) -> Iterator[Window]:
    size, hop = round(_WINDOW_S * _HZ), round(hop_s * _HZ)
    for start in range(round(first_s * _HZ), len(samples) - size + 1, hop):
        yield Window(samples[start : start + size], start, start / _HZ, (start + size) / _HZ)


def _track(samples: npt.NDArray[np.float32], hop_s: float = _HOP_S, *, span_s: float = 60.0) -> LevelTrack:
    track = LevelTrack(_HZ, window_s=_WINDOW_S, span_s=span_s)
    for window in _windows(samples, hop_s):
        track.push(window)
    return track


@pytest.mark.parametrize("hop_s", [0.1, 0.5, 0.52, 2.0])
@pytest.mark.parametrize("onset_s", [5.0, 5.23, 5.77, 6.4])
def test_a_beginning_and_an_end_are_found_within_two_frames(hop_s: float, onset_s: float) -> None:
    track = _track(_signal(20.0, (onset_s, onset_s + 4.0)), hop_s)
    first_start_s = onset_s - 1.3
    assert track.onset_s(first_start_s, first_start_s + 3.5) == pytest.approx(onset_s, abs=2 * FRAME_S)
    assert track.offset_s(onset_s, onset_s + 5.4, onset_s + 10.0) == pytest.approx(onset_s + 4.0, abs=2 * FRAME_S)


def test_a_click_before_the_sound_is_no_beginning() -> None:
    samples = _signal(20.0, (6.0, 10.0))
    samples[round(5.1 * _HZ) : round(5.1 * _HZ) + 160] = 0.5
    assert _track(samples).onset_s(4.7, 8.2) == pytest.approx(6.0, abs=2 * FRAME_S)


def test_a_sound_that_changes_no_level_lies_where_sounds_usually_lie() -> None:
    track = _track(_signal(20.0, (6.0, 10.0), loud=0.0))
    assert 5.0 < track.onset_s(5.0, 8.5) < 7.0
    assert 9.0 < track.offset_s(6.0, 11.0, 15.0) < 11.0


@pytest.mark.parametrize("sound_s", [0.9, 1.2])
@pytest.mark.parametrize(("first_start_s", "last_end_s"), [(6.5, 9.5), (7.0, 9.5), (7.0, 10.0)])
def test_a_short_sound_that_few_windows_count_lasts_as_long_as_its_level(
    sound_s: float, first_start_s: float, last_end_s: float
) -> None:
    """An estimate that expects a sound to fill the windows put its end before its beginning, and so it lasted 0 s."""
    track = _track(_signal(20.0, (8.13, 8.13 + sound_s)))
    onset_s = track.onset_s(first_start_s, first_start_s + _WINDOW_S + _HOP_S)
    assert onset_s == pytest.approx(8.13, abs=2 * FRAME_S)
    offset_s = track.offset_s(onset_s, last_end_s, last_end_s + 5.0)
    assert offset_s == pytest.approx(8.13 + sound_s, abs=2 * FRAME_S)


@pytest.mark.parametrize("counted", [1, 2, 3, 4, 9])
def test_a_short_sound_that_changes_no_level_lasts_as_long_as_one_must_to_count(counted: int) -> None:
    track = _track(_signal(20.0, (8.0, 9.0), loud=0.0))
    last_end_s = 9.0 + 0.5 * (counted - 1)
    onset_s = track.onset_s(7.0, 10.0)
    offset_s = track.offset_s(onset_s, last_end_s, last_end_s + 5.0)
    assert onset_s + 0.5 < offset_s <= last_end_s


def test_a_sound_that_lasts_as_long_as_there_is_any_ends_with_it() -> None:
    track = _track(_signal(12.0, (6.0, 12.0)))
    assert track.offset_s(6.0, 12.0, 12.0) == 12.0
    assert track.offset_s(6.0, 12.0, 15.0) == 12.0, "the microphone was lost then, and 3 s later that was decided"


def test_no_level_from_before_a_gap_counts() -> None:
    track = LevelTrack(_HZ, window_s=_WINDOW_S, span_s=60.0)
    loud, quiet = _signal(6.0, (0.0, 6.0)), _signal(30.0, (22.0, 26.0))
    for window in (*_windows(loud), *_windows(quiet, first_s=20.0)):
        track.push(window)
    assert track.onset_s(20.7, 24.2) == pytest.approx(22.0, abs=2 * FRAME_S)


def test_little_is_kept_however_long_it_listens_and_whatever_is_configured() -> None:
    track = _track(_signal(40.0, (6.0, 10.0)), span_s=10.0)
    assert len(track._levels) <= round(10.0 / FRAME_S)
    point = OperatingPoint(0.5, 0.5, 2.0, 2.0, 3600.0, 3600.0, 3600.0)
    assert EventTimes(_HZ, window_s=_WINDOW_S, points=[point])._track._most == round(MAX_SPAN_S / FRAME_S)


def test_an_end_has_the_onset_of_its_own_beginning_and_never_lies_before_it() -> None:
    point = OperatingPoint(0.5, 0.5, 2.0, 2.0, 0.0, 1.0, 1.0)
    times = EventTimes(_HZ, window_s=_WINDOW_S, points=[point])
    for window in _windows(_signal(20.0, (6.0, 10.0))):
        times.push(window)

    def event(phase: Phase, number: int, start_s: float, end_s: float | None, decided_s: float) -> Event:
        return Event(f"s-cry-cry-{number}", 0, "cry", "cry", phase, 0.9, start_s, end_s, decided_s, "quiet")

    begun = times.timed(event("begin", 1, 4.7, None, 8.2))
    ended = times.timed(event("end", 1, 4.7, 11.4, 15.0))
    assert (begun.offset_s, ended.onset_s) == (None, begun.onset_s)
    assert ended.offset_s is not None
    assert ended.offset_s > 9.5
    unknown = times.timed(event("end", 7, 4.7, 11.4, 15.0))
    assert (unknown.onset_s, unknown.offset_s) == (None, None)
    assert (unknown.began_s, unknown.ended_s) == (4.7, 11.4)


def _heard(samples: npt.NDArray[np.float32], block: int) -> list[Event]:
    settings, events = profile("nursery"), []
    with open_models(settings) as models:
        listener = models.listener(settings, "s")
        for start in range(0, len(samples), block):
            events += listener.push(AudioBlock(samples[start : start + block], _HZ, start)).events
        return [*events, *listener.finish().events]


def test_the_demos_cry_reads_within_half_a_second_and_the_same_whatever_the_block_size() -> None:
    scene = bedside(np.random.default_rng(SEED))
    (cry,) = [item for item in scene.items if item.label == "cry"]
    events = _heard(scene.samples.astype(np.float32), 800)
    begin, end = events
    assert begin.onset_s == pytest.approx(cry.start_s, abs=0.5)
    assert end.onset_s == begin.onset_s
    assert end.offset_s == pytest.approx(cry.end_s, abs=0.5)
    assert abs(begin.start_s - cry.start_s) > 0.5, "the edge of a window says less"
    assert _heard(scene.samples.astype(np.float32), 7777) == events


def test_single_sobs_of_a_second_last_about_as_long_as_they_did() -> None:
    """Ten times, twice and 0.7 times the level of the room, in whose noise they come; two or three windows count."""
    samples = 0.003 * np.random.default_rng(5).standard_normal(70 * _HZ)
    sob = cry(1.0, np.random.default_rng(1))
    starts_s = (10.0, 30.13, 50.26)
    for start_s, loud in zip(starts_s, (10.0, 2.0, 0.7), strict=True):
        at = round(start_s * _HZ)
        samples[at : at + len(sob)] += 0.003 * loud * sob / np.sqrt(np.mean(sob**2))
    ends = [event for event in _heard(samples.astype(np.float32), 800) if event.phase == "end"]
    assert [event.began_s for event in ends] == pytest.approx(starts_s, abs=0.5)
    for event in ends:
        assert event.ended_s is not None
        assert 0.3 < event.ended_s - event.began_s < len(sob) / _HZ + 0.5
