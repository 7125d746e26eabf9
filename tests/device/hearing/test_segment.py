"""A segment's windows: one format for models that share rate and window, on the grid of all their frames."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from device.config.settings import FilterSettings
from device.errors import SpecError
from device.hearing.filters import FilterChain
from device.hearing.listening_model import ListeningModel
from device.hearing.segment import RESAMPLED_SLICE_S, SLICE_S, Segment, WindowPipeline, window_formats
from device.hearing.spec import FeatureSpec
from device.hearing.windows import WindowFormat
from device.messages import AudioBlock

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from device.hearing.listening_model import NetworkOutput

    Float32 = npt.NDArray[np.float32]

CRY_HOP, LUNG_HOP = 500, 100
CRY = FeatureSpec(16000, 32000, 1024, 1024, CRY_HOP, n_mels=16)
LUNG = FeatureSpec(4000, 8000, 256, 256, LUNG_HOP, n_mels=16, f_max_hz=2000.0)


class NoNetwork:
    """Computes nothing: formats follow from the specs alone."""

    def classify(self, features: Sequence[Float32]) -> NetworkOutput:
        raise AssertionError(features)


def model(name: str, *specs: FeatureSpec) -> ListeningModel:
    return ListeningModel(name, (), specs, NoNetwork())


def with_hop(hop: int) -> FeatureSpec:
    return FeatureSpec(16000, 32000, 1024, 1024, hop, n_mels=16)


def test_models_with_one_rate_and_window_share_windows_on_the_common_grid_of_their_frames() -> None:
    models = [model("lung", LUNG), model("cry", with_hop(160)), model("scream", with_hop(400))]
    assert window_formats(models, 0.5) == [
        WindowFormat(4000, 8000, hop_samples=2000, grid_samples=LUNG_HOP),
        WindowFormat(16000, 32000, hop_samples=8000, grid_samples=800),  # the least multiple of 160 and 400
    ]


def test_the_inputs_of_one_model_share_its_grid_too() -> None:
    (shared,) = window_formats([model("cry", with_hop(500), with_hop(320))], 0.5)
    assert shared.grid_samples == 8000


@pytest.mark.parametrize("hop_s", [CRY_HOP / 16000, 0.25, 2.0])
def test_a_hop_of_whole_frames_up_to_the_window_is_accepted(hop_s: float) -> None:
    (cry,) = window_formats([model("cry", CRY)], hop_s)
    assert cry.hop_samples == hop_s * 16000


@pytest.mark.parametrize("hop_s", [0.0, -0.5, 1e-12, 0.01, 0.1, 2.03125])
def test_a_hop_of_part_of_a_frame_or_beyond_the_window_names_model_hop_and_range(hop_s: float) -> None:
    sentence = rf"model cry: hop_s is {hop_s}, must be a multiple of 0\.03125 s up to the window's 2 s"
    with pytest.raises(SpecError, match=sentence):
        window_formats([model("cry", CRY)], hop_s)


def test_inputs_of_different_rates_and_centred_frames_are_refused() -> None:
    with pytest.raises(SpecError, match="model both: its inputs have different rates or windows"):
        window_formats([model("both", CRY, LUNG)], 0.5)
    centred = FeatureSpec(16000, 32000, 1024, 1024, 500, n_mels=16, centre=True)
    with pytest.raises(SpecError, match="model cry: its frames are centred"):
        window_formats([model("cry", centred)], 0.5)


def segment(rate_hz: int, start_sample: int) -> Segment:
    return Segment(
        rate_hz, start_sample, window_formats([model("cry", CRY)], 0.5), FilterChain(FilterSettings(), rate_hz)
    )


def test_a_block_continues_a_segment_only_at_its_next_sample_and_rate() -> None:
    current = segment(16000, 800)
    samples = np.zeros(80, np.float32)
    assert current.is_continued_by(AudioBlock(samples, 16000, 800))
    assert not current.is_continued_by(AudioBlock(samples, 16000, 801))
    assert not current.is_continued_by(AudioBlock(samples, 16000, 799))
    assert not current.is_continued_by(AudioBlock(samples, 48000, 800))


def test_a_segment_is_at_its_start_until_its_first_slice_is_processed() -> None:
    current = segment(16000, 32000)
    assert (current.is_at_start, current.now_s) == (True, 2.0)
    current.next_slice_sample += 1600
    assert (current.is_at_start, current.now_s) == (False, 2.1)


@pytest.mark.parametrize(("rate_hz", "slice_s"), [(16000, SLICE_S), (44100, RESAMPLED_SLICE_S)])
def test_slices_are_shorter_if_they_are_resampled(rate_hz: int, slice_s: float) -> None:
    current = segment(rate_hz, 0)
    slices = list(current.push(AudioBlock(np.zeros(rate_hz, np.float32), rate_hz, 0)))
    assert {len(samples) for samples, _ in slices} == {round(rate_hz * slice_s)}
    assert current.next_block_sample == rate_hz


def test_the_power_of_a_mix_is_sliced_like_its_samples() -> None:
    current, samples = segment(16000, 0), np.arange(4000, dtype=np.float32)
    pieces = [
        piece
        for first in range(0, 4000, 500)
        for piece in current.push(
            AudioBlock(samples[first : first + 500], 16000, first, independent_power=samples[first : first + 500])
        )
    ]
    pieces.append(current.finish())
    assert [len(piece) for piece, _ in pieces] == [1600, 1600, 800]
    for piece, power in pieces:
        np.testing.assert_array_equal(piece, power)


@pytest.mark.parametrize("capture_hz", [16000, 44100, 48000, 8000])
def test_windows_are_complete_at_the_times_of_the_stream_whatever_the_capture_rate(capture_hz: int) -> None:
    pipeline = WindowPipeline(window_formats([model("cry", CRY)], 0.5)[0], capture_hz, start_s=7.0)
    noise = np.random.default_rng(0).normal(0, 0.1, 5 * capture_hz).astype(np.float32)
    windows = [*pipeline.push(noise), *pipeline.drain()]
    assert [window.start_s for _, window in windows] == [7.0, 7.5, 8.0, 8.5, 9.0, 9.5, 10.0]
    assert {len(window.samples) for _, window in windows} == {32000}


def test_a_changed_hop_applies_to_the_next_window() -> None:
    narrow, wide = (window_formats([model("cry", CRY)], hop_s)[0] for hop_s in (0.5, 1.0))
    pipeline = WindowPipeline(narrow, 16000, start_s=0.0)
    sound = np.zeros(3 * 16000, np.float32)
    first = [(window_format, window.start_s) for window_format, window in pipeline.push(sound)]
    pipeline.change_hop(wide)
    then = [(window_format, window.start_s) for window_format, window in pipeline.push(sound)]
    assert first == [(narrow, 0.0), (narrow, 0.5), (narrow, 1.0)]
    assert then == [(wide, 2.0), (wide, 3.0), (wide, 4.0)]


def test_the_tail_of_a_file_has_a_window_that_ends_with_it_on_the_grid() -> None:
    pipeline = WindowPipeline(window_formats([model("cry", CRY)], 0.5)[0], 16000, start_s=0.0)
    assert len(list(pipeline.push(np.zeros(32000 + 3100, np.float32)))) == 1
    ((_, tail),) = pipeline.finish(short_file=False)
    assert tail.start_sample == 3000  # 6 frames of 500
