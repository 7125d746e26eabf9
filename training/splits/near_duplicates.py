"""Finds the same sound in two files, though level, position, codec, bandwidth or sample rate differ.

Hashes do not match lossy copies, so spectra are compared: every second of each clip with every position in
every longer one:

1. *Fingerprint*: one second of a log-mel spectrogram, 200 Hz to 3.5 kHz (what a telephone leaves), as
   its low two-dimensional cosine coefficients. Those that are constant in time (level, microphone) or
   in frequency (gain control) are left out, the others lifted to equal weight (speech-robust hashing
   in the sense of Haitsma and Kalker, "A Highly Robust Audio Fingerprinting System", ISMIR 2002, kept
   as numbers so that a product of matrices compares them).
2. *Confirmation*: if two fingerprints correlate, the spectrograms are aligned in steps
   of 8 ms, and on the best 1.2 s the waveforms too. Beeps of one alarm clock agree in the first, held
   notes of one pitch in the second; a copy agrees in both.

Knows nothing of collections, labels or parts. Not reliably found: sounds played slower or faster, clips
under one second, copies buried in other sound.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from training.scaling.run_all import run_all

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

COMPARED_HZ = 8000
SAME_SPECTRUM = 0.8
SAME_WAVEFORM = 0.45  # an unneeded join costs nothing, an overlooked copy makes the test unfair

_FRAME = 1024
_HOP = 256
_FINE_HOP = 64
_BANDS = 20
_LOW_HZ, _HIGH_HZ = 200.0, 3500.0
_FLOOR_BELOW_PEAK = 10.0**-4.5
_PATCH_FRAMES = 28  # 0.99 s with its window
_QUEFRENCIES, _MODULATIONS = 8, 12
_QUERY_STEP = 15  # 0.48 s: in any shared 1.5 s stands one whole patch
_CANDIDATE = 0.7
_SILENT_BELOW_PEAK = 10.0**-3.5
_STRETCH_S = 1.2  # in steps of a quarter: in any shared 1.5 s stands one whole stretch
_SHORTEST_S = 0.5
_SLACK_S = 0.064

_Samples = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class ComparedClip:
    """A clip to compare.

    Attributes:
        name: what the findings call it.
        group: clips of one group are known to belong together and are not compared.
        duration_s: its length.
        load: returns its samples, float32 (n,) at `COMPARED_HZ`.
    """

    name: str
    group: str
    duration_s: float
    load: Callable[[], _Samples]


@dataclass(frozen=True, slots=True, order=True)
class NearDuplicate:
    """Two clips that hold the same sound; `file_a` < `file_b`.

    Attributes:
        file_a: name of the one clip.
        file_b: name of the other.
        similarity: correlation of their spectrograms over the best 1.2 s, in [-1, 1].
        waveform: largest absolute correlation of their waveforms there, in [0, 1].
        offset_s: the sound at t in `file_a` is at t + offset_s in `file_b`.
    """

    file_a: str
    file_b: str
    similarity: float
    waveform: float
    offset_s: float


@dataclass(frozen=True, slots=True, eq=False)
class _Fingerprints:
    """Unit vectors (n, quefrencies * modulations), and of which clip and which frame each is, (n,)."""

    vectors: _Samples
    clip: npt.NDArray[np.int64]
    frame: npt.NDArray[np.int64]


def find_near_duplicates(
    clips: Sequence[ComparedClip], *, workers: int = 1, scheduler: str | None = None
) -> tuple[NearDuplicate, ...]:
    """All pairs of clips of different groups that share 1.5 s of sound (or all of the shorter one), sorted.

    About three minutes on one core for nine hours in 7,000 clips, and 1 GB of memory.

    Args:
        clips: what is compared.
        workers: processes that take fingerprints; their number changes no result.
        scheduler: of a Dask cluster that takes them instead.
    """
    ordered = sorted(clips, key=lambda clip: (clip.duration_s, clip.name))
    spectra = _FineSpectra(ordered)
    prints = _fingerprints(ordered, workers, scheduler)
    found = (_confirm(ordered, spectra, pair, offset) for pair, offset in sorted(_candidates(ordered, prints).items()))
    return tuple(sorted(duplicate for duplicate in found if duplicate))


def write_near_duplicates(path: Path, found: Iterable[NearDuplicate]) -> None:
    """Write findings as CSV, sorted by name."""
    with path.open("w", newline="", encoding="utf-8") as lines:
        writer = csv.writer(lines, lineterminator="\n")
        writer.writerow(["file_a", "file_b", "similarity", "waveform", "offset_s"])
        for pair in sorted(found):
            figures = (f"{pair.similarity:.2f}", f"{pair.waveform:.2f}", f"{pair.offset_s:.2f}")
            writer.writerow([pair.file_a, pair.file_b, *figures])


def read_near_duplicates(path: Path) -> tuple[NearDuplicate, ...]:
    """Findings as `write_near_duplicates` wrote them."""
    with path.open(newline="", encoding="utf-8") as lines:
        return tuple(
            NearDuplicate(
                file_a=row["file_a"],
                file_b=row["file_b"],
                similarity=float(row["similarity"]),
                waveform=float(row["waveform"]),
                offset_s=float(row["offset_s"]),
            )
            for row in csv.DictReader(lines)
        )


def _candidates(clips: Sequence[ComparedClip], prints: _Fingerprints) -> dict[tuple[int, int], int]:
    """(shorter clip, longer clip) -> by how many frames the sound is later in the longer one."""
    _, group = np.unique([clip.group for clip in clips], return_inverse=True)
    best: dict[tuple[int, int], tuple[float, int]] = {}
    for query, other, score in _close_pairs(prints):
        pair = (int(prints.clip[query]), int(prints.clip[other]))
        if pair[0] < pair[1] and group[pair[0]] != group[pair[1]]:
            offset = int(prints.frame[other] - prints.frame[query])
            best[pair] = max(best.get(pair, (0.0, 0)), (score, offset))
    return {pair: offset for pair, (_, offset) in best.items()}


def _close_pairs(prints: _Fingerprints) -> Iterator[tuple[int, int, float]]:
    """Each fingerprint of 0.48 s steps against all of its own and of longer clips: (query, other, score)."""
    queries = np.flatnonzero(prints.frame % _QUERY_STEP == 0)
    for block in np.array_split(queries, max(1, len(queries) // 2048)):
        first = int(np.searchsorted(prints.clip, prints.clip[block[0]])) if len(block) else 0
        for start in range(first, len(prints.vectors), 16384):
            scores = prints.vectors[block] @ prints.vectors[start : start + 16384].T
            rows, columns = np.nonzero(scores > _CANDIDATE)
            yield from zip(
                block[rows].tolist(), (columns + start).tolist(), scores[rows, columns].tolist(), strict=True
            )


def _fingerprints(clips: Sequence[ComparedClip], workers: int, scheduler: str | None) -> _Fingerprints:
    found = run_all(_patches_of, clips, workers=workers, scheduler=scheduler, progress="fingerprints")
    return _Fingerprints(
        vectors=np.concatenate([patches for patches, _ in found]),
        clip=np.concatenate([np.full(len(frames), index) for index, (_, frames) in enumerate(found)]),
        frame=np.concatenate([frames for _, frames in found]),
    )


def _patches_of(clip: ComparedClip) -> tuple[_Samples, npt.NDArray[np.int64]]:
    return _patches(clip.load())


def _patches(samples: _Samples) -> tuple[_Samples, npt.NDArray[np.int64]]:
    """Samples -> unit fingerprints (m, 96) and the frame (m,) each begins at; silent stretches have none."""
    mel = _mel_power(samples, _HOP)
    if len(samples) < _SHORTEST_S * COMPARED_HZ or not mel.any():
        return np.zeros((0, _QUEFRENCIES * _MODULATIONS), np.float32), np.zeros(0, np.int64)
    short = ((0, max(0, _PATCH_FRAMES - len(mel))), (0, 0))  # a clip under one second goes on as it ends
    mel, logarithm = np.pad(mel, short, mode="edge"), np.pad(_log(mel), short, mode="edge")
    cepstra = logarithm @ _cosines(_BANDS, _QUEFRENCIES, 0.6)  # (frames, quefrencies)
    patches = np.lib.stride_tricks.sliding_window_view(cepstra, _PATCH_FRAMES, axis=0)
    vectors = (patches @ _cosines(_PATCH_FRAMES, _MODULATIONS, 0.5)).reshape(len(patches), -1)
    level = mel.mean(axis=1)
    sounding = np.lib.stride_tricks.sliding_window_view(level > level.max() * _SILENT_BELOW_PEAK, _PATCH_FRAMES)
    kept = np.flatnonzero(sounding.mean(axis=1) > 0.5)  # half of it sounds
    kept = kept[np.linalg.norm(vectors[kept], axis=1) > 0]
    unit = vectors[kept] / np.linalg.norm(vectors[kept], axis=1, keepdims=True)
    return unit.astype(np.float32), kept


def _mel_power(samples: _Samples, hop: int) -> _Samples:
    """Samples -> (frames, bands), power; shorter than a frame is padded with zeros."""
    padded = np.pad(samples, (0, max(0, _FRAME - len(samples))))
    frames = np.lib.stride_tricks.sliding_window_view(padded, _FRAME)[::hop] * np.hanning(_FRAME).astype(np.float32)
    power: _Samples = np.abs(np.fft.rfft(frames, axis=1)).astype(np.float32) ** 2
    return power @ _mel_weights()


def _log(mel: _Samples) -> _Samples:
    """Natural logarithm above a floor 45 dB under the clip's loud moments: what codecs drop has no weight."""
    loud = np.percentile(mel.max(axis=1), 99)
    logarithm: _Samples = np.log(mel + np.float32(max(loud * _FLOOR_BELOW_PEAK, 1e-20)))
    return logarithm


@cache
def _mel_weights() -> _Samples:
    """(bins, bands): triangles, linear on O'Shaughnessy's mel scale."""
    edges = np.linspace(_mel(_LOW_HZ), _mel(_HIGH_HZ), _BANDS + 2)
    bins = _mel(np.fft.rfftfreq(_FRAME, 1 / COMPARED_HZ))[:, None]
    rising = (bins - edges[:-2]) / (edges[1] - edges[0])
    falling = (edges[2:] - bins) / (edges[1] - edges[0])
    return np.asarray(np.maximum(0, np.minimum(rising, falling)), dtype=np.float32)


def _mel(frequency_hz: npt.ArrayLike) -> npt.NDArray[np.float64]:
    return 2595 * np.log10(1 + np.asarray(frequency_hz) / 700)


@cache
def _cosines(length: int, count: int, slope: float) -> _Samples:
    """(length, count): DCT-II without its constant; `order ** slope` undoes the usual decay of sounds along it."""
    order = np.arange(1, count + 1)
    basis = np.cos(np.pi * (np.arange(length)[:, None] + 0.5) * order / length) * np.sqrt(2 / length)
    return np.asarray(basis * order**slope, dtype=np.float32)


class _FineSpectra:
    """Cached samples and 8 ms log-mel spectra of the clips requested last."""

    def __init__(self, clips: Sequence[ComparedClip]) -> None:
        self.samples = lru_cache(maxsize=256)(lambda index: clips[index].load())
        self.spectrum = lru_cache(maxsize=256)(lambda index: _log(_mel_power(self.samples(index), _FINE_HOP)))


def _confirm(
    clips: Sequence[ComparedClip], spectra: _FineSpectra, pair: tuple[int, int], offset: int
) -> NearDuplicate | None:
    shorter, longer = pair
    similarity, start, lag = _spectral_match(
        spectra.spectrum(shorter), spectra.spectrum(longer), offset * (_HOP // _FINE_HOP)
    )
    if similarity < SAME_SPECTRUM:
        return None
    first, second = start * _FINE_HOP, (start + lag) * _FINE_HOP
    waveform = _waveform_match(spectra.samples(shorter)[first:], spectra.samples(longer)[second:])
    if waveform < SAME_WAVEFORM:
        return None
    offset_s = lag * _FINE_HOP / COMPARED_HZ
    a, b = clips[shorter].name, clips[longer].name
    a, b, offset_s = (a, b, offset_s) if a < b else (b, a, -offset_s)
    return NearDuplicate(a, b, similarity=similarity, waveform=waveform, offset_s=offset_s)


def _spectral_match(one: _Samples, other: _Samples, offset: int) -> tuple[float, int, int]:
    """Best (correlation, first frame in `one`, lag to `other`) of any 1.2 s, lags within a hop of `offset`."""
    best = (0.0, 0, offset)
    for lag in range(offset - _HOP // _FINE_HOP, offset + _HOP // _FINE_HOP + 1):
        begin, end = max(0, -lag), min(len(one), len(other) - lag)
        length = min(int(_STRETCH_S * COMPARED_HZ / _FINE_HOP), end - begin)
        if length < _SHORTEST_S * COMPARED_HZ / _FINE_HOP:
            continue
        for start in range(begin, end - length + 1, max(1, length // 4)):
            ours, theirs = _centred(one[start : start + length]), _centred(other[start + lag : start + lag + length])
            best = max(best, (_correlation(ours, theirs), start, lag))
    return best


def _centred(spectrum: _Samples) -> _Samples:
    """Without each band's mean (level, microphone) and each frame's mean (gain control)."""
    flat = spectrum - spectrum.mean(axis=0)
    return np.asarray(flat - flat.mean(axis=1, keepdims=True))


def _correlation(one: _Samples, other: _Samples) -> float:
    norm = float(np.sqrt((one**2).sum() * (other**2).sum()))
    return float((one * other).sum()) / norm if norm > 0 else 0.0


def _waveform_match(one: _Samples, other: _Samples) -> float:
    """Largest absolute correlation of the band-limited first 1.2 s, within 64 ms of each other."""
    slack = int(_SLACK_S * COMPARED_HZ)
    length = min(int(_STRETCH_S * COMPARED_HZ), len(one), len(other))
    size = 1 << (2 * length).bit_length()
    template, field = _band(one[:length], size)[slack : length - slack], _band(other[:length], size)[:length]
    spectrum = np.fft.rfft(field, size) * np.conj(np.fft.rfft(template, size))
    products = np.fft.irfft(spectrum, size)[: length - len(template) + 1]
    energy = np.concatenate([[0.0], np.cumsum(field**2)])
    energies = (energy[len(template) :] - energy[: -len(template)]) * float((template**2).sum())
    return float(np.max(np.abs(products) / np.sqrt(np.maximum(energies, 1e-20))))


def _band(samples: _Samples, size: int) -> npt.NDArray[np.float64]:
    """The samples with nothing below 250 Hz and above 3.4 kHz, padded to `size`."""
    frequency_hz = np.fft.rfftfreq(size, 1 / COMPARED_HZ)
    inside = (frequency_hz > 250.0) & (frequency_hz < 3400.0)
    return np.fft.irfft(np.fft.rfft(samples.astype(np.float64), size) * inside, size)
