"""Who listens in an evaluation: the device's own listener, with one network or several, and networks of others.

An ear hears a stretch of sound from its start to its end and says, for each system in it, the probability of
every window and when an event began. What the sound is, it is not told.
"""

from __future__ import annotations

import os
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from device.errors import BundleError, ConfigError, MissingExtraError
from device.hearing.bundle.reader import read_bundle
from device.hearing.classifier import Classifier, sigmoid
from device.hearing.decision import Decider, OperatingPoint
from device.hearing.listener import Listener
from device.hearing.listening_model import ListeningLabel, ListeningModel
from device.hearing.windows import WindowCursor
from device.messages import AudioBlock, Scores
from training.data.clips import SAMPLE_RATE_HZ

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    import numpy.typing as npt

    from device.hearing.bundle.contents import Bundle, Label
    from device.messages import Event, Heard

    Float32 = npt.NDArray[np.float32]
    Float64 = npt.NDArray[np.float64]

HOP_S = 0.5
INT8, FLOAT = "int8", "float"

_BLOCK_SAMPLES = SAMPLE_RATE_HZ

_YAMNET_CRY = 20  # "Baby cry, infant cry" among YAMNet's 521 classes
_YAMNET_SAMPLES = 15_600
_YAMNET_GRID = 80
PEER_THRESHOLDS = (0.3, 0.5)


@dataclass(frozen=True, slots=True)
class System:
    """What is judged: a network and the rule by which its scores are believed."""

    name: str
    window_s: float
    point: OperatingPoint


@dataclass(frozen=True, slots=True, eq=False)
class Listened:
    """What a system made of a stretch.

    Attributes:
        ends_s: end of each window (n,).
        probabilities: of the label in each (n,).
        begun_s: when an event was decided to begin; one that reopens is not told anew.
        faults: kinds of what kept the listener from hearing.
    """

    ends_s: Float64
    probabilities: Float32
    begun_s: tuple[float, ...]
    faults: tuple[str, ...] = ()


class Ear(Protocol):
    """Hears a stretch, for all its systems at once."""

    @property
    def systems(self) -> tuple[System, ...]:
        """What it holds."""

    def hear(self, samples: Float32, stream_id: str) -> dict[str, Listened]:
        """Float32 (n,) at `SAMPLE_RATE_HZ` -> what each system, by name, made of it."""


class ListenerDetector:
    """The device's `Listener`, as a daemon or a replay builds it; several networks share their features.

    Args:
        models: by the system's name; the model's name is the same.
        label: which of their labels is judged.
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

    def hear(self, samples: Float32, stream_id: str) -> dict[str, Listened]:
        """Hear a stretch as a file is heard: to its end, and then no more."""
        listener = Listener(self._models, stream_id=stream_id, hop_s=HOP_S)
        heard = [
            *(
                listener.push(AudioBlock(samples[start : start + _BLOCK_SAMPLES], SAMPLE_RATE_HZ, start))
                for start in range(0, len(samples), _BLOCK_SAMPLES)
            ),
            listener.finish("end_of_file"),
        ]
        return {model.name: self._listened(model.name, heard) for model in self._models}

    def _listened(self, name: str, heard: Sequence[Heard]) -> Listened:
        scores = [scores for part in heard for scores in part.scores if scores.model == name]
        events = (event for part in heard for event in part.events if (event.model, event.label) == (name, self._label))
        return Listened(
            ends_s=np.array([one.end_s for one in scores]),
            probabilities=np.array([one.probabilities[self._label] for one in scores], np.float32),
            begun_s=_begun(events),
            faults=tuple(fault.kind for part in heard for fault in part.faults if fault.begins),
        )


class PeerDetector:
    """YAMNet, whose features are inside its graph, with the device's decision behind it at several thresholds.

    It runs as users of it run it: one window of 0.975 s at or above the threshold is an alert. How long an
    event lasts is decided as for our model.

    Args:
        path: the `.tflite` file.
        like: its hold and cooldown are taken over.

    Raises:
        MissingExtraError: LiteRT is not installed.
    """

    def __init__(self, path: Path, like: OperatingPoint) -> None:
        interpreter = _litert().Interpreter(model_path=str(path), num_threads=1)
        interpreter.allocate_tensors()
        self._interpreter = interpreter
        self._input = interpreter.get_input_details()[0]["index"]
        self._output = interpreter.get_output_details()[0]["index"]
        self._points = {f"yamnet {on:g}": _single_window(on, like) for on in PEER_THRESHOLDS}

    def __repr__(self) -> str:
        return f"PeerDetector({', '.join(self._points)})"

    @property
    def systems(self) -> tuple[System, ...]:
        """One for each threshold."""
        return tuple(System(name, _YAMNET_SAMPLES / SAMPLE_RATE_HZ, point) for name, point in self._points.items())

    def hear(self, samples: Float32, stream_id: str) -> dict[str, Listened]:
        """Hear a stretch once, decide at each threshold."""
        scores = list(self._scores(samples))
        return {
            name: Listened(
                ends_s=np.array([one.end_s for one in scores]),
                probabilities=np.array([one.probabilities["cry"] for one in scores], np.float32),
                begun_s=begun(scores, point, prefix=f"{stream_id}-{name}"),
            )
            for name, point in self._points.items()
        }

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
            score = float(self._interpreter.get_tensor(self._output)[0, _YAMNET_CRY])
            yield Scores("yamnet", {"cry": score}, window.start_s, window.end_s)


@dataclass(frozen=True, slots=True, eq=False)
class _KerasAnswer:
    probabilities: Float32


class KerasNetwork:
    """A trained network before it was converted, as the listener takes one.

    Args:
        path: the `.keras` file: one input of (frames, bins, 1) for each spec, one output of (labels,).
        bundle: what became of it: its specs, labels and kind of output.

    Raises:
        BundleError: the file cannot be loaded, or its inputs or output do not fit the bundle.
        MissingExtraError: Keras is not installed.
    """

    def __init__(self, path: Path, bundle: Bundle) -> None:
        model, tensorflow = _keras_model(path), _tensorflow()
        shapes = [(None, *spec.shape, 1) for spec in bundle.specs]
        found = [tuple(tensor.shape) for tensor in model.inputs]
        outputs = [tuple(tensor.shape) for tensor in model.outputs]
        if found != shapes or outputs != [(None, len(bundle.labels))]:
            raise BundleError(f"{path} takes {found} and gives {outputs}: {bundle.name} takes {shapes}, one per label")
        self._path = path
        self._is_logits = bundle.output == "logits"
        # One traced graph: called as it is, Keras spends ten times as long on Python as on the network.
        self._run: Any = tensorflow.function(
            lambda *inputs: model(list(inputs), training=False),
            input_signature=[tensorflow.TensorSpec((1, *shape[1:]), tensorflow.float32) for shape in shapes],
        )

    def __repr__(self) -> str:
        return f"KerasNetwork({str(self._path)!r})"

    def classify(self, features: Sequence[Float32]) -> _KerasAnswer:
        """One (frames, bins) per spec -> a probability per label."""
        outputs = self._run(*(one[None, :, :, None] for one in features))
        scores: Float32 = (outputs[0] if isinstance(outputs, list | tuple) else outputs).numpy()[0]
        return _KerasAnswer(sigmoid(scores) if self._is_logits else scores)


def begun(scores: Sequence[Scores], point: OperatingPoint, *, prefix: str, label: str = "cry") -> tuple[float, ...]:
    """When events begin in the scores of a whole file, as the device decides: seconds of stream."""
    decider = Decider(event_prefix=prefix, model=prefix, label=label, point=point, hop_s=HOP_S)
    events = [event for one in scores if (event := decider.push(one)[1]) is not None]
    return _begun((*events, *decider.finish(scores[-1].end_s)) if scores else ())


def judged_label(bundle: Bundle, wanted: str | None = None) -> Label:
    """The label that is judged: the one `wanted`, or a bundle's only alarm.

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
    bundle_path: Path, *, label: str | None = None, float_path: Path | None = None, peer_path: Path | None = None
) -> tuple[Ear, ...]:
    """Ears for an INT8 bundle, its float network and a peer; a bundle is verified first.

    Raises:
        BundleError: the bundle, or its float network, does not hold.
        ConfigError: the label is not clear.
        MissingExtraError: a library is not installed.
    """
    bundle = read_bundle(bundle_path)
    judged = judged_label(bundle, label)
    networks: dict[str, Any] = {INT8: Classifier.open(bundle)}
    if float_path is not None:
        networks[FLOAT] = KerasNetwork(float_path, bundle)
    ears: list[Ear] = [ListenerDetector(_listening(bundle, networks), judged.name)]
    if peer_path is not None:
        ears.append(PeerDetector(peer_path, judged.operating_point))
    return tuple(ears)


def _listening(bundle: Bundle, networks: Mapping[str, Any]) -> list[ListeningModel]:
    labels = tuple(ListeningLabel(label.name, label.role, label.operating_point) for label in bundle.labels)
    return [ListeningModel(name, labels, bundle.specs, network) for name, network in networks.items()]


def _begun(events: Iterator[Event] | Sequence[Event]) -> tuple[float, ...]:
    return tuple(event.decided_s for event in events if event.phase == "begin")


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


def _tensorflow() -> Any:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # Arithmetic in another order would not repeat to the last bit.
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
    try:
        import tensorflow as tf
    except ImportError as error:
        raise MissingExtraError(
            "TensorFlow is not installed; install the extra: pip install 'auricle[training]'"
        ) from error
    return tf


def _keras_model(path: Path) -> Any:
    _tensorflow()
    import keras

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # Keras's own, of numpy's interface
            return keras.saving.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # Keras raises anything on a damaged file
        first = next(iter(str(error).splitlines()), type(error).__name__)
        raise BundleError(f"{path} cannot be loaded by Keras: {first}") from error
