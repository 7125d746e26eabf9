"""Examples -> arrays that a network takes, through the device's own features."""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from device.errors import ConfigError
from device.hearing.features import window_features
from training.data.datasets.annotated_recording import load_audio
from training.preparation.class_balance import Drawn
from training.preparation.prepared_stretch import Alteration, Cleaning, Stretch, prepared
from training.preparation.recipes import example_rng
from training.scaling.run_all import run_all

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy.typing as npt

    from device.hearing.spec import FeatureSpec
    from training.data.datasets.annotated_recording import AnnotatedRecording
    from training.data.examples import Example
    from training.preparation.prepared_stretch import Decode
    from training.preparation.recipes import Recipe
    from training.scaling.feature_cache import FeatureCache

    Float32 = npt.NDArray[np.float32]
    Augmentation = Callable[[Example], Recipe]

_AS_RECORDED = Cleaning()


@dataclass(frozen=True, slots=True)
class _Job:
    """Stretches of one recording, which is decoded once for each sample rate; all are altered, or none is."""

    recording: AnnotatedRecording
    stretches: tuple[Stretch, ...]
    specs: tuple[FeatureSpec, ...]
    cleaning: Cleaning


def feature_batch(
    examples: Sequence[Example | Drawn],
    specs: Sequence[FeatureSpec],
    *,
    cleaning: Cleaning = _AS_RECORDED,
    augmentation: Augmentation | None = None,
    seed: int = 0,
    cache: FeatureCache | None = None,
    workers: int = 1,
    scheduler: str | None = None,
    progress: str = "",
) -> tuple[list[Float32], Float32]:
    """Features and targets of examples, in their order.

    Args:
        examples: n stretches of recordings; of those that were drawn by `balanced`, only repetitions are augmented.
        specs: features of each input of the network.
        cleaning: how a stretch becomes as long as a spec's window, and what else is done to its sound.
        augmentation: the recipe for each example; None changes none. What is drawn depends on the seed and on the
            place of the example in the list, on nothing else.
        seed: of the augmentation.
        cache: where features that are not augmented are kept and found again; None for nowhere.
        workers: processes that compute; their number changes no result.
        scheduler: address of a Dask scheduler whose workers compute instead.
        progress: what a bar on a terminal calls the recordings; empty for no bar.

    Returns:
        For each spec float32 (n, frames, bins, 1), and the targets, float32 (n, labels).

    Raises:
        ConfigError: examples that do not train would be augmented.
        RecordingError: a recording is missing, no audio, or empty.
        ServiceError: a worker died twice over one recording, or the cluster lost all its workers.
    """
    plain = [one.example if isinstance(one, Drawn) else one for one in examples]
    alterations = _alterations(examples, plain, augmentation, seed)
    arrays = [np.empty((len(plain), *spec.shape, 1), np.float32) for spec in specs]
    places = _places(plain, alterations)
    jobs = [_job(plain, alterations, indices, tuple(specs), cleaning) for indices in places]
    compute = functools.partial(_features_of, cache=cache)
    rows = run_all(compute, jobs, workers=workers, scheduler=scheduler, progress=progress)
    for indices, found in zip(places, rows, strict=True):
        for array, features in zip(arrays, found, strict=True):
            array[indices] = features[..., None]
    return arrays, targets_of(plain)


def targets_of(examples: Sequence[Example]) -> Float32:
    """The targets of examples: (n, labels)."""
    return np.array([example.target for example in examples], np.float32)


def _alterations(
    examples: Sequence[Example | Drawn], plain: Sequence[Example], augmentation: Augmentation | None, seed: int
) -> list[Alteration | None]:
    """For each example how it is changed; its partner is another one of the same target, or one without a label."""
    if augmentation is None:
        return [None] * len(plain)
    if any(one.part != "train" for one in plain):
        raise ConfigError("only training examples are augmented; give those of the part train")
    alike: dict[tuple[float, ...], list[Example]] = {}
    for one in plain:
        alike.setdefault(one.target, []).append(one)

    def changed(one: Example, index: int) -> Alteration:
        recipe = augmentation(one)
        wanted = one.target if recipe.partner == "alike" else (0.0,) * len(one.target)
        return Alteration(recipe, seed, index, _partner(alike.get(wanted, alike[one.target]), seed, index))

    return [
        None if isinstance(drawn, Drawn) and drawn.copy == 0 else changed(one, index)
        for index, (drawn, one) in enumerate(zip(examples, plain, strict=True))
    ]


def _partner(alike: Sequence[Example], seed: int, index: int) -> tuple[AnnotatedRecording, float, float]:
    partner = alike[int(example_rng(seed, index, purpose=1).integers(len(alike)))]
    return _found_anywhere(partner.recording), partner.start_s, partner.end_s


def _found_anywhere(recording: AnnotatedRecording) -> AnnotatedRecording:
    """With the full path: a worker of a cluster stands in another folder."""
    return replace(recording, file=recording.file.resolve())


def _places(examples: Sequence[Example], alterations: Sequence[Alteration | None]) -> list[list[int]]:
    """Indices of the examples of each recording, altered ones apart, in the order of their first example."""
    places: dict[tuple[str, bool], list[int]] = {}
    for index, (example, alteration) in enumerate(zip(examples, alterations, strict=True)):
        places.setdefault((str(example.recording.file), alteration is not None), []).append(index)
    return list(places.values())


def _job(
    examples: Sequence[Example],
    alterations: Sequence[Alteration | None],
    indices: Sequence[int],
    specs: tuple[FeatureSpec, ...],
    cleaning: Cleaning,
) -> _Job:
    stretches = tuple(Stretch(examples[one].start_s, examples[one].end_s, alterations[one]) for one in indices)
    return _Job(_found_anywhere(examples[indices[0]].recording), stretches, specs, cleaning)


def _features_of(job: _Job, *, cache: FeatureCache | None) -> list[Float32]:
    """For each spec the features of all stretches of one recording: (stretches, frames, bins)."""
    if cache is None or any(stretch.alteration for stretch in job.stretches):
        return _computed(job)
    cut = (tuple((one.start_s, one.end_s) for one in job.stretches), job.cleaning)
    key = cache.key(job.recording.file, [spec.spec_hash for spec in job.specs], cut)
    return cache.arrays(key, functools.partial(_computed, job))


def _computed(job: _Job) -> list[Float32]:
    # The stretches of a recording follow each other, and often one is wanted at two rates.
    decode = functools.lru_cache(maxsize=4)(load_audio)
    rows = [_row(job, stretch, decode) for stretch in job.stretches]
    return [np.stack(column) for column in zip(*rows, strict=True)]


def _row(job: _Job, stretch: Stretch, decode: Decode) -> list[Float32]:
    """For each spec the features of one stretch; inputs of one rate and length hear the same changes."""
    windows = {
        (rate_hz, length): prepared(job.recording, stretch, job.cleaning, rate_hz=rate_hz, length=length, decode=decode)
        for rate_hz, length in {(spec.sample_rate_hz, spec.window_samples) for spec in job.specs}
    }
    return [window_features(spec, windows[spec.sample_rate_hz, spec.window_samples]) for spec in job.specs]
