"""The listener: the laws of a stream, with the smallest network that can hear anything: a level meter."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device.errors import ClassifierError, SpecError
from device.hearing.decision import OperatingPoint
from device.hearing.features import computer, window_features
from device.hearing.listener import Listener
from device.hearing.model import ListeningLabel, ListeningModel
from device.hearing.spec import FeatureSpec
from device.messages import AudioBlock, Event, Fault, Heard

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    Float32 = npt.NDArray[np.float32]

RATE_HZ = 16000
SPEC = FeatureSpec(RATE_HZ, 32000, 1024, 1024, 500, n_mels=16)
LUNG_SPEC = FeatureSpec(4000, 8000, 256, 256, 100, n_mels=16, f_max_hz=2000.0)
POINT = OperatingPoint(on=0.5, off=0.5, confirm_s=1.0, confirm_of_s=1.0, min_length_s=0.0, hold_s=1.0, cooldown_s=3.0)


@dataclass
class Answered:
    probabilities: Float32


class LevelMeter:
    """Probability 0 to 1 for a mean log-mel level of -100 to 0 dB; remembers what it was fed."""

    def __init__(self, fails_on: frozenset[int] = frozenset()) -> None:
        self.fed: list[Float32] = []
        self._fails_on = fails_on

    def classify(self, features: Sequence[Float32]) -> Answered:
        self.fed.append(features[0])
        if len(self.fed) - 1 in self._fails_on:
            raise ClassifierError("the meter is broken")
        return Answered(np.array([np.clip(1 + features[0].mean() / 100, 0, 1)], np.float32))


def _model(name: str = "meter", spec: FeatureSpec = SPEC, network: LevelMeter | None = None) -> ListeningModel:
    return ListeningModel(name, (ListeningLabel("loud", "alarm", POINT),), (spec,), network or LevelMeter())


def _noise(seconds: float, level: float = 1e-4, rate_hz: int = RATE_HZ, seed: int = 0) -> Float32:
    noise = np.random.default_rng(seed).standard_normal(round(seconds * rate_hz))
    return (level * noise).astype(np.float32)


def _bedside() -> Float32:
    """4 s of quiet, 5 s of loud noise, 6.3 s of quiet."""
    return np.concatenate([_noise(4), _noise(5, 0.3, seed=1), _noise(6.3, seed=2)])


def _hear(
    listener: Listener, signal: Float32, cuts: Sequence[int] = (), *, rate_hz: int = RATE_HZ, start: int = 0
) -> Heard:
    """Everything that was heard of a signal pushed in blocks that end at `cuts`."""
    heard = Heard()
    ends = [0, *sorted(cut % (len(signal) + 1) for cut in cuts), len(signal)]
    for first, last in pairwise(ends):
        _add(heard, listener.push(AudioBlock(signal[first:last], rate_hz, start + first)))
    return heard


def _add(heard: Heard, more: Heard) -> Heard:
    heard.scores.extend(more.scores)
    heard.decisions.extend(more.decisions)
    heard.events.extend(more.events)
    heard.faults.extend(more.faults)
    return heard


def _phases(events: Sequence[Event]) -> list[tuple[str, str]]:
    return [(event.phase, event.reason) for event in events if event.phase == "end"]


def test_a_loud_sound_begins_and_ends_where_it_was() -> None:
    listener = Listener([_model()], stream_id="s")
    heard = _add(_hear(listener, _bedside()), listener.finish())
    begin, end = heard.events
    assert (begin.event_id, begin.phase, begin.model, begin.label) == ("s-meter-loud-0", "begin", "meter", "loud")
    assert 2.0 <= begin.start_s <= 4.0
    assert begin.decided_s <= 6.5
    assert (end.phase, end.reason) == ("end", "quiet")
    assert end.end_s == pytest.approx(10.5, abs=0.6)


@settings(max_examples=25, deadline=None)
@given(cuts=st.lists(st.integers(0, 250_000), max_size=25), rate_hz=st.sampled_from([16000, 44100, 8000]))
def test_block_size_never_changes_what_is_heard(cuts: list[int], rate_hz: int) -> None:
    signal = np.concatenate([_noise(1, rate_hz=rate_hz), _noise(3, 0.3, rate_hz), np.zeros(4 * rate_hz, np.float32)])

    def listen(cuts: list[int]) -> Heard:
        listener = Listener([_model(), _model("lung", LUNG_SPEC)], stream_id="s")
        return _add(_hear(listener, signal, cuts, rate_hz=rate_hz), listener.finish())

    whole, parts = listen([]), listen(cuts)
    assert whole.scores == parts.scores
    assert whole.decisions == parts.decisions
    assert whole.events == parts.events
    assert whole.faults == parts.faults
    assert whole.events


def test_one_sample_at_a_time_is_heard_like_a_minute_at_once() -> None:
    signal = np.concatenate([_noise(0.5), _noise(2.6, 0.3)])
    by_sample, at_once = Listener([_model()], stream_id="s"), Listener([_model()], stream_id="s")
    one = _add(_hear(by_sample, signal, range(len(signal))), by_sample.finish())
    assert one == _add(_hear(at_once, signal), at_once.finish())


def test_what_the_network_is_fed_is_what_training_computes() -> None:
    network, signal = LevelMeter(), _bedside()
    _hear(Listener([_model(network=network)], stream_id="s"), signal, [999, 77_777])
    assert len(network.fed) == 27
    for index, fed in enumerate(network.fed):
        assert np.array_equal(fed, window_features(SPEC, signal[8000 * index : 8000 * index + 32000]))


def test_models_of_two_rates_are_told_in_stream_order() -> None:
    listener = Listener([_model("lung", LUNG_SPEC), _model()], stream_id="s")
    heard = _hear(listener, _bedside(), range(0, 240_000, 800))
    told = [(scores.end_s, scores.model) for scores in heard.scores]
    assert [end for end, _ in told] == sorted(end for end, _ in told)
    assert {model for _, model in told} == {"lung", "meter"}


def test_frames_are_computed_once_for_models_that_share_them(monkeypatch: pytest.MonkeyPatch) -> None:
    counted: list[int] = []
    original = type(computer(SPEC)).mel

    def counting(self: object, samples: Float32) -> Float32:
        frames = original(self, samples)  # type: ignore[arg-type]  # the method as found on the class
        counted.append(len(frames))
        return frames

    monkeypatch.setattr(type(computer(SPEC)), "mel", counting)
    cepstra = replace(SPEC, n_mfcc=12)
    other = replace(SPEC, mean=(-50.0,), normalization="fixed")
    models = [_model("a"), _model("b", other), _model("c", cepstra)]
    _hear(Listener(models, stream_id="s"), _bedside())
    assert sum(counted) == 62 + 26 * 16


def test_a_window_never_spans_a_gap_and_the_gap_is_told() -> None:
    listener = Listener([_model()], stream_id="s")
    _hear(listener, _noise(3))
    heard = listener.push(AudioBlock(_noise(3), RATE_HZ, 4 * RATE_HZ, after_gap=True))
    assert heard.faults == [Fault("gap", begins=True, since_s=3.0, at_s=4.0, detail="1.000 s of sound are missing")]
    assert [(scores.start_s, scores.end_s) for scores in heard.scores] == [(4.0, 6.0), (4.5, 6.5), (5.0, 7.0)]


def test_gaps_are_counted() -> None:
    listener = Listener([_model()], stream_id="s")
    assert listener.gaps == 0
    for second in (0, 2, 4):
        _hear(listener, _noise(1), start=second * RATE_HZ)
    _hear(listener, _noise(1), start=5 * RATE_HZ)
    assert listener.gaps == 2
    assert repr(listener) == "Listener(meter; 2 gaps)"


def test_samples_that_are_missing_without_a_word_are_a_gap_too() -> None:
    listener = Listener([_model()], stream_id="s")
    _hear(listener, _noise(3))
    assert [fault.kind for fault in _hear(listener, _noise(1), start=60_000).faults] == ["gap"]


def test_a_gap_longer_than_a_hop_ends_what_is_open() -> None:
    listener = Listener([_model()], stream_id="s")
    _hear(listener, _noise(4, 0.3))
    heard = listener.push(AudioBlock(_noise(4, 0.3), RATE_HZ, 5 * RATE_HZ, after_gap=True))
    assert [(event.event_id, event.phase, event.reason) for event in heard.events] == [
        ("s-meter-loud-0", "end", "gap"),
        ("s-meter-loud-1", "begin", "2 of 2 windows at or above 0.50"),
    ]


def test_a_short_gap_keeps_what_is_open_and_starts_confirmation_afresh() -> None:
    listener = Listener([_model()], stream_id="s")
    _hear(listener, _noise(4, 0.3))
    heard = listener.push(AudioBlock(_noise(2.4, 0.3), RATE_HZ, 4 * RATE_HZ + 100, after_gap=True))
    assert heard.events == []


def test_a_change_of_rate_ends_what_is_open() -> None:
    listener = Listener([_model()], stream_id="s")
    _hear(listener, _noise(4, 0.3))
    heard = listener.push(AudioBlock(_noise(1, rate_hz=48000), 48000, 4 * 48000))
    assert _phases(heard.events) == [("end", "rate")]


def test_a_deaf_microphone_ends_what_is_open_and_never_says_quiet() -> None:
    listener = Listener([_model()], stream_id="s")
    signal = np.concatenate([_noise(4, 0.3), np.zeros(6 * RATE_HZ, np.float32)])
    heard = _add(_hear(listener, signal), listener.finish())
    assert _phases(heard.events) == [("end", "deaf")]
    assert [(fault.kind, fault.begins) for fault in heard.faults][:1] == [("silence", True)]


def test_a_microphone_that_gates_to_zero_says_quiet() -> None:
    listener = Listener([_model()], stream_id="s", gates_to_zero=True)
    signal = np.concatenate([_noise(4, 0.3), np.zeros(6 * RATE_HZ, np.float32)])
    heard = _add(_hear(listener, signal), listener.finish())
    assert _phases(heard.events) == [("end", "quiet")]
    assert heard.faults == []


def test_a_failing_network_is_a_fault_told_once_and_its_recovery_too() -> None:
    listener = Listener([_model(network=LevelMeter(frozenset({1, 2})))], stream_id="s")
    heard = _hear(listener, _noise(5))
    assert [(f.kind, f.begins, f.since_s) for f in heard.faults] == [
        ("classifier", True, 0.5),
        ("classifier", False, 0.5),
    ]
    assert heard.faults[0].detail == "the meter is broken"
    assert [scores.start_s for scores in heard.scores] == [0.0, 1.5, 2.0, 2.5, 3.0]


def test_the_tail_of_a_file_is_heard() -> None:
    listener = Listener([_model()], stream_id="s")
    heard = _add(_hear(listener, _noise(2.31)), listener.finish())
    assert [scores.end_s for scores in heard.scores] == [2.0, pytest.approx(2.28125)]


def test_the_tail_of_a_live_stream_is_not_a_window() -> None:
    listener = Listener([_model()], stream_id="s")
    _hear(listener, _noise(4.3, 0.3))
    heard = listener.finish("stopped")
    assert heard.scores == []
    assert _phases(heard.events) == [("end", "stopped")]


def test_a_file_shorter_than_a_window_is_judged_by_one_window() -> None:
    listener = Listener([_model()], stream_id="s")
    heard = _add(_hear(listener, _noise(0.7, 0.3)), listener.finish())
    assert [(scores.start_s, scores.end_s) for scores in heard.scores] == [(0.0, 0.7)]
    assert [event.phase for event in heard.events] == ["begin", "end"]
    assert "the file has only 1 of 2 windows" in heard.events[0].reason


def test_an_empty_stream_gives_nothing() -> None:
    assert Listener([_model()], stream_id="s").finish() == Heard()


def test_a_model_may_listen_only_while_another_hears() -> None:
    follower = replace(_model("reason"), listens_while="loud")
    heard = _hear(Listener([_model(), follower], stream_id="s"), _bedside())
    begin, end = (event for event in heard.events if event.model == "meter")
    followed = [scores for scores in heard.scores if scores.model == "reason"]
    assert followed[0].end_s == begin.decided_s
    assert followed[-1].end_s == end.decided_s - 0.5


def test_a_reject_label_is_scored_and_raises_nothing() -> None:
    model = replace(_model(), labels=(ListeningLabel("normal", "reject", POINT),))
    heard = _hear(Listener([model], stream_id="s"), _noise(5, 0.3))
    assert heard.events == []
    assert heard.decisions == []
    assert all(scores.probabilities["normal"] > 0.5 for scores in heard.scores)


@pytest.mark.parametrize(
    ("spec", "hop_s", "sentence"),
    [
        (SPEC, 0.51, "hop_s is 0.51, must be a multiple of 0.03125 s"),
        (SPEC, 2.5, "up to the window's 2 s"),
        (replace(SPEC, centre=True), 0.5, "centred"),
    ],
)
def test_a_model_that_cannot_stream_is_refused(spec: FeatureSpec, hop_s: float, sentence: str) -> None:
    with pytest.raises(SpecError, match=sentence):
        Listener([_model(spec=spec)], stream_id="s", hop_s=hop_s)


def test_inputs_of_one_model_must_share_rate_and_window() -> None:
    with pytest.raises(SpecError, match="its inputs have different rates or windows"):
        Listener([replace(_model(), specs=(SPEC, LUNG_SPEC))], stream_id="s")
