"""The published layout and weights: every array finds its layer, and what is no such archive is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from device.errors import ConfigError
from training.networks.audioset import mn04

PEERS = Path(__file__).resolve().parents[5] / "shared" / "peers"


@pytest.fixture(scope="module")
def backbone() -> keras.Model:
    inputs = keras.Input((20, mn04.BANDS, 1))
    return keras.Model(inputs, mn04.embedding_of(inputs))


@pytest.mark.real_audio
def test_every_published_array_enters_a_layer_and_every_layer_gets_one() -> None:
    inputs = keras.Input((20, mn04.BANDS, 1))
    network = keras.Model(inputs, mn04.class_logits_of(mn04.embedding_of(inputs)))
    mn04.load_published(network, PEERS / "audioset_mn04.npz")
    with np.load(PEERS / "audioset_mn04.npz") as archive:
        published = sum(float(np.abs(archive[name]).astype(np.float64).sum()) for name in archive.files)
        assert network.count_params() == sum(archive[name].size for name in archive.files)
    held = sum(float(np.abs(one).astype(np.float64).sum()) for one in network.get_weights())
    assert held == pytest.approx(published, rel=1e-6)


def test_an_archive_of_another_network_is_refused(backbone: keras.Model, tmp_path: Path) -> None:
    other: dict[str, Any] = {"features.0.0.weight": np.zeros((9, 1, 3, 3), np.float32)}
    np.savez(tmp_path / "other.npz", **other)
    with pytest.raises(ConfigError, match=r"other\.npz is not of mn04_as: features_0_0 has other shapes"):
        mn04.load_published(backbone, tmp_path / "other.npz")
    np.savez(tmp_path / "empty.npz", something=np.zeros(1))
    with pytest.raises(ConfigError, match=r"empty\.npz has no weights of features_0_0: give those of mn04_as"):
        mn04.load_published(backbone, tmp_path / "empty.npz")


@pytest.mark.parametrize("content", [None, b"no archive"])
def test_a_file_that_is_none_is_named(backbone: keras.Model, tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "gone.npz").write_bytes(content)
    with pytest.raises(ConfigError, match=r"gone\.npz cannot be read as an archive of weights"):
        mn04.load_published(backbone, tmp_path / "gone.npz")


def test_layers_know_their_block() -> None:
    assert mn04.block_of("features_12_block_2_conc_se_layers_0_fc1") == 12
    assert mn04.block_of("classifier_2") is None
    assert mn04.block_of("logits") is None
