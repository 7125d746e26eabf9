"""A model that follows a label says at the end of its event what the sound is, or abstains; it has no events itself."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from device.hearing.decision import OperatingPoint
from device.hearing.listener import Listener
from device.hearing.listening_model import ListeningLabel, ListeningModel
from device.hearing.spec import FeatureSpec
from device.messages import AudioBlock, Event, Heard, NoAudio

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    Float32 = npt.NDArray[np.float32]

RATE_HZ = 16000
SPEC = FeatureSpec(RATE_HZ, 32000, 1024, 1024, 500, n_mels=16)
POINT = OperatingPoint(on=0.5, off=0.5, confirm_s=1.0, confirm_of_s=1.0, min_length_s=0.0, hold_s=1.0, cooldown_s=3.0)
SURE = replace(POINT, on=0.7, confirm_s=3.0, confirm_of_s=3.0)


@dataclass
class Answered:
    probabilities: Float32


class LevelMeter:
    """Probability 0 to 1 for a mean log-mel level of -100 to 0 dB."""

    def classify(self, features: Sequence[Float32]) -> Answered:
        return Answered(np.array([np.clip(1 + features[0].mean() / 100, 0, 1)], np.float32))


class Guess:
    """Always the same probability for the first of two labels; counts its windows."""

    def __init__(self, first: float) -> None:
        self.first, self.windows = first, 0

    def classify(self, _features: Sequence[Float32]) -> Answered:
        self.windows += 1
        return Answered(np.array([self.first, 1 - self.first], np.float32))


def models(guess: Guess) -> list[ListeningModel]:
    meter = ListeningModel("cry", (ListeningLabel("cry", "alarm", POINT),), (SPEC,), LevelMeter())
    labels = tuple(ListeningLabel(name, "verdict", SURE) for name in ("hungry", "other"))
    return [meter, ListeningModel("reason", labels, (SPEC,), guess, listens_while="cry")]


def sound(*parts: tuple[float, float]) -> Float32:
    """Noise of so many seconds and such a level, one after the other."""
    rng = np.random.default_rng(3)
    pieces = [level * rng.standard_normal(round(seconds * RATE_HZ)) for seconds, level in parts]
    return np.concatenate(pieces).astype(np.float32)


QUIET, LOUD = 1e-4, 0.3
NIGHT = sound((4, QUIET), (6, LOUD), (6, QUIET))


def events(listener: Listener, *blocks: AudioBlock | NoAudio, reason: str = "end_of_file") -> list[Event]:
    heard: list[Heard] = [listener.push(block) for block in blocks]
    return [event for one in (*heard, listener.finish(reason)) for event in one.events]


def heard(first: float, samples: Float32) -> list[Event]:
    return events(Listener(models(Guess(first)), stream_id="s"), AudioBlock(samples, RATE_HZ, 0))


@pytest.mark.parametrize(("first", "verdict"), [(0.9, "hungry"), (0.1, "other"), (0.6, None), (0.4, None)])
def test_the_end_of_an_event_carries_the_verdict_or_none_where_the_model_is_not_sure(
    first: float, verdict: str | None
) -> None:
    begin, end = heard(first, NIGHT)
    assert (begin.phase, begin.model, begin.verdict) == ("begin", "cry", None)
    assert (end.phase, end.reason, end.verdict) == ("end", "quiet", verdict)


def test_a_cry_of_one_second_is_too_short_for_a_verdict() -> None:
    *_, end = heard(0.9, sound((4, QUIET), (1, LOUD), (6, QUIET)))
    assert (end.phase, end.reason, end.verdict) == ("end", "quiet", None)


def test_a_file_shorter_than_a_window_has_no_verdict() -> None:
    assert [event.verdict for event in heard(0.9, sound((0.7, LOUD)))] == [None, None]


def test_a_cry_that_goes_on_at_the_end_of_a_recording_has_a_verdict() -> None:
    *_, end = heard(0.9, sound((4, QUIET), (6, LOUD)))
    assert (end.reason, end.verdict) == ("end_of_file", "hungry")


@pytest.mark.parametrize(("loud_s", "verdict"), [(6.0, "hungry"), (1.6, None)])
def test_a_cry_that_a_gap_cuts_has_the_verdict_of_what_was_heard(loud_s: float, verdict: str | None) -> None:
    samples = sound((4, QUIET), (loud_s, LOUD))
    after = AudioBlock(sound((4, QUIET)), RATE_HZ, len(samples) + 5 * RATE_HZ, after_gap=True)
    found = events(Listener(models(Guess(0.9)), stream_id="s"), AudioBlock(samples, RATE_HZ, 0), after)
    assert [(event.reason, event.verdict) for event in found if event.phase == "end"] == [("gap", verdict)]


def test_a_cry_whose_sound_stops_coming_has_the_verdict_of_what_was_heard() -> None:
    samples = sound((4, QUIET), (6, LOUD))
    nothing = NoAudio("unplugged", since_s=10.0, at_s=14.0)
    found = events(Listener(models(Guess(0.9)), stream_id="s"), AudioBlock(samples, RATE_HZ, 0), nothing)
    assert [(event.reason, event.verdict) for event in found if event.phase == "end"] == [("no_audio", "hungry")]


def test_a_stopped_daemon_says_what_it_heard_so_far() -> None:
    samples = sound((4, QUIET), (6, LOUD))
    listener = Listener(models(Guess(0.1)), stream_id="s")
    *_, end = events(listener, AudioBlock(samples, RATE_HZ, 0), reason="stopped")
    assert (end.reason, end.verdict) == ("stopped", "other")


def test_a_second_cry_has_a_verdict_of_its_own() -> None:
    guess = Guess(0.9)
    listener = Listener(models(guess), stream_id="s")
    first = listener.push(AudioBlock(NIGHT, RATE_HZ, 0)).events
    guess.first = 0.1
    second = listener.push(AudioBlock(NIGHT, RATE_HZ, len(NIGHT))).events
    assert [event.verdict for event in (*first, *second)] == [None, "hungry", None, "other"]


def test_it_runs_only_while_the_label_is_on_and_raises_nothing_by_itself() -> None:
    guess = Guess(0.9)
    listener = Listener(models(guess), stream_id="s")
    found = listener.push(AudioBlock(NIGHT, RATE_HZ, 0))
    assert {event.model for event in found.events} == {decision.model for decision in found.decisions} == {"cry"}
    assert set(listener.is_on) == {("cry", "cry")}
    begin, end = found.events
    assert guess.windows == round((end.decided_s - begin.decided_s) / 0.5)


@pytest.mark.parametrize("cut", [1, 1600, 7777, 100_000])
def test_the_size_of_blocks_never_changes_the_verdict(cut: int) -> None:
    listener = Listener(models(Guess(0.9)), stream_id="s")
    blocks = [AudioBlock(NIGHT[:cut], RATE_HZ, 0), AudioBlock(NIGHT[cut:], RATE_HZ, cut)]
    assert events(listener, *blocks) == heard(0.9, NIGHT)
