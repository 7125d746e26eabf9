"""What a bundle contains: the network, its labels, its feature specs, its golden cases and its model card.

Plain data. Knows no file and no JSON: see `manifest`, `reader` and `writer`.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from device.hearing.bundle.golden_sequences import GoldenSequence
    from device.hearing.bundle.golden_vectors import GoldenCase
    from device.hearing.bundle.reference import Reference
    from device.hearing.decision import OperatingPoint
    from device.hearing.network.attention import AttentionOutputs
    from device.hearing.network.parts import PastShape
    from device.hearing.spec import FeatureSpec
    from device.messages import Priority, Role

Output = Literal["logits", "softmax", "probabilities"]


@dataclass(frozen=True, slots=True)
class Label:
    """One class of sound that a model detects.

    Attributes:
        name: lower-case letters, digits, `_` and `-`; unique in its model.
        role: an `alarm` raises alarms, `info` is only recorded, `reject` stands for everything else, `verdict`
            is what a model that follows another says of that one's events.
        priority: of its alarms.
        operating_point: the thresholds and times at which its scores become events.
    """

    name: str
    role: Role
    priority: Priority
    operating_point: OperatingPoint


@dataclass(frozen=True, slots=True)
class Head:
    """The second part of a network in two: it carries the past (see `device.hearing.network.parts`).

    Attributes:
        network: the TensorFlow Lite flatbuffer.
        shape: of embedding and past.
        hop_s: seconds from one window to the next, as it was trained.
    """

    network: bytes = field(repr=False)
    shape: PastShape
    hop_s: float


@dataclass(frozen=True, slots=True, eq=False)
class Bundle:
    """A model and everything that belongs to it.

    Attributes:
        name: of the model, as in an event's `model`.
        version: of the model, e.g. `1.0.0`.
        labels: in the order of the network's scores.
        specs: the features of the network's inputs `input_0`, `input_1`, ..., one spec each; all share
            one sample rate and one window.
        output: the meaning of the network's output `scores`: logits (to be passed through a sigmoid, label by
            label), logits of labels of which exactly one holds (softmax), or probabilities.
        network: the TensorFlow Lite flatbuffer; of a network in two parts, its backbone.
        golden: at least one case.
        card: the model card: training data, licences and measured performance; JSON types.
        sha256: of the whole file, in hex; empty for a bundle that was not read from one.
        reference: the trained network's scores, to repeat the gate with; None in an older bundle.
        signer: id of the key that the file says it was signed with (see `signature`); empty if it is not signed.
        head: the other part of a network in two; None for one that keeps nothing from window to window.
        sequences: golden windows one after the other, at least one for a network in two parts, none for another.
        attention: the further outputs that hold its attention; None if it has none.
    """

    name: str
    version: str
    labels: tuple[Label, ...]
    specs: tuple[FeatureSpec, ...]
    output: Output
    network: bytes = field(repr=False)
    golden: tuple[GoldenCase, ...] = field(repr=False)
    card: Mapping[str, Any] = field(repr=False)
    sha256: str = ""
    signer: str = ""
    reference: Reference | None = field(default=None, repr=False)
    head: Head | None = None
    sequences: tuple[GoldenSequence, ...] = field(default=(), repr=False)
    attention: AttentionOutputs | None = None

    @property
    def label_names(self) -> tuple[str, ...]:
        """Names of the labels, in the order of the scores."""
        return tuple(label.name for label in self.labels)

    @property
    def sample_rate_hz(self) -> int:
        """Sample rate of the model's input."""
        return self.specs[0].sample_rate_hz

    @property
    def window_samples(self) -> int:
        """Samples of one window at that rate."""
        return self.specs[0].window_samples

    @property
    def network_bytes(self) -> int:
        """Bytes of all its graphs."""
        return len(self.network) + (0 if self.head is None else len(self.head.network))

    @property
    def network_sha256(self) -> str:
        """SHA-256 of its network, or of backbone and head one after the other; in hex."""
        digest = hashlib.sha256(self.network)
        digest.update(b"" if self.head is None else self.head.network)
        return digest.hexdigest()

    @property
    def hop_samples(self) -> int | None:
        """Samples from one window to the next, as trained; None for a network that keeps nothing in between."""
        return None if self.head is None else round(self.head.hop_s * self.sample_rate_hz)


def labels_text(labels: tuple[Label, ...]) -> bytes:
    """The entry labels.txt: one name per line, in the order of the scores."""
    return "".join(f"{label.name}\n" for label in labels).encode()
