"""More windows of a part that has few examples: to calibrate by, and to compare a converted network with.

The device slides its window through the sound; an example is one place of it. A collection of one's own may have
forty examples where the converter wants hundreds of windows.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from training.data.examples import Example


def dense_windows(examples: Sequence[Example], window_s: float, count: int) -> tuple[Example, ...]:
    """At least `count` windows, equally many of each example, that have its target.

    The middle of each window lies in the example, at equal distances, as far as the recording's ends allow.

    Args:
        examples: one or more.
        window_s: length of the windows; a shorter recording is one window as it is.
        count: how many are wanted.
    """
    each = -(-count // len(examples))
    return tuple(_window(one, (place + 0.5) / each, window_s) for one in examples for place in range(each))


def _window(example: Example, at: float, window_s: float) -> Example:
    middle_s = example.start_s + at * (example.end_s - example.start_s)
    latest_s = max(0.0, example.recording.duration_s - window_s)
    start_s = min(max(0.0, middle_s - window_s / 2), latest_s)
    return replace(example, start_s=start_s, end_s=min(start_s + window_s, example.recording.duration_s))
