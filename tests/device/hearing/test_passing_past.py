"""The past of a network goes from each window to the next one of a stream, and nowhere else."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device.errors import ClassifierError, SpecError
from device.hearing.bundle.reader import read_bundle
from device.hearing.classifier import Classifier
from device.hearing.decision import OperatingPoint
from device.hearing.features import window_features
from device.hearing.inference.backbone import Backbones
from device.hearing.inference.forward import SplitNetwork
from device.hearing.listener import Listener
from device.hearing.listening_model import ListeningLabel, ListeningModel
from device.messages import AudioBlock, Heard

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy.typing as npt

    from device.hearing.bundle.contents import Bundle
    from device.hearing.listening_model import Network

    Float32 = npt.NDArray[np.float32]

RATE_HZ = 4000
HOP = RATE_HZ // 2
POINT = OperatingPoint(on=0.5, off=0.3, confirm_s=1.0, confirm_of_s=1.5, min_length_s=0.0, hold_s=1.0, cooldown_s=2.0)


@pytest.fixture(scope="module")
def bundles(carrying_bundle_paths: tuple[Path, Path]) -> tuple[Bundle, Bundle]:
    cry, scream = map(read_bundle, carrying_bundle_paths)
    return cry, scream


@pytest.fixture(scope="module")
def cry(bundles: tuple[Bundle, Bundle]) -> Classifier:
    return Classifier.open(bundles[0])


@pytest.fixture(scope="module")
def sound() -> Float32:
    """8.2 s: a tone that comes and goes in noise; 14 windows, the last one at the file's end."""
    seconds = np.arange(round(8.2 * RATE_HZ)) / RATE_HZ
    tone = 0.3 * np.sin(2 * np.pi * 700 * seconds) * (np.sin(2 * np.pi * seconds / 3.1) > 0)
    return np.asarray(tone + np.random.default_rng(3).normal(0, 0.02, len(seconds)), np.float32)


def _model(bundle: Bundle, network: Network, name: str = "m", follows: str | None = None) -> ListeningModel:
    label = ListeningLabel(bundle.label_names[0], "alarm", POINT)
    return ListeningModel(name, (label,), bundle.specs, network, listens_while=follows, hop_s=0.5)


def _push(listener: Listener, sound: Float32, ends: Sequence[int] = (), *, start: int = 0) -> list[float]:
    """Scores of a sound that is pushed in blocks with these ends."""
    heard, cuts = Heard(), [0, *sorted(end % len(sound) for end in ends), len(sound)]
    for first, last in pairwise(cuts):
        heard.scores.extend(listener.push(AudioBlock(sound[first:last], RATE_HZ, start + first)).scores)
    return [value for scores in heard.scores for value in scores.probabilities.values()]


def _finish(listener: Listener) -> list[float]:
    return [value for scores in listener.finish().scores for value in scores.probabilities.values()]


def _in_sequence(bundle: Bundle, classifier: Classifier, sound: Float32) -> list[float]:
    """What the network says of a sound's windows one after the other, without any listener."""
    starts = range(0, len(sound) - bundle.window_samples + 1, HOP)
    windows = [[window_features(bundle.specs[0], sound[at : at + bundle.window_samples])] for at in starts]
    return [float(output.probabilities[0]) for output in classifier.classify_sequence(windows)]


@given(ends=st.lists(st.integers(0, 10**6), max_size=40))
@settings(max_examples=15, deadline=None)
def test_the_size_of_the_blocks_never_changes_a_score(
    bundles: tuple[Bundle, Bundle], cry: Classifier, sound: Float32, ends: list[int]
) -> None:
    listener = Listener([_model(bundles[0], cry)], stream_id="s")
    found = _push(listener, sound, ends)
    assert found == _in_sequence(bundles[0], cry, sound)
    assert len(_finish(listener)) == 1


def test_what_was_before_changes_the_score_of_a_window(
    bundles: tuple[Bundle, Bundle], cry: Classifier, sound: Float32
) -> None:
    whole, late = _in_sequence(bundles[0], cry, sound), _in_sequence(bundles[0], cry, sound[4 * HOP :])
    assert np.abs(np.subtract(whole[4:], late)).max() > 0.05
    assert whole[4 + 3 :] == late[3:]  # the past holds three windows


@pytest.mark.parametrize("missing", [1, HOP, 10 * HOP])
def test_nothing_of_the_past_crosses_a_gap_of_any_length(
    bundles: tuple[Bundle, Bundle], cry: Classifier, sound: Float32, missing: int
) -> None:
    listener = Listener([_model(bundles[0], cry)], stream_id="s")
    before = _push(listener, sound)
    after = _push(listener, sound, start=len(sound) + missing)
    assert before == after == _in_sequence(bundles[0], cry, sound)


def test_two_listeners_with_one_network_do_not_hear_each_other(
    bundles: tuple[Bundle, Bundle], cry: Classifier, sound: Float32
) -> None:
    """So the self-test plays its sound to the network of the bedside meanwhile."""
    bedside, trial = (Listener([_model(bundles[0], cry)], stream_id=name) for name in ("bedside", "self-test"))
    found: tuple[list[float], list[float]] = [], []
    for first in range(0, len(sound), HOP // 3):
        part, other = sound[first : first + HOP // 3], sound[::-1][first : first + HOP // 3]
        found[0].extend(_push(bedside, part, start=first))
        found[1].extend(_push(trial, np.ascontiguousarray(other), start=first))
    assert found[0] == _in_sequence(bundles[0], cry, sound)
    assert found[1] == _in_sequence(bundles[0], cry, np.ascontiguousarray(sound[::-1]))


def test_models_of_one_backbone_run_it_once_a_window_and_say_the_same_as_alone(
    bundles: tuple[Bundle, Bundle], sound: Float32
) -> None:
    shared = Backbones()
    both = [Classifier.open(bundle, backbones=shared) for bundle in bundles]
    networks = [each._forward for each in both]
    assert isinstance(networks[0], SplitNetwork)
    assert isinstance(networks[1], SplitNetwork)
    backbone = networks[0]._backbone
    assert backbone is networks[1]._backbone
    before, windows = backbone.runs, (len(sound) - 2 * RATE_HZ) // HOP + 1
    models = [_model(bundle, each, bundle.name) for bundle, each in zip(bundles, both, strict=True)]
    found = _push(Listener(models, stream_id="s"), sound)
    assert backbone.runs - before == windows
    for place, bundle in enumerate(bundles):
        with Classifier.open(bundle) as alone:
            assert found[place::2] == _in_sequence(bundle, alone, sound)


def test_a_backbone_of_other_bytes_or_threads_is_not_shared(bundles: tuple[Bundle, Bundle]) -> None:
    shared = Backbones()
    one, two = (Classifier(bundles[0], backbones=shared, threads=threads)._forward for threads in (1, 2))
    assert isinstance(one, SplitNetwork)
    assert isinstance(two, SplitNetwork)
    assert one._backbone is not two._backbone


class _Gate:
    """A model whose label is on for the windows of these numbers."""

    def __init__(self, on: set[int]) -> None:
        self._on, self._count = on, 0

    def classify(self, features: Sequence[Float32]) -> Any:  # noqa: ARG002 - of the Protocol
        self._count += 1
        return type("Output", (), {"probabilities": np.array([float(self._count - 1 in self._on)], np.float32)})


def test_a_model_that_did_not_run_begins_without_a_past(bundles: tuple[Bundle, Bundle], cry: Classifier) -> None:
    """It follows a label, which is off for some windows in between."""
    long = np.random.default_rng(0).normal(0, 0.1, 12 * RATE_HZ).astype(np.float32)
    gate = _model(bundles[0], _Gate({0, 1, 2, 3, 10, 11, 12, 13, 14}), "gate")
    listener = Listener([gate, _model(bundles[1], cry, "follower", follows=bundles[0].label_names[0])], stream_id="s")
    rows = [each for each in listener.push(AudioBlock(long, RATE_HZ, 0)).scores if each.model == "follower"]
    starts = [round(each.start_s * RATE_HZ) for each in rows]
    begins = [at for at, before in zip(starts, [-2 * HOP, *starts], strict=False) if at - before > HOP]
    assert len(begins) == 2
    for begin in begins:
        run = [row for row, at in zip(rows, starts, strict=True) if at >= begin][:4]
        found = [value for row in run for value in row.probabilities.values()]
        assert found == _in_sequence(bundles[0], cry, long[begin:])[:4]


class _Diary:
    """Writes down each past that it is given; fails at the windows of these numbers."""

    def __init__(self, fails_at: int = -1) -> None:
        self.given: list[float | None] = []
        self._fails_at = fails_at

    def classify(self, features: Sequence[Float32]) -> Any:
        return self.classify_after(features, None)

    def classify_after(self, features: Sequence[Float32], past: Float32 | None) -> Any:  # noqa: ARG002 - of the Protocol
        self.given.append(None if past is None else float(past[0, 0]))
        if len(self.given) - 1 == self._fails_at:
            raise ClassifierError("a score is nan, no finite number")
        after = np.full((1, 1), len(self.given) - 1, np.float32)
        return type("Output", (), {"probabilities": np.zeros(1, np.float32), "next_past": after})


def test_a_failure_is_a_fault_and_leaves_no_past_behind(bundles: tuple[Bundle, Bundle], sound: Float32) -> None:
    diary = _Diary(fails_at=3)
    listener = Listener([_model(bundles[0], diary)], stream_id="s")
    heard = listener.push(AudioBlock(sound, RATE_HZ, 0))
    assert [fault.kind for fault in heard.faults if fault.kind == "classifier"] == ["classifier", "classifier"]
    assert diary.given[:7] == [None, 0.0, 1.0, 2.0, None, 4.0, 5.0]


def test_another_network_begins_without_a_past(bundles: tuple[Bundle, Bundle], sound: Float32) -> None:
    listener, fresh = Listener([_model(bundles[0], _Diary())], stream_id="s"), _Diary()
    _push(listener, sound)
    listener.replace_networks({"m": fresh})
    _push(listener, sound, start=len(sound))
    assert fresh.given[:3] == [None, 0.0, 1.0]


def test_a_deaf_microphone_leaves_no_past_behind(bundles: tuple[Bundle, Bundle]) -> None:
    """Digital silence for 6 s becomes a fault; the windows since its end follow one another anew."""
    noise = np.random.default_rng(0).normal(0, 0.02, 6 * RATE_HZ).astype(np.float32)
    silence = np.zeros(6 * RATE_HZ, np.float32)
    diary = _Diary()
    listener = Listener([_model(bundles[0], diary)], stream_id="s")
    heard = listener.push(AudioBlock(np.concatenate([noise, silence, noise]), RATE_HZ, 0))
    assert {fault.begins for fault in heard.faults} == {True, False}
    assert diary.given[0] is None
    assert diary.given[1:].count(None) == 2  # where it begins, and where it ends


def test_a_past_that_is_not_finite_is_refused_before_it_is_handed_on(bundles: tuple[Bundle, Bundle]) -> None:
    spec = bundles[0].specs[0]
    features = [np.zeros(spec.shape, np.float32)]
    with Classifier.open(bundles[0]) as classifier:
        network = classifier._forward
        assert isinstance(network, SplitNetwork)
        good = classifier.classify_after(features, None).next_past
        assert good is not None
        with pytest.raises(ClassifierError, match="past holds a value that is no finite number"):
            classifier.classify_after(features, np.full_like(good, np.nan))
        tensor = network._head.outputs["next_past"]
        network._head.outputs["next_past"] = type(
            "Broken", (), {"values": lambda _, found: np.full_like(tensor.values(found), np.inf)}
        )()
        with pytest.raises(ClassifierError, match="a number of its past is inf, no finite number"):
            classifier.classify_after(features, None)


def test_opening_leaves_nothing_behind(bundles: tuple[Bundle, Bundle], sound: Float32) -> None:
    with Classifier(bundles[0]) as fresh, Classifier.open(bundles[0]) as opened:
        assert _in_sequence(bundles[0], fresh, sound) == _in_sequence(bundles[0], opened, sound)


def test_another_hop_than_it_was_trained_with_is_refused_but_overload_may_widen_it(
    bundles: tuple[Bundle, Bundle], cry: Classifier
) -> None:
    with pytest.raises(
        SpecError, match=r"model m: hop_s is 0\.25, must be 0\.5: its network knows windows so far apart"
    ):
        Listener([_model(bundles[0], cry)], stream_id="s", hop_s=0.25)
    Listener([_model(bundles[0], cry)], stream_id="s").change_hop(1.0)


def test_a_network_in_one_part_takes_no_past(tiny_low_bundle_path: Path) -> None:
    bundle = read_bundle(tiny_low_bundle_path)
    with Classifier.open(bundle) as classifier, pytest.raises(ClassifierError, match="the network carries none"):
        classifier.classify_after([np.zeros(bundle.specs[0].shape, np.float32)], np.zeros((3, 8), np.float32))
