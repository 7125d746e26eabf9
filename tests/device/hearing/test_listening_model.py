"""One model's pipeline: shared frames, scores by label, failures that begin and end once, decisions per label."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pytest

from device.errors import ClassifierError
from device.hearing.decision import OperatingPoint
from device.hearing.features import window_features
from device.hearing.listening_model import ListeningLabel, ListeningModel, ModelPipeline, shared_caches
from device.hearing.spec import FeatureSpec
from device.hearing.windows import WindowFormat
from device.messages import Heard, Scores, Window

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    Float32 = npt.NDArray[np.float32]

HOP_S = 0.5
POINT = OperatingPoint(on=0.5, off=0.5, confirm_s=1.0, confirm_of_s=1.0, min_length_s=0.0, hold_s=1.0, cooldown_s=3.0)
LABELS = (
    ListeningLabel("cry", "alarm", POINT),
    ListeningLabel("babble", "info", POINT),
    ListeningLabel("room", "reject", POINT),
)
LOG_MEL = FeatureSpec(16000, 32000, 1024, 1024, 500, n_mels=16)
MFCC = FeatureSpec(16000, 32000, 1024, 1024, 500, n_mels=16, n_mfcc=8)


@dataclass
class Output:
    probabilities: Float32


@dataclass
class ScriptedNetwork:
    """Returns the scripted probabilities of three labels in turn; fails if a turn holds an error."""

    script: list[tuple[float, float, float] | ClassifierError]
    fed: list[Sequence[Float32]] = field(default_factory=list)

    def classify(self, features: Sequence[Float32]) -> Output:
        self.fed.append(features)
        turn = self.script[len(self.fed) - 1]
        if isinstance(turn, ClassifierError):
            raise turn
        return Output(np.array(turn, np.float32))


def pipeline(
    *script: tuple[float, float, float] | ClassifierError, specs: tuple[FeatureSpec, ...] = (LOG_MEL,)
) -> tuple[ModelPipeline, ScriptedNetwork]:
    network = ScriptedNetwork(list(script))
    model = ListeningModel("m", LABELS, specs, network)
    return ModelPipeline(model, "s", HOP_S, shared_caches([model])), network


def window(index: int) -> Window:
    """The window of that number on the hop grid, noise."""
    samples = np.random.default_rng(index).normal(0, 0.1, 32000).astype(np.float32)
    return Window(samples, index * 8000, index * HOP_S, index * HOP_S + 2.0)


def scored(index: int, cry: float) -> Scores:
    return Scores("m", {"cry": cry, "babble": 0.0, "room": 0.0}, index * HOP_S, index * HOP_S + 2.0)


def test_probabilities_are_named_by_label_and_timed_by_their_window() -> None:
    model, network = pipeline((0.25, 0.5, 0.75))
    heard = Heard()
    assert model.score(window(3), heard) == Scores("m", {"cry": 0.25, "babble": 0.5, "room": 0.75}, 1.5, 3.5)
    assert heard == Heard()
    ((features,),) = network.fed
    assert np.array_equal(features, window_features(LOG_MEL, window(3).samples))


def test_every_label_but_a_reject_has_a_decider() -> None:
    model, _ = pipeline()
    decided = [decision.label for decision, _ in model.decide(scored(0, 0.9), trusted=True)]
    assert decided == ["cry", "babble"]


def test_a_failing_network_is_one_fault_from_its_first_failed_window_to_its_next_answer() -> None:
    error, answer = ClassifierError("a score is not finite"), (0.1, 0.1, 0.1)
    model, _ = pipeline(answer, error, error, answer, answer)
    faults, failing = [], []
    for index in range(5):
        heard = Heard()
        assert (model.score(window(index), heard) is None) == (index in (1, 2))
        faults += heard.faults
        failing.append(model.is_failing)
    assert failing == [False, True, True, False, False]
    assert [(fault.kind, fault.begins, fault.since_s, fault.at_s, fault.model) for fault in faults] == [
        ("classifier", True, 0.5, 2.5, "m"),
        ("classifier", False, 0.5, 3.5, "m"),
    ]
    assert faults[0].detail == "a score is not finite"


def test_a_replaced_network_scores_the_next_window() -> None:
    model, broken = pipeline(ClassifierError("broken"))
    assert model.score(window(0), Heard()) is None
    model.replace_network(ScriptedNetwork([(0.9, 0.0, 0.0)]))
    scores = model.score(window(1), Heard())
    assert scores is not None
    assert scores.probabilities["cry"] == pytest.approx(0.9)
    assert len(broken.fed) == 1
    assert not model.is_failing


def begin(model: ModelPipeline) -> None:
    """Two windows of a cry: an event is open."""
    events = [event for index in range(2) for _, event in model.decide(scored(index, 0.9), trusted=True)]
    assert [event.phase for event in events if event is not None] == ["begin"]


def test_a_gap_with_a_reason_ends_open_events_and_one_without_only_restarts_confirmation() -> None:
    model, _ = pipeline()
    begin(model)
    assert model.cross_gap(None, 2.5) == []
    (end,) = model.cross_gap("gap", 2.5)
    assert (end.label, end.phase, end.reason, end.end_s) == ("cry", "end", "gap", 2.5)

    model, _ = pipeline()
    (_, event), _ = model.decide(scored(0, 0.9), trusted=True)
    assert event is None
    assert model.cross_gap(None, 2.0) == []
    (_, event), _ = model.decide(scored(1, 0.9), trusted=True)
    assert event is None  # one window before the gap and one after it confirm nothing


def test_only_the_end_of_a_file_is_judged_by_fewer_windows_than_confirmation_needs() -> None:
    for reason, phases in [("end_of_file", ["begin", "end"]), ("stopped", [])]:
        model, _ = pipeline()
        list(model.decide(scored(0, 0.9), trusted=True))
        assert [event.phase for event in model.finish(reason, 2.0)] == phases


def test_windows_are_accepted_by_rate_and_length_whatever_their_hop() -> None:
    model, _ = pipeline()
    assert model.accepts(WindowFormat(16000, 32000, hop_samples=16000, grid_samples=500))
    assert not model.accepts(WindowFormat(4000, 32000, hop_samples=2000, grid_samples=100))
    assert not model.accepts(WindowFormat(16000, 16000, hop_samples=8000, grid_samples=500))


def test_models_share_frames_and_cepstra_use_those_of_a_log_mel_without_changing_a_bit() -> None:
    network = ScriptedNetwork([])
    models = [ListeningModel(name, LABELS, (MFCC, LOG_MEL), network) for name in ("one", "other")]
    caches = shared_caches(models)
    assert set(caches) == {(LOG_MEL.frame_hash, 32000), (MFCC.frame_hash, 32000)}

    both, fed = pipeline((0.1, 0.1, 0.1), (0.1, 0.1, 0.1), specs=(MFCC, LOG_MEL))
    for index in range(2):
        both.score(window(index), Heard())
    mfcc, log_mel = fed.fed[0]
    assert np.array_equal(mfcc, window_features(MFCC, window(0).samples))
    assert np.array_equal(log_mel, window_features(LOG_MEL, window(0).samples))
