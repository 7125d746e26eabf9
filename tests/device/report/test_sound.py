"""The sound that a page takes along."""

from __future__ import annotations

import io
import itertools

import hypothesis.strategies as st
import numpy as np
import numpy.typing as npt
import pytest
import soundfile
from hypothesis import given

from device.report.sound import WHOLE_UP_TO_S, listening_rate_hz, read_clips, stretches
from device.report.spans import Span


def _span(start_s: float, end_s: float) -> Span:
    return Span("s-m-cry-1", "m", "cry", start_s, end_s, start_s + 2.0, 0.9, "confirmed", "quiet")


class _Recording:
    """A sine of 440 Hz that notes what is read of it."""

    def __init__(self, rate_hz: int) -> None:
        self.rate_hz = rate_hz
        self.longest_read_s = 0.0

    def read(self, start_s: float, end_s: float) -> tuple[npt.NDArray[np.float32], int]:
        self.longest_read_s = max(self.longest_read_s, end_s - start_s)
        time_s = np.arange(round(start_s * self.rate_hz), round(end_s * self.rate_hz)) / self.rate_hz
        return (0.5 * np.sin(2 * np.pi * 440 * time_s)).astype(np.float32), self.rate_hz


def test_up_to_ten_minutes_are_kept_whole() -> None:
    assert stretches([], WHOLE_UP_TO_S) == ([(0.0, WHOLE_UP_TO_S)], 0)
    assert stretches([_span(5, 9)], 60.0) == ([(0.0, 60.0)], 0)


def test_nothing_heard_is_nothing_kept() -> None:
    assert stretches([], 0.0) == ([], 0)


def test_of_a_long_recording_ten_seconds_around_each_event_are_kept() -> None:
    assert stretches([_span(100, 106), _span(2000, 2004)], 3600.0) == ([(90.0, 116.0), (1990.0, 2014.0)], 0)


def test_events_near_each_other_and_near_the_edges_share_their_sound() -> None:
    assert stretches([_span(3, 6), _span(20, 25), _span(3595, 3600)], 3600.0) == ([(0.0, 35.0), (3585.0, 3600.0)], 0)


def test_of_a_long_event_the_beginning_is_kept() -> None:
    assert stretches([_span(100, 2000)], 3600.0) == ([(90.0, 150.0)], 0)


def test_what_finds_no_room_is_counted() -> None:
    spans = [_span(start_s, start_s + 10) for start_s in range(100, 36_000, 100)]
    kept, left_out = stretches(spans, 36_000.0)
    assert sum(end_s - start_s for start_s, end_s in kept) <= WHOLE_UP_TO_S
    assert len(kept) + left_out == len(spans)
    assert len(kept) == 20


@given(st.lists(st.tuples(st.floats(0, 3600), st.floats(0, 100)), max_size=50))
def test_stretches_never_overlap_nor_leave_the_recording(times: list[tuple[float, float]]) -> None:
    spans = sorted(
        (_span(start_s, min(3600, start_s + length_s)) for start_s, length_s in times), key=lambda s: s.start_s
    )
    kept, left_out = stretches(spans, 3600.0)
    assert all(0 <= start_s < end_s <= 3600 for start_s, end_s in kept)
    assert all(before[1] < after[0] for before, after in itertools.pairwise(kept))
    assert sum(end_s - start_s for start_s, end_s in kept) <= WHOLE_UP_TO_S
    covered = [span for span in spans if any(start_s <= span.start_s <= end_s for start_s, end_s in kept)]
    assert len(covered) >= len(spans) - left_out


@pytest.mark.parametrize("rate_hz", [4000, 8000, 16_000, 44_100, 96_000])
def test_a_clip_decodes_to_the_sound_it_was_made_of(rate_hz: int) -> None:
    recording = _Recording(rate_hz)
    (clip,) = read_clips([(12.5, 47.25)], recording.read)
    samples, decoded_hz = soundfile.read(io.BytesIO(clip.data))
    assert clip.mime == "audio/flac"
    assert decoded_hz == listening_rate_hz(rate_hz, 34.75)
    assert len(samples) / decoded_hz == pytest.approx(34.75, abs=0.001)
    expected, _ = _Recording(decoded_hz).read(12.5, 47.25)
    inner = slice(decoded_hz, -decoded_hz)
    assert np.abs(samples[inner] - expected[inner]).max() < 2e-3


def test_a_recording_is_read_in_small_pieces() -> None:
    recording = _Recording(8000)
    read_clips([(0.0, 95.0)], recording.read)
    assert recording.longest_read_s <= 10.0


def test_the_same_sound_gives_the_same_bytes() -> None:
    first, second = (read_clips([(0.0, 5.0)], _Recording(16_000).read)[0].data for _ in range(2))
    assert first == second


def test_full_scale_is_clipped_and_not_wrapped_around() -> None:
    (clip,) = read_clips([(0.0, 1.0)], lambda _start_s, _end_s: (np.full(8000, 1.5, np.float32), 8000))
    samples, _ = soundfile.read(io.BytesIO(clip.data))
    assert samples.min() > 0.99


def test_ten_minutes_fit_into_what_a_browser_takes() -> None:
    for rate_hz in (8000, 16_000, 44_100, 48_000, 192_000):
        worst_bytes = listening_rate_hz(rate_hz, WHOLE_UP_TO_S) * WHOLE_UP_TO_S * 2 * 4 / 3
        assert worst_bytes < 32e6
