"""The network that remembers: hop by hop on the device, it scores what it scored over whole sequences in training."""

from __future__ import annotations

import numpy as np
import pytest

from tests.training.sequences.test_mixture import sound, tone
from training.__main__ import main
from training.networks.audioset import second_network
from training.networks.audioset.mn04 import class_logits_of
from training.sequences.fitting import event_loss, judged, truth_of
from training.sequences.handover import columns_of, description
from training.sequences.mining import highest_false, logits_of
from training.sequences.shards import Sequences
from training.sequences.sound_kinds import EVENTS, LABELS, REJECTED

HOPS = 9


@pytest.fixture(scope="module")
def parts() -> tuple[object, object]:
    rng = np.random.default_rng(5)
    backbone = second_network.build_backbone()
    head = second_network.build_head(
        len(LABELS), 3, mean=rng.normal(size=384).astype(np.float32), spread=rng.uniform(0.5, 2, 384).astype(np.float32)
    )
    return backbone, head


def test_hop_by_hop_it_scores_what_it_scored_over_whole_sequences(parts: tuple[object, object]) -> None:
    import keras

    backbone, head = parts
    early, late = second_network.divided(backbone)
    inputs = keras.Input((384,))
    classifier = keras.Model(inputs, class_logits_of(inputs))
    sequence = second_network.training_network(late, head, classifier, HOPS)
    windows = np.random.default_rng(1).normal(size=(HOPS, 197, 128, 1)).astype(np.float32)
    logits, classes = sequence(np.asarray(early(windows[:, -100:]))[None], training=False)
    assert classes.shape == (1, HOPS, 527)

    columns = columns_of("scream")
    device = second_network.device_network(backbone, head, columns)
    past = np.zeros((1, second_network.PAST_STEPS, 384), np.float32)
    for hop in range(HOPS):
        out = device([windows[hop : hop + 1], past], training=False)
        assert np.allclose(out["scores"][0], np.asarray(logits)[0, hop, list(columns)], atol=1e-4)
        assert np.array_equal(np.asarray(out["next_past"])[0, :-1], past[0, 1:])
        past = np.asarray(out["next_past"])


def test_the_device_network_can_be_cut_at_its_embedding(parts: tuple[object, object]) -> None:
    device = second_network.device_network(*parts, columns_of("cry"))
    assert [one.name for one in device.inputs] == ["input_0", "past"]
    assert sorted(device.output) == ["next_past", "scores"]
    assert device.get_layer("embedding").output.shape == (None, 384)
    assert device.output["scores"].shape == (None, 1 + len(REJECTED))


def test_a_shift_moves_the_event_alone_and_changes_no_ranking(parts: tuple[object, object]) -> None:
    rng = np.random.default_rng(2)
    window = rng.normal(size=(3, 197, 128, 1)).astype(np.float32)
    past = rng.normal(size=(3, second_network.PAST_STEPS, 384)).astype(np.float32)
    plain, shifted = (
        np.asarray(second_network.device_network(*parts, columns_of("cry"), shift=shift)([window, past])["scores"])
        for shift in (0.0, -3.2)
    )
    assert np.allclose(shifted[:, 0], plain[:, 0] - 3.2, atol=1e-5)
    assert np.array_equal(shifted[:, 1:], plain[:, 1:])


@pytest.mark.parametrize("shift", ["nan", "inf", "10.5", "-11"])
def test_a_shift_beyond_all_scores_is_one_sentence(shift: str, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--run", "none", "--work", "none", "--data", "none", "--out", "none"]
    assert main(["hand-over", *words, f"--shift={shift}"]) == 2
    assert capsys.readouterr().err.strip().endswith("must be -10 to 10")


def test_the_rejected_labels_stand_in_one_model_alone() -> None:
    labels = {event: [label["name"] for label in description(event, {})["labels"]] for event in EVENTS}
    assert labels == {"cry": ["cry", *REJECTED], "scream": ["scream"]}
    assert columns_of("scream") == (LABELS.index("scream"),)


def test_models_of_both_events_share_the_backbone_bit_for_bit(parts: tuple[object, object]) -> None:
    cry, scream = (second_network.device_network(*parts, columns_of(event)) for event in EVENTS)
    for one, other in zip(cry.layers, scream.layers, strict=True):
        assert one.name == other.name
        if one.name != "head_logits":
            for a, b in zip(one.get_weights(), other.get_weights(), strict=True):
                assert np.array_equal(a, b)


def sequences(targets: np.ndarray, weights: np.ndarray) -> Sequences:
    empty = np.zeros((len(targets), targets.shape[1], 384), np.float32)
    return Sequences(empty.astype(np.float16), empty, targets.astype(np.float32), weights.astype(np.float32))


def test_what_is_unknown_costs_nothing() -> None:
    shape = (2, 3, len(LABELS))
    targets, weights = np.zeros(shape), np.ones(shape)
    weights[0, 1, 0] = 0.0
    truth = truth_of(sequences(targets, weights))
    logits = np.zeros(shape, np.float32)
    changed = logits.copy()
    changed[0, 1, 0] = 9.0
    assert np.allclose(event_loss(truth, logits), event_loss(truth, changed))
    changed[0, 2, 0] = 9.0
    assert np.asarray(event_loss(truth, changed))[0] > np.asarray(event_loss(truth, logits))[0]


def test_a_perfect_network_finds_every_second_of_an_event() -> None:
    targets = np.zeros((4, 500, len(LABELS)))
    targets[0, :50, 0] = targets[1, :50, 1] = 1.0
    held = sequences(targets, np.ones_like(targets))
    found = judged((targets * 8 - 4).astype(np.float32), held)
    assert found["cry"] == found["scream"] == 1.0
    assert judged(np.zeros(targets.shape, np.float32), held)["cry"] == 0.0


def test_sounds_that_are_scored_together_score_as_each_by_itself(parts: tuple[object, object]) -> None:
    backbone, head = parts
    early, late = second_network.divided(backbone)
    windows = np.random.default_rng(4).normal(size=(7, 100, 128, 1)).astype(np.float32)
    first, second = np.split(np.asarray(early(windows)).astype(np.float16), [3])
    together = logits_of([first, second], late, head)
    for one, alone in zip(together, (first, second), strict=True):
        assert np.allclose(one, logits_of([alone], late, head)[0], atol=1e-4)
        assert one.shape == (len(alone), len(LABELS))


def test_only_what_a_recording_is_known_not_to_hold_is_a_mistake() -> None:
    logits = np.full((3, len(LABELS)), -9.0, np.float32)
    logits[1, EVENTS.index("cry")] = 9.0
    assert highest_false(sound(tone(500, 2.0), label="cat"), logits) > 0.99
    assert highest_false(sound(tone(500, 2.0), event="cry"), logits) < 0.01


def test_only_the_event_raises_alarms() -> None:
    labels = description(EVENTS[0], {})["labels"]
    assert [one["name"] for one in labels if one["role"] == "alarm"] == [EVENTS[0]]
    assert {one["role"] for one in labels[1:]} == {"reject"}
