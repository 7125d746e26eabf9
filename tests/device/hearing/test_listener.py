"""The listener: the laws of a stream, with the smallest network that detects anything: a level meter."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from device.config.settings import FilterSettings
from device.errors import ClassifierError, SpecError
from device.hearing.decision import OperatingPoint
from device.hearing.features import computer, window_features
from device.hearing.listener import Listener
from device.hearing.listening_model import ListeningLabel, ListeningModel
from device.hearing.spec import FeatureSpec
from device.messages import AudioBlock, Event, Fault, Heard, NoAudio

if TYPE_CHECKING:
    from collections.abc import Container, Sequence

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

    def __init__(self, fails_on: Container[int] = frozenset()) -> None:
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
    """All results of a signal pushed in blocks that end at `cuts`."""
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


@pytest.mark.parametrize(("rate_hz", "late_s"), [(16000, 0.0), (44100, 0.05), (48000, 0.05)])
def test_a_window_is_scored_with_its_last_block_or_where_it_is_resampled_with_the_next(
    rate_hz: int, late_s: float
) -> None:
    listener, signal, block = Listener([_model()], stream_id="s"), _noise(6, rate_hz=rate_hz), rate_hz // 20
    late = [
        (first + block) / rate_hz - scores.end_s
        for first in range(0, len(signal), block)
        for scores in listener.push(AudioBlock(signal[first : first + block], rate_hz, first)).scores
    ]
    assert late == pytest.approx(len(late) * [late_s], abs=0.001)
    assert len(late) > 5


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
    scored = [(scores.end_s, scores.model) for scores in heard.scores]
    assert [end for end, _ in scored] == sorted(end for end, _ in scored)
    assert {model for _, model in scored} == {"lung", "meter"}


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


def test_the_fault_of_a_model_that_follows_ends_though_what_it_follows_is_over() -> None:
    network = LevelMeter(range(1000))
    follower = replace(_model("reason", network=network), listens_while="loud")
    listener = Listener([_model(), follower], stream_id="s")
    heard = _hear(listener, _bedside())
    (end,) = (event for event in heard.events if event.phase == "end")
    assert [(fault.begins, fault.model) for fault in heard.faults] == [(True, "reason")]
    assert end.decided_s < 15.0
    before = listener.coverage.total
    _hear(listener, _noise(5, seed=3), start=len(_bedside()))
    total = listener.coverage.total
    assert total.scored - before.scored == total.due - before.due  # it is quiet: nothing that must be heard is missed
    listener.replace_networks({"reason": LevelMeter()})
    later = _hear(listener, _noise(5, seed=4), start=len(_bedside()) + 5 * RATE_HZ)
    assert [(fault.begins, fault.model) for fault in later.faults] == [(False, "reason")]
    assert later.faults[0].at_s < (len(_bedside()) / RATE_HZ) + 6.0
    assert not listener.is_failing
    assert {scores.model for scores in later.scores} == {"meter"}


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


# --- a source without sound


def _absent(listener: Listener, from_s: float, to_s: float) -> Heard:
    """The source says four times a second that nothing comes since `from_s`."""
    heard = Heard()
    for quarter in range(1, round((to_s - from_s) * 4) + 1):
        _add(heard, listener.push(NoAudio("it was unplugged", from_s, from_s + quarter / 4)))
    return heard


def test_a_source_that_hears_nothing_is_a_fault_told_once_and_its_return_too() -> None:
    listener = Listener([_model()], stream_id="s")
    heard = _add(_hear(listener, _noise(5)), _absent(listener, 5, 65))
    _add(heard, listener.push(AudioBlock(_noise(3), RATE_HZ, 65 * RATE_HZ, after_gap=True)))
    assert heard.faults == [
        Fault("microphone", begins=True, since_s=5.0, at_s=7.0, detail="it was unplugged"),
        Fault("gap", begins=True, since_s=5.0, at_s=65.0, detail="60.000 s of sound are missing"),
        Fault("microphone", begins=False, since_s=5.0, at_s=65.0, detail="sound comes again after 60.0 s"),
    ]


def test_a_microphone_that_is_not_there_at_the_start_is_a_fault_within_3_s() -> None:
    listener = Listener([_model()], stream_id="s")
    ((fault),) = _absent(listener, 0, 90).faults
    assert (fault.kind, fault.since_s, fault.at_s) == ("microphone", 0.0, 2.0)
    assert listener.coverage.listened == 0.0
    (over,) = listener.push(AudioBlock(_noise(1), RATE_HZ, 90 * RATE_HZ)).faults
    assert (over.kind, over.begins) == ("microphone", False)


def test_a_source_that_opens_late_is_no_fault() -> None:
    listener = Listener([_model()], stream_id="s")
    assert _absent(listener, 0, 1.75).faults == []
    assert _hear(listener, _noise(3), start=2 * RATE_HZ).faults == []


def test_what_is_open_ends_where_nothing_came_for_3_s() -> None:
    listener = Listener([_model()], stream_id="s")
    _hear(listener, _noise(4, 0.3))
    heard = _absent(listener, 4, 20)
    (end,) = heard.events
    assert (end.phase, end.reason, end.end_s, end.decided_s) == ("end", "no_audio", 4.0, 7.0)


def test_a_busy_loop_that_is_told_less_often_of_no_audio_ends_what_is_open_at_the_same_second() -> None:
    """An inbox keeps only the newest `NoAudio`, so what is live once ended later than in a replay of what came."""
    ends = []
    for at_s in ([6.75, 7.0, 7.25], [8.5]):
        listener = Listener([_model()], stream_id="s")
        _hear(listener, _noise(4, 0.3))
        ends += [event for at in at_s for event in listener.push(NoAudio("gone", 4.0, at)).events]
    often, rarely = ends
    assert often == rarely


def test_what_comes_within_3_s_keeps_what_is_open() -> None:
    listener = Listener([_model()], stream_id="s")
    _hear(listener, _noise(4, 0.3))
    heard = _add(_absent(listener, 4, 7), _hear(listener, _noise(4, 0.3), start=4 * RATE_HZ))
    assert heard.events == []
    assert listener.is_on == {("meter", "loud"): True}


def test_what_a_hung_server_held_back_ends_the_fault_no_earlier_than_it_was_told() -> None:
    """The backlog came in a burst, stamped when it was captured: the fault once ended 2 s before it began."""
    listener = Listener([_model()], stream_id="s")
    _hear(listener, _noise(5))
    heard = _add(_absent(listener, 5, 12.5), _hear(listener, _noise(8), start=5 * RATE_HZ))
    assert [(fault.kind, fault.begins, fault.at_s) for fault in heard.faults] == [
        ("microphone", True, 7.0),
        ("microphone", False, 12.5),
    ]
    assert heard.faults[1].detail == "sound comes again after 7.5 s"
    assert listener.gaps == 0


# --- too little is scored


def test_gaps_so_close_that_no_window_fits_are_a_fault_within_40_s() -> None:
    listener = Listener([_model()], stream_id="s")
    heard = Heard()
    for start in range(60):
        _add(heard, _hear(listener, _noise(0.9), start=start * RATE_HZ))
    coverage = [fault for fault in heard.faults if fault.kind != "gap"]
    assert [(fault.kind, fault.begins) for fault in coverage] == [("coverage", True)]
    assert 30 <= coverage[0].at_s <= 40
    assert heard.scores == []


def test_a_deaf_microphone_is_not_listened_to_and_that_is_not_told_twice() -> None:
    listener = Listener([_model()], stream_id="s")
    heard = _hear(listener, np.concatenate([_noise(5), np.zeros(60 * RATE_HZ, np.float32)]))
    assert [(fault.kind, fault.begins) for fault in heard.faults] == [("silence", True)]
    assert heard.faults[0].at_s <= 8.0
    assert listener.coverage.listened == pytest.approx(0.0)
    assert listener.coverage.windows == 1.0


def test_a_floor_that_collapsed_is_told_as_that_alone_though_it_takes_a_minute_to_be_sure() -> None:
    listener = Listener([_model()], stream_id="s")
    heard = _hear(listener, np.concatenate([_noise(300), _noise(120) * np.float32(0.01)]))
    assert [(fault.kind, fault.begins) for fault in heard.faults] == [("floor", True)]


def test_a_microphone_that_gates_to_zero_is_listened_to() -> None:
    listener = Listener([_model()], stream_id="s", gates_to_zero=True)
    heard = _hear(listener, np.concatenate([_noise(5), np.zeros(60 * RATE_HZ, np.float32)]))
    assert heard.faults == []
    assert listener.coverage.listened == pytest.approx(1.0)


def test_a_network_that_fails_leaves_all_unheard_and_one_fault_says_so() -> None:
    listener = Listener([_model(network=LevelMeter(range(1000)))], stream_id="s")
    heard = _hear(listener, _noise(70))
    assert [(fault.kind, fault.begins, fault.model) for fault in heard.faults] == [("classifier", True, "meter")]
    assert listener.is_failing
    assert (listener.coverage.listened, listener.coverage.windows) == (0.0, 0.0)


def test_a_failing_network_that_is_renewed_answers_from_the_next_window_on() -> None:
    listener = Listener([_model(network=LevelMeter(range(1000)))], stream_id="s")
    heard = _hear(listener, _noise(5))
    listener.replace_networks({"meter": LevelMeter(), "another": LevelMeter()})
    _add(heard, _hear(listener, _noise(5), start=5 * RATE_HZ))
    assert [(fault.begins, fault.at_s) for fault in heard.faults] == [(True, 2.0), (False, 5.5)]
    assert not listener.is_failing


def test_one_model_that_fails_takes_no_other_along() -> None:
    models = [_model("a", network=LevelMeter(range(1000))), _model("b")]
    heard = _hear(Listener(models, stream_id="s"), _bedside())
    assert {scores.model for scores in heard.scores} == {"b"}
    assert [event.phase for event in heard.events] == ["begin", "end"]


def test_what_is_still_a_fault_ends_with_the_stream() -> None:
    """A network's failure was once reported and never its end: it stayed in the daemon's status after a reload."""
    listener = Listener([_model(network=LevelMeter(range(1000)))], stream_id="s")
    heard = _hear(listener, np.concatenate([_noise(5), np.zeros(5 * RATE_HZ, np.float32)]))
    _add(heard, _absent(listener, 10, 15))
    _add(heard, listener.finish("stopped"))
    begun = [(fault.kind, fault.model) for fault in heard.faults if fault.begins]
    ended = [(fault.kind, fault.model) for fault in heard.faults if not fault.begins]
    assert begun == [("classifier", "meter"), ("silence", ""), ("microphone", "")]
    assert sorted(begun) == sorted(ended)
    details = [fault.detail for fault in heard.faults if not fault.begins]
    assert all(detail.startswith("it lasted until the audio ended") for detail in details)


def test_a_change_of_rate_ends_the_faults_of_the_microphone_before() -> None:
    listener = Listener([_model()], stream_id="s")
    _hear(listener, np.zeros(5 * RATE_HZ, np.float32))
    heard = _hear(listener, _noise(5, rate_hz=48000), rate_hz=48000, start=5 * 48000)
    assert [(fault.kind, fault.begins) for fault in heard.faults] == [("gap", True), ("silence", False)]


# --- filters


def test_filters_stand_behind_the_look_for_deafness() -> None:
    """Gain makes no dead microphone alive, and a high-pass that removes everything makes no silence."""
    hum = (0.05 * np.sin(2 * np.pi * 50 * np.arange(10 * RATE_HZ) / RATE_HZ)).astype(np.float32)
    listener = Listener([_model()], stream_id="s", filters=FilterSettings(high_pass_hz=2000.0))
    heard = _hear(listener, hum)
    assert heard.faults == []
    dead = Listener([_model()], stream_id="s", filters=FilterSettings(gain_db=60.0))
    assert [fault.kind for fault in _hear(dead, np.zeros(5 * RATE_HZ, np.float32)).faults] == ["silence"]


def test_gain_is_what_the_models_hear() -> None:
    plain, louder = (
        _hear(Listener([_model()], stream_id="s", filters=FilterSettings(gain_db=gain_db)), _noise(2))
        for gain_db in (0.0, 40.0)
    )
    rise = louder.scores[0].probabilities["loud"] - plain.scores[0].probabilities["loud"]
    assert rise == pytest.approx(0.4, abs=0.01)


# --- overload


def test_what_the_network_is_fed_at_any_hop_is_what_training_computes() -> None:
    network, signal = LevelMeter(), _noise(40, 0.1)
    listener = Listener([_model(network=network)], stream_id="s")
    starts: list[float] = []
    for second, factor in enumerate([1, 2, 2, 4, 4, 4, 4, 4, 1, 1, 3, 3, 3, 1, 4, 1] * 2 + [1] * 8):
        starts += [
            scores.start_s
            for scores in _hear(listener, signal[second * 16000 :][:16000], start=second * RATE_HZ).scores
        ]
        listener.change_hop(0.5 * factor)
    assert len(network.fed) == len(starts) > 40
    for start_s, fed in zip(starts, network.fed, strict=True):
        assert np.array_equal(fed, window_features(SPEC, signal[round(start_s * RATE_HZ) :][:32000]))


def test_a_wider_hop_shows_in_the_windows_alone() -> None:
    listener = Listener([_model(), _model("lung", LUNG_SPEC)], stream_id="s")
    listener.change_hop(listener.widest_hop_s)
    assert (listener.hop_s, listener.configured_hop_s) == (2.0, 0.5)
    heard = _hear(listener, _noise(64))
    assert heard.faults == []
    assert listener.coverage.listened == pytest.approx(1.0)
    assert listener.coverage.windows == pytest.approx(0.25, abs=0.02)
    listener.change_hop(0.5)
    _hear(listener, _noise(40), start=64 * RATE_HZ)
    assert listener.coverage.listened == pytest.approx(1.0)
    assert listener.coverage.windows == 1.0


@settings(max_examples=25, deadline=None)
@example({0: 4, 50: 1, 55: 4})  # the first window after narrowing comes late, and once counted as if it had not
@given(changes=st.dictionaries(st.integers(0, 150), st.integers(1, 4), max_size=6))
def test_a_hop_that_changes_confirms_in_the_same_seconds(changes: dict[int, int]) -> None:
    """To within one widened hop; here a change may come between any two blocks of 100 ms."""

    def listen(changes: dict[int, int]) -> list[Event]:
        listener, signal, heard = Listener([_model()], stream_id="s"), _bedside(), Heard()
        for block in range(len(signal) // 1600):
            if block in changes:
                listener.change_hop(0.5 * changes[block])
            _add(heard, _hear(listener, signal[block * 1600 :][:1600], start=block * 1600))
        return heard.events

    changed, plain = listen(changes), listen({})
    assert [event.phase for event in changed] == [event.phase for event in plain] == ["begin", "end"]
    widest_s = 0.5 * max(changes.values(), default=1)
    assert all(abs(one.decided_s - other.decided_s) <= widest_s for one, other in zip(changed, plain, strict=True))


def test_a_hop_that_no_model_can_listen_at_is_refused_and_changes_nothing() -> None:
    listener = Listener([_model()], stream_id="s")
    with pytest.raises(SpecError):
        listener.change_hop(2.5)
    assert listener.hop_s == 0.5
    assert len(_hear(listener, _noise(3)).scores) == 3


# --- laws of whatever may come

sounds = st.tuples(st.sampled_from(["loud", "quiet", "zero"]), st.floats(0.05, 6))
troubles = st.tuples(st.sampled_from(["absent", "held back", "gap", "rate"]), st.floats(0.01, 5))
nights = st.lists(st.one_of(sounds, troubles), min_size=1, max_size=10)


def _night(script: list[tuple[str, float]], cuts: list[int]) -> list[AudioBlock | NoAudio]:
    """The items of a source that suffers all this: sound, absence, lost samples, other rates."""
    items: list[AudioBlock | NoAudio] = []
    rate_hz, start, after_gap = RATE_HZ, 0, False
    for seed, (what, seconds) in enumerate(script):
        if what in {"loud", "quiet", "zero"}:
            level = {"loud": 0.3, "quiet": 1e-4, "zero": 0.0}[what]
            signal = _noise(seconds, level, rate_hz, seed)
            for first, last in pairwise([0, *sorted(cut % len(signal) for cut in cuts), len(signal)]):
                items.append(AudioBlock(signal[first:last], rate_hz, start + first, after_gap))
                after_gap = False
            start += len(signal)
            continue
        if what in {"absent", "held back"}:
            since_s = start / rate_hz
            items += [NoAudio("it was unplugged", since_s, since_s + n / 4) for n in range(1, int(seconds * 4))]
        if what != "held back":
            change_hz = {16000: 8000, 8000: 16000}[rate_hz] if what == "rate" else rate_hz
            start, rate_hz, after_gap = -(-(start + int(seconds * rate_hz)) * change_hz // rate_hz), change_hz, True
    return items


def _heard_of(items: list[AudioBlock | NoAudio], stream_id: str = "s") -> Heard:
    fragile = _model("fragile", LUNG_SPEC, LevelMeter(range(3, 1000, 4)))
    listener = Listener([_model(), fragile], stream_id=stream_id, filters=FilterSettings(high_pass_hz=100.0))
    heard = Heard()
    for item in items:
        _add(heard, listener.push(item))
    return _add(heard, listener.finish("stopped"))


@settings(max_examples=40, deadline=None)
@given(script=nights, cuts=st.lists(st.integers(0, 100_000), max_size=5))
def test_block_size_never_changes_a_night(script: list[tuple[str, float]], cuts: list[int]) -> None:
    assert _heard_of(_night(script, cuts)) == _heard_of(_night(script, []))


@settings(max_examples=40, deadline=None)
@given(script=nights)
def test_what_was_received_replays_to_the_same_events_but_for_their_ids(script: list[tuple[str, float]]) -> None:
    items = _night(script, [333, 4711])
    live, again = _heard_of(items, "live"), _heard_of(items, "again")
    assert [replace(event, event_id="") for event in live.events] == [
        replace(event, event_id="") for event in again.events
    ]
    assert [event.event_id.removeprefix("live-") for event in live.events] == [
        event.event_id.removeprefix("again-") for event in again.events
    ]
    assert live.faults == again.faults


@settings(max_examples=60, deadline=None)
@given(script=nights)
def test_whatever_comes_each_fault_begins_once_and_ends_once_and_not_before(script: list[tuple[str, float]]) -> None:
    heard, going_on = _heard_of(_night(script, [])), dict[tuple[str, str], Fault]()
    for fault in heard.faults:
        assert fault.since_s <= fault.at_s
        if fault.kind == "gap":
            continue
        if fault.begins:
            assert (fault.kind, fault.model) not in going_on
            going_on[fault.kind, fault.model] = fault
        else:
            begun = going_on.pop((fault.kind, fault.model))
            assert begun.since_s == fault.since_s
            assert begun.at_s <= fault.at_s
    assert not going_on


@settings(max_examples=40, deadline=None)
@given(script=nights)
def test_whatever_comes_each_event_that_begins_ends(script: list[tuple[str, float]]) -> None:
    phases: dict[str, list[Event]] = {}
    for event in _heard_of(_night(script, [])).events:
        phases.setdefault(event.event_id, []).append(event)
    for events in phases.values():
        assert [event.seq for event in events] == list(range(len(events)))
        assert [event.phase == "end" for event in events] == [index % 2 == 1 for index in range(len(events))]
        assert len(events) % 2 == 0
        assert all(e.end_s is None or e.start_s < e.end_s <= e.decided_s for e in events)
