"""`python -m training attention`: where a network's attention lies, in a picture of a recording or in figures.

With `--recording` it draws one recording; with `--data` and `--split` it measures a whole part against its annotations.
"""

from __future__ import annotations

import json
import os
import warnings
from collections import defaultdict
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from device.errors import ConfigError
from device.hearing.features import computer, window_features
from device.hearing.spec import FeatureSpec
from training.data.datasets.annotated_recording import AnnotatedRecording, audio_format, load_audio
from training.data.datasets.layouts import read_dataset
from training.data.datasets.manifest_csv import read_manifest
from training.evaluation.attention.attention_maps import WindowAttention, attention_of
from training.evaluation.attention.attention_picture import draw_attention
from training.evaluation.attention.attention_worth import event_spans, worth_figures
from training.splits.subject_split import check_subjects, load_assignments

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    import numpy.typing as npt

    Float32 = npt.NDArray[np.float32]

_AT_ONCE = 32


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `run` understands to a parser of the command line."""
    parser.add_argument("--model", type=Path, required=True, help="a .keras file of a han run, in its run folder")
    parser.add_argument("--recording", type=Path, help="draw this recording")
    parser.add_argument("--out", type=Path, help="the picture, a PNG")
    parser.add_argument("--data", type=Path, metavar="DIR", help="measure this collection")
    parser.add_argument("--split", type=Path, metavar="CSV", help="file,subject,part of its recordings")
    parser.add_argument("--part", default="test", help="which part is measured (%(default)s)")
    parser.add_argument("--json", type=Path, help="write the figures here")
    parser.add_argument("--seed", type=int, default=1, help="of the bootstrap (%(default)s)")


def run(args: argparse.Namespace) -> int:
    """Draw or measure."""
    if (args.recording is None) == (args.data is None):
        raise ConfigError("give either --recording and --out, or --data and --split")
    if args.recording is not None and args.out is None:
        raise ConfigError("--recording needs --out, where the picture goes")
    if args.data is not None and args.split is None:
        raise ConfigError("--data needs --split, which says who is tested")
    spec, labels = _description(args.model)
    network = _network(args.model)
    if args.recording is not None:
        _draw(network, spec, labels, args.recording, args.out)
    else:
        _measure(network, spec, args)
    return 0


def _description(model: Path) -> tuple[FeatureSpec, tuple[str, ...]]:
    """Features and labels, as the run folder says."""
    path = model.with_name("description.json")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        (fields,) = content["specs"]
        return FeatureSpec.from_dict(fields), tuple(str(label["name"]) for label in content["labels"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"{path} describes no network of one input: give the model in its run folder") from error


def _network(path: Path) -> Any:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import keras

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # Keras's own, of numpy's interface
            return keras.saving.load_model(path, compile=False, safe_mode=True)
    except (OSError, ValueError, TypeError, KeyError) as error:
        first = next(iter(str(error).splitlines()), type(error).__name__)
        raise ConfigError(f"{path} cannot be loaded by Keras: {first}") from error


# --- a picture


def _draw(network: Any, spec: FeatureSpec, labels: tuple[str, ...], file: Path, out: Path) -> None:
    recording = _annotated(file)
    samples = at_least_a_window(load_audio(recording, spec.sample_rate_hz), spec)
    windows = windows_of(network, spec, samples)
    levels = computer(spec).mel(samples)[:, : spec.n_mels]
    draw_attention(out, levels, windows, labels=labels, events=recording.events, title=_title(recording, windows))
    for window in windows:
        print(describe_window(window, labels, spec))


def _annotated(file: Path) -> AnnotatedRecording:
    """A recording with what the nearest manifest.csv above it says of it."""
    for folder in file.resolve().parents:
        if (folder / "manifest.csv").is_file():
            found = (one for one in read_manifest(folder) if one.file.resolve() == file.resolve())
            if listed := next(found, None):
                return listed
    rate_hz, duration_s = audio_format(file)
    return AnnotatedRecording(file, "", (), "", "", "", rate_hz, duration_s, (), "")


def at_least_a_window(samples: Float32, spec: FeatureSpec) -> Float32:
    """A recording that is shorter than a window is repeated to fill it, as the device does."""
    return np.resize(samples, spec.window_samples) if len(samples) < spec.window_samples else samples


def windows_of(network: Any, spec: FeatureSpec, samples: Float32) -> list[WindowAttention]:
    """Windows that follow each other through a recording; the last one is right-aligned on the grid of frames."""
    length, hop = spec.window_samples, spec.hop
    starts = list(range(0, len(samples) - length + 1, length))
    rest = (len(samples) - length) // hop * hop
    starts += [rest] if rest >= starts[-1] + hop else []
    found: list[WindowAttention] = []
    for first in range(0, len(starts), _AT_ONCE):
        some = starts[first : first + _AT_ONCE]
        features = np.stack([window_features(spec, samples[start : start + length]) for start in some])
        found += attention_of(network, spec, features[..., None], [start / spec.sample_rate_hz for start in some])
    return found


def describe_window(window: WindowAttention, labels: tuple[str, ...], spec: FeatureSpec) -> str:
    """One line: when, what was found, and where half of the attention lies."""
    end_s = window.start_s + spec.window_samples / spec.sample_rate_hz
    best = int(window.probability.argmax())
    (from_s, to_s), (from_hz, to_hz) = window.points_to_s(), window.points_to_hz()
    return (
        f"{window.start_s:6.2f} to {end_s:6.2f} s: {labels[best]} {window.probability[best]:.2f}, "
        f"half of the attention from {max(0.0, from_s):.2f} to {to_s:.2f} s and from {from_hz:.0f} to {to_hz:.0f} Hz, "
        f"entropy {window.entropy:.2f}"
    )


def _title(recording: AnnotatedRecording, windows: list[WindowAttention]) -> str:
    surest = max(windows, key=lambda window: float(window.over_time.max()))
    (from_s, to_s), (from_hz, to_hz) = surest.points_to_s(), surest.points_to_hz()
    return (
        f"{recording.file.name}: most closely it attends to {max(0.0, from_s):.2f} to {to_s:.2f} s, "
        f"{from_hz:.0f} to {to_hz:.0f} Hz (frames hold half of a window's attention)"
    )


# --- figures


def _measure(network: Any, spec: FeatureSpec, args: argparse.Namespace) -> None:
    windows: defaultdict[str, list[tuple[WindowAttention, list[tuple[float, float]]]]] = defaultdict(list)
    for recording, subject in _tested(args.data, args.split, args.part):
        samples = load_audio(recording, spec.sample_rate_hz)
        if recording.events and len(samples) >= spec.window_samples:
            spans = event_spans(recording.events)
            windows[subject] += [(window, spans) for window in windows_of(network, spec, samples)]
    if not windows:
        raise ConfigError(f'no recording of the part "{args.part}" is annotated and at least a window long')
    figures = worth_figures(args.model.parent.name, windows, rng=np.random.default_rng(args.seed))
    for figure in figures:
        value = "-" if figure.value is None else f"{figure.value:.3f} ({figure.low:.3f} to {figure.high:.3f})"
        print(f"{figure.measure}, {figure.of}: {value}; {figure.items} windows of {figure.subjects} subjects")
    if args.json:
        text = json.dumps({"figures": [asdict(figure) for figure in figures]}, indent=1)
        args.json.write_text(text + "\n", encoding="utf-8")


def _tested(data: Path, split: Path, part: str) -> Iterator[tuple[AnnotatedRecording, str]]:
    """Recordings of a part with their subjects."""
    dataset, assignments = read_dataset(data), load_assignments(split)
    check_subjects(assignments, official_split=any(one.official for one in assignments))
    subjects = {one.file: one.subject for one in assignments if one.part == part}
    for recording in dataset.recordings:
        if (file := dataset.file_name(recording)) in subjects:
            yield recording, subjects[file]
