"""The loudness alarm: laws of levels, of half seconds, of gaps, and of a microphone that may be deaf."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device.config.alerting.loudness_settings import HIGHEST_DBFS, LOWEST_DBFS, MOST_HYSTERESIS_DB, LoudnessSettings
from device.config.settings import FilterSettings
from device.hearing.decision import OperatingPoint
from device.hearing.listener import Listener
from device.hearing.listening_model import ListeningLabel, ListeningModel
from device.hearing.loudness_detector import level_dbfs, level_score, level_words, operating_point
from device.hearing.spec import FeatureSpec
from device.messages import AudioBlock, Heard, NoAudio

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    Float32 = npt.NDArray[np.float32]

RATE_HZ = 16000
SPEC = FeatureSpec(RATE_HZ, 32000, 1024, 1024, 500, n_mels=16)
POINT = OperatingPoint(on=0.5, off=0.5, confirm_s=1.0, confirm_of_s=1.0, min_length_s=0.0, hold_s=1.0, cooldown_s=3.0)
LOUDNESS = LoudnessSettings(level_dbfs=-20.0, for_s=1.0, pauses_s=0.0, hold_s=1.0, cooldown_s=3.0)


class Answered:
    probabilities = np.zeros(1, np.float32)


class Deaf:
    """A network that hears nothing, so that only the loudness alarm has events."""

    def classify(self, _features: Sequence[Float32]) -> Answered:
        return Answered()


def _listener(loudness: LoudnessSettings = LOUDNESS, filters: FilterSettings | None = None, **other: bool) -> Listener:
    model = ListeningModel("cry", (ListeningLabel("cry", "alarm", POINT),), (SPEC,), Deaf())
    return Listener([model], stream_id="s", loudness=loudness, filters=filters or FilterSettings(), **other)


def _noise(seconds: float, dbfs: float, rate_hz: int = RATE_HZ, seed: int = 0) -> Float32:
    """Noise whose every half second has this level."""
    noise = np.random.default_rng(seed).standard_normal(round(seconds * rate_hz))
    hop = round(rate_hz / 2)
    for start in range(0, len(noise), hop):
        part = noise[start : start + hop]
        part *= 10 ** (dbfs / 20) / np.std(part)
    return noise.astype(np.float32)


def _push(
    listener: Listener, signal: Float32, cuts: Sequence[int] = (), rate_hz: int = RATE_HZ, start: int = 0
) -> Heard:
    heard = Heard()
    for first, last in pairwise([0, *sorted(cut % (len(signal) + 1) for cut in cuts), len(signal)]):
        _add(heard, listener.push(AudioBlock(signal[first:last], rate_hz, start + first)))
    return heard


def _add(heard: Heard, more: Heard) -> Heard:
    heard.scores.extend(each for each in more.scores if each.model == "loudness")
    heard.decisions.extend(each for each in more.decisions if each.model == "loudness")
    heard.events.extend(more.events)
    heard.faults.extend(more.faults)
    return heard


def _phases(heard: Heard) -> list[tuple[str, float, str]]:
    return [(event.phase, event.decided_s, event.reason) for event in heard.events]


def test_a_loud_sound_is_told_after_its_time_and_ends_after_the_hold() -> None:
    heard = _push(_listener(), np.concatenate([_noise(3, -50), _noise(2, -10), _noise(3, -50)]))
    begin, end = heard.events
    assert (begin.event_id, begin.model, begin.label) == ("s-loudness-loud-0", "loudness", "loud")
    assert (begin.start_s, begin.decided_s, begin.reason) == (3.0, 4.0, "2 of 2 windows at or above -20.0 dBFS")
    assert (end.reason, end.end_s, end.decided_s) == ("quiet", 5.0, 6.0)
    assert end.score == pytest.approx(0.90, abs=0.01)


def test_rules_and_scores_say_the_level() -> None:
    heard = _push(_listener(), np.concatenate([_noise(0.5, -50), _noise(1.5, -10), _noise(1, -50)]))
    assert [decision.rule for decision in heard.decisions] == [
        "off: -50.0 dBFS is below on -20.0 dBFS",
        "confirming: -10.0 dBFS is at or above on -20.0 dBFS; 1 of the last 2 windows count, 2 must",
        "begin: 2 of 2 windows at or above -20.0 dBFS",
        "on: -10.0 dBFS is at or above off -26.0 dBFS",
        "held: below off -26.0 dBFS for 1 of 2 windows",
        "ended: below off -26.0 dBFS for 2 of 2 windows",
    ]
    assert [round(scores.probabilities["loud"], 2) for scores in heard.scores] == [0.5, 0.9, 0.9, 0.9, 0.5, 0.5]


def test_without_a_level_there_is_none_of_it() -> None:
    listener = _listener(LoudnessSettings())
    heard = _push(listener, _noise(5, -3))
    assert not heard.events
    assert not heard.scores
    assert list(listener.is_on) == [("cry", "cry")]
    assert operating_point(LoudnessSettings()) is None


def test_the_state_lists_it_beside_the_models() -> None:
    listener = _listener()
    assert listener.is_on == {("cry", "cry"): False, ("loudness", "loud"): False}
    _push(listener, _noise(2, -10))
    assert listener.is_on == {("cry", "cry"): False, ("loudness", "loud"): True}


@settings(max_examples=20, deadline=None)
@given(cuts=st.lists(st.integers(0, 250_000), max_size=25), rate_hz=st.sampled_from([16000, 44100, 11025]))
def test_block_size_never_changes_it_and_neither_do_the_models_slices(cuts: list[int], rate_hz: int) -> None:
    parts = [_noise(1.3, -50, rate_hz), _noise(2.2, -10, rate_hz), np.zeros(2 * rate_hz, np.float32)]
    signal = np.concatenate(parts)
    whole, by_cuts = _listener(), _listener()
    one = _add(_push(whole, signal, rate_hz=rate_hz), whole.finish())
    other = _add(_push(by_cuts, signal, cuts, rate_hz), by_cuts.finish())
    assert one == other
    assert one.events


def test_one_sample_at_a_time_is_measured_like_all_at_once() -> None:
    signal = np.concatenate([_noise(0.6, -50), _noise(1.4, -10)])
    assert _push(_listener(), signal, range(len(signal))) == _push(_listener(), signal)


def test_half_seconds_begin_with_the_segment_whatever_the_rate() -> None:
    for rate_hz in (8000, 11025, 44100, 48000):
        heard = _push(_listener(), _noise(1.6, -50, rate_hz), rate_hz=rate_hz, start=7 * rate_hz)
        edges = [(scores.start_s, scores.end_s) for scores in heard.scores]
        assert [start_s for start_s, _ in edges] == pytest.approx([7.0, 7.5, 8.0], abs=2e-4)
        assert all(first[1] == second[0] for first, second in pairwise(edges))


def test_a_fragment_shorter_than_half_a_second_is_not_judged() -> None:
    listener = _listener()
    heard = _add(_push(listener, _noise(1.49, -10)), listener.finish())
    assert len(heard.scores) == 2
    short = _listener(replace(LOUDNESS, for_s=0.5))
    assert not _add(_push(short, _noise(0.49, -3)), short.finish()).events


def test_a_file_shorter_than_the_time_is_never_loud_for_that_time() -> None:
    listener = _listener()
    heard = _add(_push(listener, _noise(0.9, -3)), listener.finish("end_of_file"))
    assert len(heard.scores) == 1
    assert not heard.events


def test_an_open_event_ends_with_the_stream() -> None:
    listener = _listener()
    heard = _add(_push(listener, _noise(2, -10)), listener.finish("stopped"))
    assert [event.reason for event in heard.events] == ["2 of 2 windows at or above -20.0 dBFS", "stopped"]


def test_exactly_at_the_level_counts_and_a_step_below_does_not() -> None:
    square = np.tile(np.array([0.5, -0.5], np.float32), 2 * RATE_HZ)
    level = 10 * math.log10(0.25)
    assert level_dbfs(square) == level
    at, above = replace(LOUDNESS, level_dbfs=level), replace(LOUDNESS, level_dbfs=level + 0.001)
    assert len(_push(_listener(at), square).events) == 1
    assert not _push(_listener(above), square).events


def test_exactly_at_the_lower_level_is_not_quiet() -> None:
    square = np.tile(np.array([0.5, -0.5], np.float32), RATE_HZ)
    lower = replace(LOUDNESS, level_dbfs=10 * math.log10(0.25), hysteresis_db=0.0)
    heard = _push(_listener(lower), np.concatenate([square, square, square]))
    assert [event.phase for event in heard.events] == ["begin"]


@given(offset=st.floats(-0.9, 0.9), dbfs=st.floats(-60, -25))
@settings(max_examples=30, deadline=None)
def test_a_constant_offset_changes_no_level(offset: float, dbfs: float) -> None:
    noise = _noise(0.5, dbfs)
    assert level_dbfs(noise + np.float32(offset)) == pytest.approx(level_dbfs(noise), abs=0.01)


def test_an_offset_alone_is_silence() -> None:
    for value in (0.0, 0.3, -1.0, 1.0):
        assert level_dbfs(np.full(8000, value, np.float32)) == -100.0


def test_full_scale_is_0_dbfs_and_clipped_sound_is_told_as_loud() -> None:
    square = np.tile(np.repeat(np.array([1, -1], np.float32), 20), 2 * RATE_HZ // 20)
    assert level_dbfs(square) == 0.0
    assert level_dbfs(np.sin(2 * np.pi * np.arange(8000) / 80).astype(np.float32)) == pytest.approx(-3.01, abs=0.01)
    clipped = np.clip(_noise(11, 10), -1, 1)
    heard = _push(_listener(replace(LOUDNESS, level_dbfs=HIGHEST_DBFS)), clipped)
    assert [event.phase for event in heard.events] == ["begin"]
    assert [fault.kind for fault in heard.faults] == ["clipping"]
    assert 0 < heard.events[0].score <= 1


def test_scores_stay_in_0_to_1_and_rise_with_the_level() -> None:
    levels = [-200.0, *np.linspace(LOWEST_DBFS - MOST_HYSTERESIS_DB, 3.0, 500)]
    scores = [level_score(level) for level in levels]
    assert scores == sorted(scores)
    assert (scores[0], scores[-1]) == (0.0, 1.0)
    assert [level_words(level_score(level)) for level in (-98.0, -30.0, 0.0)] == [
        "-98.0 dBFS",
        "-30.0 dBFS",
        "0.0 dBFS",
    ]


def test_both_thresholds_lie_between_0_and_1_whatever_is_configured() -> None:
    for level in (LOWEST_DBFS, HIGHEST_DBFS):
        point = operating_point(LoudnessSettings(level_dbfs=level, hysteresis_db=MOST_HYSTERESIS_DB))
        assert point is not None
        assert 0 < point.off <= point.on < 1


def test_a_sound_with_pauses_counts_within_the_longer_time() -> None:
    bursts = np.concatenate([_noise(0.5, -10 if number % 2 else -50, seed=number) for number in range(9)])
    assert not _push(_listener(replace(LOUDNESS, for_s=2.0)), bursts).events
    assert _phases(_push(_listener(replace(LOUDNESS, for_s=2.0, pauses_s=2.0)), bursts)) == [
        ("begin", 4.0, "4 of 8 windows at or above -20.0 dBFS")
    ]


def test_between_both_levels_a_loud_sound_goes_on_and_none_begins() -> None:
    between = _noise(3, -23)
    assert not _push(_listener(), between).events
    heard = _push(_listener(), np.concatenate([_noise(1, -10), between]))
    assert [event.phase for event in heard.events] == ["begin"]


def test_loud_again_within_the_cooldown_is_the_same_event() -> None:
    heard = _push(_listener(), np.concatenate([_noise(1, -10), _noise(1.5, -50), _noise(1, -10)]))
    assert [(event.event_id, event.phase) for event in heard.events] == [
        ("s-loudness-loud-0", "begin"),
        ("s-loudness-loud-0", "end"),
        ("s-loudness-loud-0", "reopen"),
    ]


# --- gaps and deafness


def test_confirmation_begins_afresh_after_a_gap_and_half_seconds_too() -> None:
    listener = _listener()
    first = _push(listener, _noise(0.7, -10))
    second = _push(listener, _noise(0.9, -10), start=round(0.8 * RATE_HZ))
    assert not [*first.events, *second.events]
    assert [(scores.start_s, scores.end_s) for scores in second.scores] == [(0.8, 1.3)]
    assert _push(listener, _noise(0.3, -10), start=round(1.7 * RATE_HZ)).events


def test_a_short_gap_keeps_an_open_event_and_a_longer_one_ends_it() -> None:
    listener = _listener()
    _push(listener, _noise(2, -10))
    assert not _push(listener, _noise(1, -10), start=round(2.3 * RATE_HZ)).events
    heard = _push(listener, _noise(2, -10), start=5 * RATE_HZ)
    ended, begun = heard.events
    assert (ended.phase, ended.reason, begun.event_id) == ("end", "gap", "s-loudness-loud-1")


def test_another_rate_begins_anew() -> None:
    listener = _listener()
    _push(listener, _noise(2, -10))
    heard = _push(listener, _noise(1.5, -10, 48000), rate_hz=48000, start=2 * 48000)
    assert [(event.phase, event.decided_s) for event in heard.events] == [("end", 2.0), ("begin", 3.0)]
    assert heard.events[0].reason == "rate"


def test_no_sound_ends_it_and_says_so() -> None:
    listener = _listener()
    _push(listener, _noise(2, -10))
    heard = listener.push(NoAudio("unplugged", 2.0, 5.1))
    assert [(event.label, event.reason, event.decided_s) for event in heard.events] == [("loud", "no_audio", 5.0)]


def test_a_buffer_that_is_repeated_is_loud_but_no_onset() -> None:
    buffer = _noise(0.02, -10)
    repeated = np.tile(buffer, 200)
    heard = _push(_listener(), np.concatenate([_noise(1, -50), repeated]))
    assert not [event for event in heard.events if event.phase == "begin"]
    assert [fault.kind for fault in heard.faults] == ["repeated"]
    distrusted = [decision for decision in heard.decisions if not decision.trusted]
    assert distrusted
    assert all(
        decision.rule == "not counted: -10.0 dBFS, but this microphone may be deaf" for decision in distrusted[1:-1]
    )
    assert {decision.state for decision in distrusted} == {"off"}


def test_sound_that_is_not_trusted_is_no_evidence_of_quiet() -> None:
    silence = np.zeros(round(1.9 * RATE_HZ), np.float32)
    heard = _push(_listener(), np.concatenate([_noise(1, -10), silence]))
    assert [event.phase for event in heard.events] == ["begin"]
    assert {decision.state for decision in heard.decisions if not decision.trusted} == {"holding"}


def test_deafness_ends_it_with_its_reason() -> None:
    heard = _push(_listener(), np.concatenate([_noise(1, -10), np.zeros(6 * RATE_HZ, np.float32)]))
    assert [(event.phase, event.reason) for event in heard.events][1:] == [("end", "deaf")]


def test_zeros_of_a_microphone_that_gates_are_quiet() -> None:
    gated = np.concatenate([_noise(1, -10), np.zeros(2 * RATE_HZ, np.float32)])
    heard = _push(_listener(gates_to_zero=True), gated)
    assert [(event.phase, event.reason) for event in heard.events][1:] == [("end", "quiet")]


# --- beside the models


def test_it_is_measured_before_the_filters_and_changes_nothing_for_the_models() -> None:
    signal = np.concatenate([_noise(1, -50), _noise(2, -10)])
    plain, filtered, without = (
        _listener(),
        _listener(filters=FilterSettings(gain_db=-40.0)),
        _listener(LoudnessSettings()),
    )
    assert _push(plain, signal) == _push(filtered, signal)
    alone = without.push(AudioBlock(signal, RATE_HZ, 0))
    beside = _listener().push(AudioBlock(signal, RATE_HZ, 0))
    assert [scores for scores in beside.scores if scores.model == "cry"] == alone.scores
    assert [decision for decision in beside.decisions if decision.model == "cry"] == alone.decisions
    assert beside.faults == alone.faults


def test_a_wider_hop_under_load_changes_nothing() -> None:
    signal = np.concatenate([_noise(1, -50), _noise(2, -10), _noise(2, -50)])
    usual, wide = _listener(), _listener()
    wide.change_hop(2.0)
    assert _push(usual, signal) == _push(wide, signal)
