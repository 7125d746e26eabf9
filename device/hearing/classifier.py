"""Runs a bundle's network: `classify(features)` returns the probability of each label.

`Classifier.open` accepts a network only after it has reproduced the bundle's golden vectors on this machine and
runtime. Runs on LiteRT, or on the older tflite-runtime on machines without LiteRT (32-bit ARM). Knows nothing of
sound, windows or decisions.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import re
import sys
import threading
from dataclasses import dataclass
from importlib import metadata
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from device.errors import BundleError, ClassifierError, MissingExtraError
from device.hearing.features import window_features
from device.hearing.network.check import SCORES
from device.quantity import quantity

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from types import TracebackType

    import numpy.typing as npt

    from device.hearing.bundle.contents import Bundle, Output
    from device.hearing.bundle.golden_vectors import GoldenCase

    Float32 = npt.NDArray[np.float32]

FEATURE_TOLERANCE = 1e-4
"""Tolerance of golden features, relative to 1 or to the value itself, whichever is larger."""


@dataclass(frozen=True, slots=True)
class _Runtime:
    """A TensorFlow Lite runtime, and how far its int8 arithmetic may be from the converter's."""

    module: str
    distribution: str
    score_tolerance: float


_RUNTIMES = (
    _Runtime("ai_edge_litert.interpreter", "ai-edge-litert", 0.02),
    _Runtime("tflite_runtime.interpreter", "tflite-runtime", 0.1),
)


@dataclass(frozen=True, slots=True, eq=False)
class ClassifierOutput:
    """The result of a network for one window.

    Attributes:
        probabilities: float32 (labels,) in [0, 1].
        extras: the network's further outputs by name, float32, without the batch axis.
    """

    probabilities: Float32
    extras: dict[str, Float32]


class Classifier:
    """A verified network; created by `open`, used by one thread at a time.

    Attributes:
        name: of the model.
        runtime: name and version of the runtime, e.g. `ai-edge-litert 2.3.0`.
    """

    def __init__(self, bundle: Bundle, *, threads: int = 1, accelerated: bool = True) -> None:
        """Load the network and check its tensors; `open` also checks the golden vectors.

        Args:
            bundle: its golden cases may be missing.
            threads: that the runtime may use, at least 1.
            accelerated: with XNNPACK, if the runtime has it for int8; otherwise with the reference
                kernels, which round like those of tflite-runtime: the converter checks both.

        Raises:
            BundleError: the network cannot be loaded, or its tensors do not fit labels and specs.
            MissingExtraError: no runtime is installed.
        """
        module, self._kind, version = _import_runtime()
        self.name = bundle.name
        self.runtime = f"{self._kind.distribution} {version}"
        self._output: Output = bundle.output
        self._interpreter: Any = _interpreter(module, bundle, threads, accelerated=accelerated)
        inputs, outputs = _signature(bundle, self._interpreter)
        shapes = [(1, *spec.shape, 1) for spec in bundle.specs]
        self._inputs = [
            _Tensor(bundle, inputs[f"input_{ordinal}"], f"input_{ordinal}", shape)
            for ordinal, shape in enumerate(shapes)
        ]
        self._scores = _Tensor(bundle, outputs[SCORES], SCORES, (1, len(bundle.labels)))
        self._extras = {name: _Tensor(bundle, detail, name) for name, detail in outputs.items() if name != SCORES}

    @classmethod
    def open(cls, bundle: Bundle, *, threads: int = 1) -> Self:
        """A classifier that has reproduced the bundle's golden vectors on this machine.

        Features must agree within `FEATURE_TOLERANCE`, probabilities within 0.02 on LiteRT and 0.1 on
        tflite-runtime; a golden score farther from its label's threshold than that therefore stays
        on its side.

        Args:
            bundle: from `read_bundle`.
            threads: that the runtime may use, at least 1.

        Raises:
            BundleError: a tensor or a golden value does not match; names case, value and tolerance.
            MissingExtraError: no runtime is installed.
        """
        classifier = cls(bundle, threads=threads)
        try:
            for case in bundle.golden:
                _check_features(bundle, case)
                classifier._check_scores(bundle, case)
        except BaseException:
            classifier.close()
            raise
        return classifier

    def __repr__(self) -> str:
        state = "closed" if self.closed else f"{len(self._inputs)} inputs, {self._scores.shape[1]} labels"
        return f"Classifier({self.name!r}, {self.runtime}, {state})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    @property
    def closed(self) -> bool:
        """Whether the network has been released."""
        return self._interpreter is None

    def close(self) -> None:
        """Release the network; idempotent."""
        self._interpreter = None

    def classify(self, features: Sequence[Float32]) -> ClassifierOutput:
        """Probabilities of one window: float32 (frame_count, bins) for each spec -> (labels,).

        Raises:
            ClassifierError: the classifier is closed; features have a wrong number or shape, or are not finite; the
                network fails, or returns a number that is not finite.
        """
        if self.closed:
            raise ClassifierError(f"model {self.name}: the classifier is closed")
        if len(features) != len(self._inputs):
            raise ClassifierError(
                f"model {self.name}: {quantity(len(features), 'feature')} given, needs {len(self._inputs)}"
            )
        try:
            for tensor, values in zip(self._inputs, features, strict=True):
                self._interpreter.set_tensor(tensor.index, tensor.quantized(values))
            self._interpreter.invoke()
            scores = self._scores.values(self._interpreter)
            extras = {name: tensor.values(self._interpreter) for name, tensor in self._extras.items()}
        except (RuntimeError, ValueError) as error:
            raise ClassifierError(f"model {self.name}: {_first_line(error)}") from error
        return ClassifierOutput(self._probabilities(scores), extras)

    def _probabilities(self, scores: Float32) -> Float32:
        if not np.isfinite(scores).all():
            raise ClassifierError(f"model {self.name}: a score is {scores[~np.isfinite(scores)][0]}, no finite number")
        if self._output != "probabilities":
            return sigmoid(scores) if self._output == "logits" else softmax(scores)
        if scores.min() < 0 or scores.max() > 1:
            raise ClassifierError(f"model {self.name}: a probability of {scores.min():g} to {scores.max():g}")
        return scores

    def _check_scores(self, bundle: Bundle, case: GoldenCase) -> None:
        where = f"model {bundle.name}: golden case {case.name!r}"
        try:
            found = self.classify(case.features).probabilities
        except ClassifierError as error:
            raise BundleError(f"{where} fails: {error}") from None
        apart = np.abs(found - case.probabilities)
        worst = int(np.argmax(apart))
        if apart[worst] > self._kind.score_tolerance:
            raise BundleError(
                f"{where}: {bundle.labels[worst].name} scores {found[worst]:.4f} on {self.runtime}, must be within "
                f"{self._kind.score_tolerance} of {case.probabilities[worst]:.4f}"
            )


class _Tensor:
    """One input or output: its index, and how its int8 steps map to numbers (q = x / scale + zero point)."""

    def __init__(self, bundle: Bundle, detail: Mapping[str, Any], name: str, shape: tuple[int, ...] = ()) -> None:
        self.name = name
        self.index: int = detail["index"]
        self.shape: tuple[int, ...] = tuple(int(size) for size in detail["shape"])
        where = f"model {bundle.name}: the network's {name}"
        if shape and self.shape != shape:
            raise BundleError(f"{where} has shape {self.shape}, labels and specs need {shape}")
        if detail["dtype"] not in (np.int8, np.float32):
            raise BundleError(f"{where} is {np.dtype(detail['dtype'])}, must be int8 or float32")
        self._is_float = detail["dtype"] is np.float32
        scales = detail["quantization_parameters"]["scales"]
        zero_points = detail["quantization_parameters"]["zero_points"]
        if not self._is_float and (len(scales) != 1 or not np.isfinite(scales[0]) or scales[0] <= 0):
            raise BundleError(f"{where} has scales {list(scales)}, must have one above 0")
        self._scale = np.float32(1.0 if self._is_float else scales[0])
        self._zero_point = np.float32(0 if self._is_float else zero_points[0])
        self._steps = np.empty(self.shape, np.float32)
        self._bytes = np.empty(self.shape, np.int8)

    def quantized(self, values: Float32) -> npt.NDArray[Any]:
        """(frame_count, bins) in the tensor's type; halves are rounded to even, and values out of range are clipped.

        Raises:
            ValueError: another shape, or a number that is not finite.
        """
        if values.shape != self.shape[1:-1]:
            raise ValueError(f"{self.name} has shape {values.shape}, must be {self.shape[1:-1]}")
        steps = self._steps
        np.divide(values[None, :, :, None], self._scale, out=steps)
        if not np.isfinite(steps).all():
            raise ValueError(f"{self.name} holds a feature that is no finite number")
        if self._is_float:
            return steps
        np.rint(steps, out=steps)
        steps += self._zero_point
        np.clip(steps, -128, 127, out=steps)
        np.copyto(self._bytes, steps, casting="unsafe")
        return self._bytes

    def values(self, interpreter: Any) -> Float32:
        """The tensor's numbers, without the batch axis."""
        steps = interpreter.get_tensor(self.index)[0]
        if self._is_float:
            return np.asarray(steps, np.float32)
        numbers: Float32 = (steps.astype(np.float32) - self._zero_point) * self._scale
        return numbers


def sigmoid(logits: Float32) -> Float32:
    """1 / (1 + exp(-x)), by tanh, which does not overflow."""
    return (0.5 + 0.5 * np.tanh(0.5 * logits.astype(np.float64))).astype(np.float32)


def softmax(logits: Float32) -> Float32:
    """exp(x) / sum(exp(x)) along the last axis; the largest is taken off first, so nothing overflows."""
    powers = np.exp(logits.astype(np.float64) - logits.max(axis=-1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True), np.float32)


def load_runtime() -> None:
    """Import the runtime, which takes time; `Classifier` does so itself.

    Raises:
        MissingExtraError: no runtime is installed.
    """
    _import_runtime()


def _import_runtime() -> tuple[Any, _Runtime, str]:
    cause = None
    for kind in _RUNTIMES:
        try:
            return importlib.import_module(kind.module), kind, _version(kind)
        except ImportError as error:
            cause = cause or error
    raise MissingExtraError(
        "no TensorFlow Lite runtime can be imported; install the extra: pip install 'auricle[device]'"
    ) from cause


def _version(kind: _Runtime) -> str:
    """Version of the installed runtime; a copy without metadata has none."""
    try:
        return metadata.version(kind.distribution)
    except metadata.PackageNotFoundError:
        return "of unknown version"


def _interpreter(module: Any, bundle: Bundle, threads: int, *, accelerated: bool) -> Any:
    kernels = module.OpResolverType
    kind = kernels.AUTO if accelerated else kernels.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    try:
        with _LOADING, _without_info_lines():
            interpreter = module.Interpreter(
                model_content=bundle.network, num_threads=threads, experimental_op_resolver_type=kind
            )
            interpreter.allocate_tensors()
    except (RuntimeError, ValueError) as error:
        raise BundleError(f"model {bundle.name}: the network cannot be loaded: {_first_line(error)}") from None
    return interpreter


def _signature(bundle: Bundle, interpreter: Any) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """Details of the inputs and outputs by name: their order in the graph is arbitrary."""
    wanted = {f"input_{ordinal}" for ordinal in range(len(bundle.specs))}
    signatures = interpreter.get_signature_list()
    if len(signatures) != 1:
        raise BundleError(
            f"model {bundle.name}: the network has {quantity(len(signatures), 'signature')}, must have one"
        )
    runner = interpreter.get_signature_runner(next(iter(signatures)))
    inputs, outputs = runner.get_input_details(), runner.get_output_details()
    if set(inputs) != wanted:
        raise BundleError(
            f"model {bundle.name}: the network's inputs are {', '.join(sorted(inputs))}, "
            f"the specs need {', '.join(sorted(wanted))}"
        )
    if SCORES not in outputs:
        raise BundleError(
            f"model {bundle.name}: the network has no output {SCORES!r}, only {', '.join(sorted(outputs))}"
        )
    return inputs, outputs


def _check_features(bundle: Bundle, case: GoldenCase) -> None:
    for ordinal, (spec, golden) in enumerate(zip(bundle.specs, case.features, strict=True)):
        apart = np.abs(window_features(spec, case.samples) - golden) / np.maximum(np.abs(golden), 1)
        if not apart.max() <= FEATURE_TOLERANCE:
            raise BundleError(
                f"model {bundle.name}: golden case {case.name!r}: features {ordinal} are {apart.max():.2g} "
                f"from the golden ones on this machine, must be within {FEATURE_TOLERANCE:g}"
            )


def _first_line(error: BaseException) -> str:
    return next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)


_LOADING = threading.Lock()
"""Held while descriptor 2 is redirected: two loaders at once would restore it wrongly."""

_INFO_LINE = re.compile(rb"INFO: .*(TensorFlow Lite|XNNPACK|delegate)")


@contextlib.contextmanager
def _without_info_lines() -> Iterator[None]:
    """Drop the runtime's `INFO:` lines; it writes them to descriptor 2 and has no option to turn them off.

    Everything else that is written meanwhile, by any thread, is passed on afterwards.
    """
    if sys.platform != "linux" or (stderr := _duplicate_of_stderr()) is None:
        yield
        return
    with os.fdopen(os.memfd_create("stderr"), "w+b") as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
            held.seek(0)
            for line in held:
                if not _INFO_LINE.match(line):
                    os.write(2, line)


def _duplicate_of_stderr() -> int | None:
    """A second descriptor for standard error; None for a daemon that runs without one."""
    try:
        return os.dup(2)
    except OSError:
        return None
