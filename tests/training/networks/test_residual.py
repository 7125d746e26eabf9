"""The student network: its size, its layers, its two inputs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import keras
import numpy as np
import pytest

from device.hearing.features import window_features
from training.networks import residual
from training.networks.networks_command import multiplications

if TYPE_CHECKING:
    from device.hearing.spec import FeatureSpec


@pytest.fixture(scope="module")
def student() -> residual.StudentNetwork:
    return residual.build(embedding_size=7, dropout=0.2, seed=5)


def test_the_network_has_134_thousand_parameters_and_106_million_multiplications(
    student: residual.StudentNetwork,
) -> None:
    assert student.network.count_params() == 133_633
    assert 100e6 < multiplications(student.network) < 115e6


def test_every_layer_is_one_that_keras_brings(student: residual.StudentNetwork) -> None:
    assert all(type(layer).__module__.startswith("keras.") for layer in student.network.layers)


def test_every_convolution_is_followed_by_its_batch_normalization(student: residual.StudentNetwork) -> None:
    for layer in student.network.layers:
        if isinstance(layer, keras.layers.Conv2D):
            followers = [node.operation for node in layer._outbound_nodes]
            assert [type(one) for one in followers] == [keras.layers.BatchNormalization]
            assert not layer.use_bias


def test_inputs_are_the_specs_and_the_output_is_one_logit(student: residual.StudentNetwork) -> None:
    assert [tensor.shape[1:] for tensor in student.network.inputs] == [(62, 64, 1), (62, 40, 1)]
    assert student.network.output.shape[1:] == (1,)
    logit, embedding = student.trainable([np.zeros((3, *spec.shape, 1), np.float32) for spec in residual.SPECS])
    assert logit.shape == (3, 1)
    assert embedding.shape == (3, 7)


def test_both_inputs_share_their_mel_frames_and_can_be_streamed() -> None:
    assert residual.LOG_MEL.mel_hash == residual.MFCC.mel_hash
    assert all(spec.streamable and spec.window_samples == 32_000 for spec in residual.SPECS)


@pytest.mark.parametrize("spec", residual.SPECS, ids=["log_mel", "mfcc"])
def test_features_do_not_depend_on_the_microphones_gain(spec: FeatureSpec) -> None:
    loud = np.random.default_rng(0).normal(0, 0.1, 32_000).astype(np.float32)
    difference = window_features(spec, loud) - window_features(spec, np.float32(0.1) * loud)
    assert np.abs(difference).max() < 0.02


@pytest.mark.parametrize("spec", residual.SPECS, ids=["log_mel", "mfcc"])
def test_digital_silence_is_finite(spec: FeatureSpec) -> None:
    assert np.isfinite(window_features(spec, np.zeros(32_000, np.float32))).all()


def test_seeds_make_the_weights() -> None:
    one, same, other = (residual.build(embedding_size=1, dropout=0.0, seed=seed).network for seed in (1, 1, 2))
    assert all(np.array_equal(*pair) for pair in zip(one.get_weights(), same.get_weights(), strict=True))
    assert not all(np.array_equal(*pair) for pair in zip(one.get_weights(), other.get_weights(), strict=True))
