"""Measures how probably an infant cries in a clip, without any model of ours.

Two independent measures: YAMNet's scores, and from the signal how long it holds a voice of an infant's pitch.
What follows from them is decided in `cry_policy`.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from device.errors import MissingExtraError
from training.data.clips import SAMPLE_RATE_HZ
from training.data.datasets.annotated_recording import load_audio

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    import numpy.typing as npt

    from training.data.datasets.annotated_recording import AnnotatedRecording

# Infants cry between about 350 and 550 Hz, strained cries higher; women talk mostly below 300 Hz.
_LOW_HZ, _HIGH_HZ = 300.0, 800.0
_SHORTEST_VOICE_S = 0.2  # a syllable's vowel is shorter, a cry's breath longer
_HARMONIC = 0.6  # of the energy repeats with the pitch's period
_FRAME, _HOP = 1024, 256
_LOUD_DB, _AUDIBLE_DBFS = 30.0, -60.0

_YAMNET_WINDOW, _YAMNET_HOP = 15_600, 7_800
_YAMNET_CRYING, _YAMNET_INFANT = 19, 20  # "Crying, sobbing" and "Baby cry, infant cry"


@dataclass(frozen=True, slots=True, order=True)
class CryEvidence:
    """The two measures of one clip.

    Attributes:
        file: as the lists name it.
        crying: YAMNet's highest score of "Crying, sobbing", in [0, 1].
        infant: YAMNet's highest score of "Baby cry, infant cry", in [0, 1].
        voice_s: seconds of voice between 300 and 800 Hz, in stretches of at least 0.2 s.
    """

    file: str
    crying: float
    infant: float
    voice_s: float


def gather(recordings: Iterable[AnnotatedRecording], data: Path, yamnet: Path) -> tuple[CryEvidence, ...]:
    """Evidence for every recording that may hold an infant, in their order; some 500 clips take a minute."""
    network = open_yamnet(yamnet)
    return tuple(_evidence(recording, data, network) for recording in recordings if _in_question(recording))


def _in_question(recording: AnnotatedRecording) -> bool:
    """Labelled a cry, or close enough to one to be measured."""
    return bool({"cry", "crying_baby", "baby_laugh"} & set(recording.labels)) or (
        recording.set == "scream_audioset" and "scream" in recording.labels
    )


def _evidence(recording: AnnotatedRecording, data: Path, network: Any) -> CryEvidence:
    samples = load_audio(recording, SAMPLE_RATE_HZ)
    scores = yamnet_scores(network, samples)
    return CryEvidence(
        file=recording.file.relative_to(data).as_posix(),
        crying=float(scores[:, _YAMNET_CRYING].max()),
        infant=float(scores[:, _YAMNET_INFANT].max()),
        voice_s=infant_voice_s(samples),
    )


def infant_voice_s(samples: npt.NDArray[np.float32]) -> float:
    """Seconds in which a voice of an infant's pitch is held; samples float32 (n,) at 16 kHz.

    Pitch is the shortest period at which the normalised autocorrelation (of 200 Hz to 3.4 kHz, corrected for
    the window: P. Boersma, "Accurate short-term analysis of the fundamental frequency", 1993) comes within
    10 % of its highest peak. It is searched up to 1 kHz: a shriller cry is found an octave lower, and counts.
    """
    frames = _frames(samples)
    level_db = 10 * np.log10((frames**2).mean(axis=1) + 1e-12)
    audible = (level_db > level_db.max() - _LOUD_DB) & (level_db > _AUDIBLE_DBFS)
    strength, pitch_hz = _pitch(frames)
    voiced = audible & (strength > _HARMONIC) & (pitch_hz >= _LOW_HZ) & (pitch_hz <= _HIGH_HZ)
    edges = np.flatnonzero(np.diff(np.concatenate([[0], voiced.astype(np.int8), [0]])))
    stretches_s = (edges[1::2] - edges[::2]) * _HOP / SAMPLE_RATE_HZ
    return float(stretches_s[stretches_s >= _SHORTEST_VOICE_S].sum())


def _frames(samples: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """(frames, 1024), each without its mean; shorter sounds are padded with zeros."""
    padded = np.pad(samples, (0, max(0, _FRAME - len(samples)))).astype(np.float64)
    frames = np.lib.stride_tricks.sliding_window_view(padded, _FRAME)[::_HOP]
    return np.asarray(frames - frames.mean(axis=1, keepdims=True))


def _pitch(frames: npt.NDArray[np.float64]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Frames -> strength of the strongest period in [0, 1] and pitch in Hz between 100 and 1000, each (frames,)."""
    similar = _autocorrelation(frames)
    shortest, longest = SAMPLE_RATE_HZ // 1000, SAMPLE_RATE_HZ // 100
    before, here, after = (similar[:, shortest + shift : longest + 1 + shift] for shift in (-1, 0, 1))
    peaks = np.where((here >= before) & (here > after), here, 0.0)
    strength = peaks.max(axis=1)
    first = (peaks >= 0.9 * strength[:, None]).argmax(axis=1)
    return strength, SAMPLE_RATE_HZ / (shortest + first)


def _autocorrelation(frames: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """(frames, lags): 1 at lag 0, and for any period of a perfectly periodic sound."""
    window = np.hanning(_FRAME)
    frequency_hz = np.fft.rfftfreq(2 * _FRAME, 1 / SAMPLE_RATE_HZ)
    power = np.abs(np.fft.rfft(frames * window, 2 * _FRAME, axis=1)) ** 2
    power *= (frequency_hz > 200) & (frequency_hz < 3400)
    similar = np.fft.irfft(power, axis=1)[:, :_FRAME]
    of_window = np.fft.irfft(np.abs(np.fft.rfft(window, 2 * _FRAME)) ** 2)[:_FRAME]
    normalised = similar / np.maximum(similar[:, :1], 1e-12)
    return np.asarray(normalised / np.maximum(of_window / of_window[0], 1e-3))


def open_yamnet(yamnet: Path) -> Any:
    """YAMNet's interpreter.

    Raises:
        MissingExtraError: LiteRT is not installed.
    """
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError as error:
        raise MissingExtraError("Listening with YAMNet needs ai-edge-litert: install auricle[training].") from error
    network = Interpreter(str(yamnet), num_threads=1)
    network.allocate_tensors()
    return network


def yamnet_scores(network: Any, samples: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """(windows, 521): every half window of the clip, which is padded with zeros to one window."""
    padded = np.pad(samples, (0, max(0, _YAMNET_WINDOW - len(samples))))
    windows = np.lib.stride_tricks.sliding_window_view(padded, _YAMNET_WINDOW)[::_YAMNET_HOP]
    input_index, output_index = network.get_input_details()[0]["index"], network.get_output_details()[0]["index"]
    scores = []
    for window in windows:
        network.set_tensor(input_index, window)
        network.invoke()
        scores.append(network.get_tensor(output_index)[0].copy())
    return np.asarray(scores, dtype=np.float32)


def write_evidence(path: Path, evidence: Sequence[CryEvidence]) -> None:
    """Write evidence as CSV, sorted by file, two decimals each."""
    with path.open("w", newline="", encoding="utf-8") as lines:
        writer = csv.writer(lines, lineterminator="\n")
        writer.writerow(["file", "crying", "infant", "voice_s"])
        for one in sorted(evidence):
            writer.writerow([one.file, f"{one.crying:.2f}", f"{one.infant:.2f}", f"{one.voice_s:.2f}"])


def read_evidence(path: Path) -> Mapping[str, CryEvidence]:
    """Evidence by file, as `write_evidence` wrote it."""
    with path.open(newline="", encoding="utf-8") as lines:
        return {
            row["file"]: CryEvidence(row["file"], float(row["crying"]), float(row["infant"]), float(row["voice_s"]))
            for row in csv.DictReader(lines)
        }
