"""Windows: laws for any block size, and the tail of a file."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from device.hearing.windows import Slices, WindowCursor

if TYPE_CHECKING:
    import numpy.typing as npt

    from device.messages import Window

WINDOW, HOP, GRID = 200, 50, 5


def _cursor(start_s: float = 0.0) -> WindowCursor:
    return WindowCursor(sample_rate_hz=100, window_samples=WINDOW, hop_samples=HOP, grid_samples=GRID, start_s=start_s)


def _ramp(samples: int) -> npt.NDArray[np.float32]:
    return np.arange(samples, dtype=np.float32)


def _windows(cuts: list[int], total: int, *, short_file: bool = True) -> list[Window]:
    """All windows of a ramp pushed in blocks that end at `cuts`."""
    cursor, signal = _cursor(), _ramp(total)
    ends = [0, *sorted(cut % (total + 1) for cut in cuts), total]
    found = [window for first, last in pairwise(ends) for window in cursor.push(signal[first:last])]
    return [*found, *cursor.finish(short_file=short_file)]


@settings(deadline=None)
@given(total=st.integers(0, 1500), cuts=st.lists(st.integers(0, 1500)))
def test_block_size_never_changes_the_windows(total: int, cuts: list[int]) -> None:
    whole, parts = _windows([], total), _windows(cuts, total)
    assert [(w.start_s, w.end_s, w.repeated) for w in whole] == [(w.start_s, w.end_s, w.repeated) for w in parts]
    for one, other in zip(whole, parts, strict=True):
        assert np.array_equal(one.samples, other.samples)


@settings(deadline=None)
@given(total=st.integers(WINDOW, 1500))
def test_every_sample_but_the_last_frame_hop_is_in_a_window(total: int) -> None:
    covered = np.zeros(total, bool)
    for window in _windows([], total):
        assert np.array_equal(window.samples, _ramp(total)[window.start_sample : window.start_sample + WINDOW])
        assert window.start_sample % GRID == 0
        covered[window.start_sample : window.start_sample + WINDOW] = True
    assert covered[: total - GRID + 1].all()


def test_one_sample_at_a_time_gives_the_same_windows() -> None:
    cursor = _cursor()
    found = [window for sample in _ramp(401) for window in cursor.push(np.array([sample]))]
    assert [window.start_sample for window in found] == [0, 50, 100, 150, 200]
    assert cursor.count == 5


def test_a_tail_shorter_than_a_hop_is_covered_by_one_window_on_the_frame_grid() -> None:
    starts = [window.start_sample for window in _windows([], 238)]
    assert starts == [0, 35]  # 38 are left over; 35 is the last multiple of the frame hop that fits


def test_a_tail_shorter_than_a_frame_hop_needs_no_window() -> None:
    assert [window.start_sample for window in _windows([], 204)] == [0]


def test_a_file_that_ends_on_the_hop_has_no_extra_window() -> None:
    assert [window.start_sample for window in _windows([], 300)] == [0, 50, 100]


def test_a_short_file_is_repeated_to_fill_one_window() -> None:
    (window,) = _windows([], 60)
    assert window.repeated
    assert np.array_equal(window.samples, np.concatenate([_ramp(60)] * 3 + [_ramp(20)]))
    assert (window.start_s, window.end_s) == (0.0, 0.6)


def test_a_fragment_shorter_than_a_window_gives_none() -> None:
    assert _windows([], 199, short_file=False) == []


def test_an_empty_file_gives_no_window() -> None:
    assert _windows([], 0) == []


def test_windows_of_a_later_segment_stand_at_their_time_in_the_stream() -> None:
    cursor = _cursor(start_s=12.5)
    first, second = cursor.push(_ramp(250))
    assert (first.start_s, first.end_s, first.start_sample) == (12.5, 14.5, 0)
    assert (second.start_s, second.end_s, second.start_sample) == (13.0, 15.0, 50)


def test_a_window_is_not_overwritten_by_what_comes_later() -> None:
    cursor = _cursor()
    (first,) = cursor.push(_ramp(200))
    list(cursor.push(-_ramp(5000)))
    assert np.array_equal(first.samples, _ramp(200))


@settings(deadline=None)
@given(size=st.integers(1, 40), blocks=st.lists(st.integers(0, 90)))
def test_slices_keep_every_sample_in_order_whatever_the_blocks(size: int, blocks: list[int]) -> None:
    slices, signal, at, found = Slices(size), _ramp(sum(blocks)), 0, []
    for block in blocks:
        found += list(slices.push(signal[at : at + block]))
        at += block
    assert all(len(piece) == size for piece in found)
    rest = slices.finish()
    assert len(rest) < size
    assert np.array_equal(np.concatenate([*found, rest]), signal)
    assert len(slices.finish()) == 0


# --- a hop that changes

steps = st.lists(
    st.one_of(st.integers(0, 700), st.sampled_from([5, 25, 50, 75, 100, 150, 200]).map(lambda hop: -hop)), max_size=40
)  # samples that are pushed, or, negative, a hop


@settings(deadline=None)
@given(steps=steps)
def test_whatever_the_hops_every_window_is_true_whole_on_the_grid_and_later_than_the_one_before(
    steps: list[int],
) -> None:
    cursor, at, hop, changed_at, started = _cursor(), 0, HOP, 0, -1
    widest = HOP  # hop since the last window
    for step in [*steps, 0]:
        if step < 0:
            hop, changed_at, widest = -step, at, max(widest, -step)
            cursor.change_hop(hop)
            continue
        for window in cursor.push(_ramp(at + step)[at:]):
            assert np.array_equal(window.samples, np.arange(window.start_sample, window.start_sample + WINDOW))
            assert window.start_sample % GRID == 0
            assert window.start_sample > started
            assert window.start_sample + WINDOW <= at + step
            started, widest = window.start_sample, hop
        at += step
        bound = min(widest, max(hop, changed_at - started - WINDOW + hop))
        assert at < (started + WINDOW + bound if started >= 0 else WINDOW)  # none is held back
    for window in cursor.finish(short_file=False):
        assert np.array_equal(window.samples, np.arange(window.start_sample, window.start_sample + WINDOW))
        assert window.start_sample % GRID == 0
        assert window.start_sample > started
        assert at - window.start_sample - WINDOW < GRID
        started = window.start_sample
    assert at < WINDOW or at - started - WINDOW < GRID


def test_a_wider_hop_counts_from_the_last_window() -> None:
    cursor = _cursor()
    starts = [window.start_sample for window in cursor.push(_ramp(310))]
    cursor.change_hop(150)
    starts += [window.start_sample for window in cursor.push(_ramp(810)[310:])]
    assert starts == [0, 50, 100, 250, 400, 550]


def test_a_narrower_hop_cuts_nothing_belatedly_and_stays_in_step() -> None:
    cursor = _cursor()
    cursor.change_hop(200)
    starts = [window.start_sample for window in cursor.push(_ramp(330))]  # the next one would begin at 200
    cursor.change_hop(50)
    starts += [window.start_sample for window in cursor.push(_ramp(450)[330:])]
    assert starts == [0, 150, 200, 250]  # 50 and 100 were whole already


def test_a_narrower_hop_never_puts_the_next_window_off() -> None:
    """From a hop of 200 to 150 when 190 samples had passed, the next window was once expected at 300."""
    cursor = _cursor()
    cursor.change_hop(200)
    starts = [window.start_sample for window in cursor.push(_ramp(390))]
    cursor.change_hop(150)
    starts += [window.start_sample for window in cursor.push(_ramp(700)[390:])]
    assert starts == [0, 200, 350, 500]


def test_a_hop_that_is_said_again_changes_no_window() -> None:
    cursor, signal = _cursor(), _ramp(1000)
    found = []
    for first in range(0, 1000, 7):
        cursor.change_hop(HOP)
        found += [window.start_sample for window in cursor.push(signal[first : first + 7])]
    assert found == list(range(0, 801, 50))


def test_the_tail_right_after_a_change_of_hop_is_covered() -> None:
    for hop in (5, 50, 200):
        cursor = _cursor()
        list(cursor.push(_ramp(238)))
        cursor.change_hop(hop)
        assert [window.start_sample for window in cursor.finish(short_file=True)] == [35]
