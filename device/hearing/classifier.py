"""Runs a bundle's network: `classify(features)` returns the probability of each label.

`Classifier.open` accepts a network only after it has reproduced the bundle's golden vectors on this machine and
runtime. A network that carries its past is a function of features and past: nothing is kept here between two windows,
so whoever has windows in order hands the past of each to the next (`classify_after`). Knows nothing of sound, windows
or decisions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np

from device.errors import BundleError, ClassifierError
from device.hearing.features import window_features
from device.hearing.inference.backbone import Backbones
from device.hearing.inference.forward import load_forward
from device.hearing.inference.interpreter import first_line, installed_runtime
from device.hearing.network.check import SCORES
from device.hearing.network.probabilities import sigmoid, softmax
from device.quantity import quantity

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from types import TracebackType

    import numpy.typing as npt

    from device.hearing.bundle.contents import Bundle, Output
    from device.hearing.bundle.golden_sequences import GoldenSequence
    from device.hearing.bundle.golden_vectors import GoldenCase
    from device.hearing.inference.forward import Forward

    Float32 = npt.NDArray[np.float32]

FEATURE_TOLERANCE = 1e-4
"""Tolerance of golden features, relative to 1 or to the value itself, whichever is larger."""


@dataclass(frozen=True, slots=True, eq=False)
class ClassifierOutput:
    """The result of a network for one window.

    Attributes:
        probabilities: float32 (labels,) in [0, 1].
        extras: the network's further outputs by name, float32, without the batch axis; none if they are not read.
        next_past: the past of the window after this one, float32 (steps, size), finite; None for a network without one.
    """

    probabilities: Float32
    extras: dict[str, Float32]
    next_past: Float32 | None = None


class Classifier:
    """A verified network; created by `open`, used by one thread at a time.

    Attributes:
        name: of the model.
        runtime: name and version of the runtime, e.g. `ai-edge-litert 2.3.0`.
    """

    def __init__(
        self,
        bundle: Bundle,
        *,
        threads: int = 1,
        accelerated: bool = True,
        backbones: Backbones | None = None,
        further: bool = True,
    ) -> None:
        """Load the network and check its tensors; `open` also checks the golden vectors.

        Args:
            bundle: its golden cases may be missing.
            threads: that the runtime may use, at least 1.
            accelerated: with XNNPACK, if the runtime has it for int8; otherwise with the reference
                kernels, which round like those of tflite-runtime: the converter checks both.
            backbones: those of the models that are opened together; None to share none.
            further: whether outputs beside the scores are read, which `ClassifierOutput.extras` then holds.

        Raises:
            BundleError: the network cannot be loaded, or its tensors do not fit labels and specs.
            MissingExtraError: no runtime is installed.
        """
        self._kind = installed_runtime()
        self.name = bundle.name
        self.runtime = self._kind.title
        self._output: Output = bundle.output
        self._inputs, self._labels = len(bundle.specs), len(bundle.labels)
        self._forward: Forward | None = load_forward(
            bundle, backbones or Backbones(), threads=threads, accelerated=accelerated, further=further
        )

    @classmethod
    def open(
        cls, bundle: Bundle, *, threads: int = 1, backbones: Backbones | None = None, further: bool = True
    ) -> Self:
        """A classifier that has reproduced the bundle's golden vectors on this machine.

        Features must agree within `FEATURE_TOLERANCE`, probabilities within 0.02 on LiteRT and 0.1 on
        tflite-runtime; a golden score farther from its label's threshold than that therefore stays
        on its side.

        Args:
            bundle: from `read_bundle`.
            threads: that the runtime may use, at least 1.
            backbones: those of the models that are opened together; None to share none.
            further: whether outputs beside the scores are read.

        Raises:
            BundleError: a tensor or a golden value does not match; names case, value and tolerance.
            MissingExtraError: no runtime is installed.
        """
        classifier = cls(bundle, threads=threads, backbones=backbones, further=further)
        try:
            for case in bundle.golden:
                _check_features(bundle, case)
                where = f"model {bundle.name}: golden case {case.name!r}"
                classifier._check_scores(bundle, where, [case_features(bundle, case)], case.probabilities[None])
            for each in bundle.sequences:
                where = f"model {bundle.name}: golden sequence {each.name!r}"
                classifier._check_scores(bundle, where, sequence_features(bundle, each), each.probabilities)
        except BaseException:
            classifier.close()
            raise
        return classifier

    def __repr__(self) -> str:
        state = "closed" if self.closed else f"{self._inputs} inputs, {self._labels} labels"
        return f"Classifier({self.name!r}, {self.runtime}, {state})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    @property
    def closed(self) -> bool:
        """Whether the network has been released."""
        return self._forward is None

    def close(self) -> None:
        """Release the network; idempotent."""
        self._forward = None

    def classify(self, features: Sequence[Float32]) -> ClassifierOutput:
        """Probabilities of one window with none before it; see `classify_after`."""
        return self.classify_after(features, None)

    def classify_after(self, features: Sequence[Float32], past: Float32 | None) -> ClassifierOutput:
        """Probabilities of one window: float32 (frame_count, bins) for each spec -> (labels,).

        Args:
            features: of the window.
            past: `next_past` of the window before; None if there was none, or of a network that carries none.

        Raises:
            ClassifierError: the classifier is closed; features or past have a wrong number or shape, or are not
                finite; the network fails, or returns a number that is not finite.
        """
        if self._forward is None:
            raise ClassifierError(f"model {self.name}: the classifier is closed")
        if len(features) != self._inputs:
            raise ClassifierError(
                f"model {self.name}: {quantity(len(features), 'feature')} given, needs {self._inputs}"
            )
        try:
            outputs, next_past = self._forward.run(features, past)
        except (RuntimeError, ValueError) as error:
            raise ClassifierError(f"model {self.name}: {first_line(error)}") from error
        probabilities = self._probabilities(outputs.pop(SCORES))
        if next_past is not None:
            self._refuse_not_finite("a number of its past", next_past)
        return ClassifierOutput(probabilities, outputs, next_past)

    def classify_sequence(self, windows: Iterable[Sequence[Float32]]) -> Iterator[ClassifierOutput]:
        """The results of consecutive windows, each with the past of those before it; see `classify_after`."""
        past: Float32 | None = None
        for features in windows:
            output = self.classify_after(features, past)
            past = output.next_past
            yield output

    def _probabilities(self, scores: Float32) -> Float32:
        self._refuse_not_finite("a score", scores)
        if self._output != "probabilities":
            return sigmoid(scores) if self._output == "logits" else softmax(scores).astype(np.float32)
        if scores.min() < 0 or scores.max() > 1:
            raise ClassifierError(f"model {self.name}: a probability of {scores.min():g} to {scores.max():g}")
        return scores

    def _refuse_not_finite(self, what: str, values: Float32) -> None:
        if not np.isfinite(values).all():
            raise ClassifierError(f"model {self.name}: {what} is {values[~np.isfinite(values)][0]}, no finite number")

    def _check_scores(self, bundle: Bundle, where: str, windows: Iterable[Sequence[Float32]], golden: Float32) -> None:
        """Consecutive windows give the golden probabilities (windows, labels)."""
        try:
            found = [output.probabilities for output in self.classify_sequence(windows)]
        except ClassifierError as error:
            raise BundleError(f"{where} fails: {error}") from None
        for place, (probabilities, wanted) in enumerate(zip(found, golden, strict=True)):
            apart = np.abs(probabilities - wanted)
            worst = int(np.argmax(apart))
            if apart[worst] > self._kind.score_tolerance:
                window = f", window {place}" if len(golden) > 1 else ""
                raise BundleError(
                    f"{where}{window}: {bundle.labels[worst].name} scores {probabilities[worst]:.4f} on "
                    f"{self.runtime}, must be within {self._kind.score_tolerance} of {wanted[worst]:.4f}"
                )


def load_runtime() -> None:
    """Import the runtime, which takes time; `Classifier` does so itself.

    Raises:
        MissingExtraError: no runtime is installed.
    """
    installed_runtime()


def case_features(bundle: Bundle, case: GoldenCase) -> tuple[Float32, ...]:
    """A golden case's features, one array (frame_count, bins) for each spec; this machine's own if none are kept."""
    return case.features or tuple(window_features(spec, case.samples) for spec in bundle.specs)


def sequence_features(bundle: Bundle, sequence: GoldenSequence) -> list[tuple[Float32, ...]]:
    """Features of each window of a golden sequence, one array (frame_count, bins) for each spec of the bundle."""
    windows = sequence.windows(bundle.window_samples)
    return [tuple(window_features(spec, window) for spec in bundle.specs) for window in windows]


def _check_features(bundle: Bundle, case: GoldenCase) -> None:
    if not case.features:
        return
    for ordinal, (spec, golden) in enumerate(zip(bundle.specs, case.features, strict=True)):
        apart = np.abs(window_features(spec, case.samples) - golden) / np.maximum(np.abs(golden), 1)
        if not apart.max() <= FEATURE_TOLERANCE:
            raise BundleError(
                f"model {bundle.name}: golden case {case.name!r}: features {ordinal} are {apart.max():.2g} "
                f"from the golden ones on this machine, must be within {FEATURE_TOLERANCE:g}"
            )
