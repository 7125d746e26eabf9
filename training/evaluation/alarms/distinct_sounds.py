"""How much of scenes is distinct sound, and how many distinct sounds raised their false alarms.

Scenes are longer than what they are made of, so clips come again. One clip that is mistaken each time it comes is one
mistake, and a second time through the same clips tells nothing new about a rate.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from training.evaluation.alarms.timelines import ScoredTimeline, Timeline

_STEP_S = 0.1


def distinct_hours(timelines: Iterable[Timeline]) -> float:
    """Hours in which something sounds that has not sounded before, or nothing that was recorded.

    A moment counts unless each recording that sounds in it has been played before.

    Args:
        timelines: in the order in which they are heard.
    """
    known: set[str] = set()
    steps = 0
    for one in timelines:
        count = round(one.recording.duration_s / _STEP_S)
        is_new, is_known = np.zeros((2, count), np.bool_)
        for sound in one.sounds:
            held = is_known if sound.file in known else is_new
            held[round(sound.start_s / _STEP_S) : round(sound.end_s / _STEP_S)] = True
            known.add(sound.file)
        steps += int((is_new | ~is_known).sum())
    return steps * _STEP_S / 3600


def distinct_mistakes(scored: Iterable[ScoredTimeline]) -> int:
    """False alarms, less those over a sound that had raised one before."""
    mistaken: set[str] = set()
    mistakes = 0
    for sounds in (sounds for one in scored for sounds in one.false_over):
        files = {sound.file for sound in sounds}
        mistakes += not files & mistaken
        mistaken |= files
    return mistakes


def mistaken_sounds(scored: Sequence[ScoredTimeline]) -> str:
    """The sounds over which false alarms were raised, most alarms first: of those that met, what began last."""
    counted = Counter(sounds[0].file for one in scored for sounds in one.false_over if sounds)
    return ", ".join(f"{file} ({count})" for file, count in counted.most_common())
