"""Detectors that are evaluated: the device's own listener, with one network or several, and networks of others.

A detector runs over a stretch of sound from its start to its end and returns, for each of its systems, the scores of
every window and the times of its alarms. It does not know what the sound is.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from device.errors import ConfigError, MissingExtraError
from device.hearing.decision import OperatingPoint
from device.hearing.features import window_features
from device.hearing.listener import Listener
from device.hearing.listening_model import ListeningLabel, ListeningModel
from device.hearing.windows import WindowCursor
from device.messages import AudioBlock, Scores
from training.data.clips import SAMPLE_RATE_HZ
from training.evaluation.alarm_counting import HOP_S, WindowScores, alarm_times, decide_events, heard_events
from training.evaluation.keras_network import KerasNetwork
from training.evaluation.model_file import open_network, read_model

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    import numpy.typing as npt

    from device.hearing.bundle.contents import Bundle, Label
    from device.messages import Event, Heard
    from training.evaluation.alarm_counting import DetectedEvent

    Float32 = npt.NDArray[np.float32]

INT8, FLOAT = "int8", "float"

_BLOCK_SAMPLES = SAMPLE_RATE_HZ

PEER_CLASSES = {"cry": (20,), "scream": (11,), "glass_breaking": (435, 437), "siren": (317, 318, 319, 390)}
"""Task -> "Baby cry, infant cry", "Screaming", "Glass" and "Shatter", the sirens of police, ambulances and fire engines
and "Siren" among YAMNet's 521 classes; of several the highest score counts."""

_YAMNET_SAMPLES = 15_600
_YAMNET_GRID = 80
PEER_THRESHOLDS = (0.3, 0.5)


@dataclass(frozen=True, slots=True)
class System:
    """What is evaluated: a network and its operating point.

    Attributes:
        name: in reports.
        window_s: length of its windows.
        point: how its scores become events.
    """

    name: str
    window_s: float
    point: OperatingPoint


@dataclass(frozen=True, slots=True, eq=False)
class Detections:
    """What a system detected in a stretch of sound.

    Attributes:
        windows: the scores of its windows.
        alarms_s: when alarms were decided; an event that reopens is none.
        events: from when to when events lasted.
        faults: kinds of faults that kept the listener from hearing.
    """

    windows: WindowScores
    alarms_s: tuple[float, ...]
    events: tuple[DetectedEvent, ...] = ()
    faults: tuple[str, ...] = ()


class Detector(Protocol):
    """Runs all its systems over a stretch of sound."""

    @property
    def systems(self) -> tuple[System, ...]:
        """Its systems, in the order of the report."""

    def detect(self, samples: Float32, stream_id: str) -> dict[str, Detections]:
        """Float32 (n,) at `SAMPLE_RATE_HZ` -> the detections of each system, by its name."""


class ListenerDetector:
    """The device's `Listener`, as a daemon or a replay builds it; several networks share their features.

    Args:
        models: by the system's name; the model's name is the same.
        label: which of their labels is evaluated.
    """

    def __init__(self, models: Sequence[ListeningModel], label: str) -> None:
        self._models = tuple(models)
        self._label = label

    def __repr__(self) -> str:
        return f"ListenerDetector({', '.join(model.name for model in self._models)}; {self._label})"

    @property
    def systems(self) -> tuple[System, ...]:
        """One for each model."""
        return tuple(
            System(model.name, model.specs[0].window_samples / model.specs[0].sample_rate_hz, label.point)
            for model in self._models
            for label in model.labels
            if label.name == self._label
        )

    def detect(self, samples: Float32, stream_id: str) -> dict[str, Detections]:
        """Listen to a stretch as to a file: the listener is finished at its end."""
        listener = Listener(self._models, stream_id=stream_id, hop_s=HOP_S)
        heard = [
            *(
                listener.push(AudioBlock(samples[start : start + _BLOCK_SAMPLES], SAMPLE_RATE_HZ, start))
                for start in range(0, len(samples), _BLOCK_SAMPLES)
            ),
            listener.finish("end_of_file"),
        ]
        return {model.name: self._detections(model.name, heard) for model in self._models}

    def _detections(self, name: str, heard: Sequence[Heard]) -> Detections:
        scores = [scores for part in heard for scores in part.scores if scores.model == name]
        events = [event for part in heard for event in part.events if (event.model, event.label) == (name, self._label)]
        return Detections(
            windows=WindowScores.of(scores, self._label),
            alarms_s=alarm_times(events),
            events=heard_events(events),
            faults=tuple(fault.kind for part in heard for fault in part.faults if fault.begins),
        )


class PeerDetector:
    """YAMNet, whose features are inside its graph, with the device's decision behind it at several thresholds.

    It runs as its users run it: one window of 0.975 s at or above the threshold is an alarm. How long an
    event lasts is decided as for our model.

    Args:
        path: the `.tflite` file.
        like: the operating point whose hold and cooldown it uses.
        classes: which of its classes count.

    Raises:
        MissingExtraError: LiteRT is not installed.
    """

    def __init__(self, path: Path, like: OperatingPoint, classes: Sequence[int] = PEER_CLASSES["cry"]) -> None:
        interpreter = _litert().Interpreter(model_path=str(path), num_threads=1)
        interpreter.allocate_tensors()
        self._interpreter = interpreter
        self._input = interpreter.get_input_details()[0]["index"]
        self._output = interpreter.get_output_details()[0]["index"]
        self._classes = list(classes)
        self._points = {f"yamnet {on:g}": _single_window(on, like) for on in PEER_THRESHOLDS}

    def __repr__(self) -> str:
        return f"PeerDetector({', '.join(self._points)})"

    @property
    def systems(self) -> tuple[System, ...]:
        """One for each threshold."""
        return tuple(System(name, _YAMNET_SAMPLES / SAMPLE_RATE_HZ, point) for name, point in self._points.items())

    def detect(self, samples: Float32, stream_id: str) -> dict[str, Detections]:  # noqa: ARG002 - of the Protocol
        """Score a stretch once, decide at each threshold."""
        windows = WindowScores.of(self._scores(samples), "event")
        return {name: _decided(windows, decide_events(windows, point)) for name, point in self._points.items()}

    def _scores(self, samples: Float32) -> Iterator[Scores]:
        cursor = WindowCursor(
            sample_rate_hz=SAMPLE_RATE_HZ,
            window_samples=_YAMNET_SAMPLES,
            hop_samples=round(HOP_S * SAMPLE_RATE_HZ),
            grid_samples=_YAMNET_GRID,
        )
        for window in (*cursor.push(samples), *cursor.finish(short_file=True)):
            self._interpreter.set_tensor(self._input, window.samples)
            self._interpreter.invoke()
            score = float(self._interpreter.get_tensor(self._output)[0, self._classes].max())
            yield Scores("yamnet", {"event": score}, window.start_s, window.end_s)


class BatchDetector:
    """A published form that is not streamable: windows cut from the whole stretch, through the same features.

    No device can run it, as its frames need sound beyond their own or its windows are no multiple of the hop. Windows
    longer than two hops follow each other by a quarter of their length.

    Args:
        name: of the system.
        model: labels and specs.
        network: computes the scores.
        label: which label is evaluated.
    """

    def __init__(self, name: str, model: Bundle, network: Any, label: Label) -> None:
        self._name, self._model, self._network = name, model, network
        self._label, self._place = label, [one.name for one in model.labels].index(label.name)
        self._rate_hz = model.specs[0].sample_rate_hz
        self._hop = max(round(HOP_S * self._rate_hz), model.specs[0].window_samples // 4)

    def __repr__(self) -> str:
        return f"BatchDetector({self._name}; {self._label.name})"

    @property
    def systems(self) -> tuple[System, ...]:
        """One."""
        seconds = self._model.specs[0].window_samples / self._rate_hz
        return (System(self._name, seconds, self._label.operating_point),)

    def detect(self, samples: Float32, stream_id: str) -> dict[str, Detections]:  # noqa: ARG002 - of the Protocol
        """Score the windows of a stretch, and decide as the device would at this hop."""
        windows = WindowScores.of(self._scores(samples), "event")
        point, hop_s = self._label.operating_point, self._hop / self._rate_hz
        return {self._name: _decided(windows, decide_events(windows, point, hop_s=hop_s))}

    def _scores(self, samples: Float32) -> Iterator[Scores]:
        sound = resampled(samples, self._rate_hz)
        for start, window in batch_windows(sound, self._model.specs[0].window_samples, self._hop):
            features = [window_features(spec, window) for spec in self._model.specs]
            score = float(self._network.classify(features).probabilities[self._place])
            start_s = start / self._rate_hz
            yield Scores(self._name, {"event": score}, start_s, min(start + len(window), len(sound)) / self._rate_hz)


def batch_windows(samples: Float32, length: int, hop: int) -> Iterator[tuple[int, Float32]]:
    """Start and samples of each window of a stretch, the last one at its end; a short stretch is repeated."""
    if len(samples) <= length:
        yield 0, np.resize(samples, length)
        return
    starts = [*range(0, len(samples) - length, hop), len(samples) - length]
    yield from ((start, samples[start : start + length]) for start in starts)


def resampled(samples: Float32, rate_hz: int) -> Float32:
    """Sound of `SAMPLE_RATE_HZ` at another rate, float32 (n,)."""
    if rate_hz == SAMPLE_RATE_HZ:
        return samples
    import soxr

    return np.ascontiguousarray(soxr.resample(samples, SAMPLE_RATE_HZ, rate_hz), dtype=np.float32)


def _decided(windows: WindowScores, events: Sequence[Event]) -> Detections:
    return Detections(windows, alarm_times(events), heard_events(events))


def evaluated_label(bundle: Bundle, wanted: str | None = None) -> Label:
    """The label that is evaluated: the one `wanted`, or a bundle's only alarm.

    Raises:
        ConfigError: there is none of that name, or several alarms and none wanted.
    """
    alarms = [label for label in bundle.labels if label.role == "alarm"]
    chosen = [label for label in bundle.labels if label.name == wanted] if wanted else alarms
    if len(chosen) != 1:
        there = ", ".join(bundle.label_names)
        raise ConfigError(f"model {bundle.name}: {wanted or 'its alarm'} is not one of its labels ({there}); name one")
    return chosen[0]


def open_detectors(
    model_path: Path,
    *,
    label: str | None = None,
    float_path: Path | None = None,
    peer_path: Path | None = None,
    peer_classes: Sequence[int] = PEER_CLASSES["cry"],
    point: OperatingPoint | None = None,
) -> tuple[Detector, ...]:
    """Detectors for a model, its float network and a peer; a bundle is verified first.

    Args:
        model_path: a bundle, a run folder or a `.keras` file.
        label: which label is evaluated; None for the only alarm.
        float_path: the network before its conversion.
        peer_path: YAMNet.
        peer_classes: which of its classes count.
        point: how scores become events; None for the model's own.

    Raises:
        BundleError: the bundle is not valid, or its float network does not fit it.
        ConfigError: the label is ambiguous or unknown.
        MissingExtraError: a library is not installed.
    """
    model = with_point(read_model(model_path), label, point)
    evaluated = evaluated_label(model, label)
    networks: dict[str, Any] = {system_name(model_path): open_network(model_path, model)}
    if float_path is not None:
        networks[FLOAT] = KerasNetwork(float_path, model)
    detectors: list[Detector] = (
        [ListenerDetector(_listening_models(model, networks), evaluated.name)]
        if is_streamable(model)
        else [BatchDetector(name, model, network, evaluated) for name, network in networks.items()]
    )
    if peer_path is not None:
        detectors.append(PeerDetector(peer_path, evaluated.operating_point, peer_classes))
    return tuple(detectors)


def with_point(model: Bundle, label: str | None, point: OperatingPoint | None) -> Bundle:
    """The model with another operating point for the evaluated label."""
    if point is None:
        return model
    wanted = evaluated_label(model, label)
    labels = (replace(one, operating_point=point) if one is wanted else one for one in model.labels)
    return replace(model, labels=tuple(labels))


def system_name(model_path: Path) -> str:
    """What the model itself is called in a report."""
    return INT8 if model_path.suffix == ".tflite" else FLOAT


def is_streamable(model: Bundle) -> bool:
    """Whether the device's listener can run it at `HOP_S`."""
    return all(spec.streamable and round(HOP_S * spec.sample_rate_hz) % spec.hop == 0 for spec in model.specs)


def _listening_models(bundle: Bundle, networks: Mapping[str, Any]) -> list[ListeningModel]:
    labels = tuple(ListeningLabel(label.name, label.role, label.operating_point) for label in bundle.labels)
    return [ListeningModel(name, labels, bundle.specs, network) for name, network in networks.items()]


def _single_window(on: float, like: OperatingPoint) -> OperatingPoint:
    return OperatingPoint(
        on=on,
        off=on / 2,
        confirm_s=HOP_S,
        confirm_of_s=HOP_S,
        min_length_s=0.0,
        hold_s=like.hold_s,
        cooldown_s=like.cooldown_s,
    )


def _litert() -> Any:
    try:
        from ai_edge_litert import interpreter
    except ImportError as error:
        raise MissingExtraError("LiteRT is not installed; install the extra: pip install 'auricle[device]'") from error
    return interpreter
