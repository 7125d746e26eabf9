"""What a network is trained for: its labels, and what each collection's own labels count as.

A task maps a label of a collection to labels of its own. An empty tuple is a negative; a label that no entry names
is excluded and counted, never guessed. Knows no recording and no split.

Breath sounds: SPRSound stands in for ICBHI where training needs more than ICBHI's sample. ICBHI's annotators knew
wheezes and crackles alone. A rhonchus is by definition a low-pitched wheeze (below 300 Hz, longer than 100 ms) and
stridor a loud wheeze of the upper airways: A. R. A. Sovijarvi et al., "Definition of terms for applications of
respiratory sounds", European Respiratory Review 10:77 (2000) 597-610; SPRSound's authors too put the three together
as continuous adventitious sounds (CAS) and fine and coarse crackles together as discontinuous ones (DAS): Q. Zhang
et al., "SPRSound", IEEE Transactions on Biomedical Circuits and Systems 16:5 (2022) 867-881. The map follows both. It
is an approximation: H. Pasterkamp et al., "Towards the standardisation of lung sound nomenclature", European
Respiratory Journal 47 (2016) 724-732, show how little observers agree on rhonchi.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

from device.errors import ConfigError
from training.data.split_list import CRY_LIST, SCREAM_LIST

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

Unit = Literal["event", "cycle", "clip", "record"]


@dataclass(frozen=True, slots=True)
class Task:
    """Labels, and how a collection's labels become a target.

    Attributes:
        name: as commands take it.
        labels: one for each logit, in their order.
        activation: "sigmoid" if labels may hold together, "softmax" if exactly one holds.
        unit: what one example is: an annotated "event", a breath "cycle", a "clip" or a whole "record".
        label_map: collection label, lower case -> labels of the task; empty for a negative.
        never: collection labels that exclude what they are given to, whatever else it is called.
        absent: in a softmax task, the label of what has none of the others; it gives way to them.
        joint: in a softmax task, the label of what has several of the others.
        gaps: what lies between annotated spans is a negative.
        train_only_sets: collections whose labels or subjects are doubtful: they teach and never judge.
        believed_from: collection label -> the least score noted with a recording from which the label is believed.
        committed_list: a list of `training.data.split_list` whose lines marked `ignore` are excluded.
    """

    name: str
    labels: tuple[str, ...]
    activation: Literal["sigmoid", "softmax"]
    unit: Unit
    label_map: Mapping[str, tuple[str, ...]]
    never: frozenset[str] = frozenset()
    absent: str = ""
    joint: str = ""
    gaps: bool = False
    train_only_sets: frozenset[str] = frozenset()
    believed_from: Mapping[str, float] = field(default_factory=dict)
    committed_list: Path | None = None

    def target_of(self, labels: Iterable[str]) -> tuple[float, ...] | None:
        """1 or 0 for each label of the task, given a collection's labels; None if they say nothing about it."""
        known = [self.label_map[label.casefold()] for label in labels if label.casefold() in self.label_map]
        if not known or any(label.casefold() in self.never for label in labels):
            return None
        names = {name for mapped in known for name in mapped}
        if self.activation == "softmax":
            names = self._single(names)
        if self.activation == "softmax" and len(names) != 1:
            return None
        return tuple(float(label in names) for label in self.labels)

    def _single(self, names: set[str]) -> set[str]:
        """The one label that holds, where the task says which."""
        others = names - {self.absent} or ({self.absent} if self.absent else names)
        return {self.joint} if len(others) > 1 and self.joint else others


def find_task(name: str) -> Task:
    """The task of that name.

    Raises:
        ConfigError: there is none; the sentence lists those that there are.
    """
    if name not in TASKS:
        raise ConfigError(f'no task is called "{name}"; there are {", ".join(TASKS)}')
    return TASKS[name]


def own_task(
    labels: Iterable[str], *, negatives: Iterable[str] = (), activation: Literal["sigmoid", "softmax"] = "sigmoid"
) -> Task:
    """A task on recordings of one's own: each label is found or not, in label tracks or in a folder for each class.

    Args:
        labels: what is to be told; upper and lower case are not distinguished in annotations.
        negatives: further labels that mean "none of these", besides `REJECTED`.
        activation: "softmax" if each recording has exactly one of the labels.

    Raises:
        ConfigError: no label is given, or one twice.
    """
    names = tuple(labels)
    folded = [name.casefold() for name in names]
    if not names or len(set(folded)) < len(folded):
        raise ConfigError(f"a task needs labels, each once; given are {', '.join(names) or 'none'}")
    rejected = {name.casefold(): () for name in (*REJECTED, *negatives)}
    return Task(
        name="own",
        labels=names,
        activation=activation,
        unit="event",
        label_map=rejected | {name.casefold(): (name,) for name in names},
        gaps=activation == "sigmoid",
    )


REJECTED = ("other", "background", "silence", "noise", "negative", "none", "normal")
"""Labels that mean that nothing of interest is heard."""


def _mapped(**labels: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Task labels joined by `_and_` (or `negative`) = collection labels -> one entry for each collection label."""
    return {
        name: () if target == "negative" else tuple(target.split("_and_"))
        for target, names in labels.items()
        for name in names
    }


_CONTINUOUS = ("wheeze", "rhonchi", "stridor", "cas")
_DISCONTINUOUS = ("crackle", "fine crackle", "coarse crackle", "das", "crepitation")
_BOTH = ("both", "wheeze+crackle", "crackle+wheeze", "cas & das")

BREATH_SOUNDS = Task(
    name="breath_sounds",
    labels=("wheeze", "crackle"),
    activation="sigmoid",
    unit="cycle",
    label_map=_mapped(wheeze=_CONTINUOUS, crackle=_DISCONTINUOUS, wheeze_and_crackle=_BOTH, negative=("normal",)),
    never=frozenset({"poor quality"}),
)
"""Wheeze and crackle in a breath cycle or event, each by itself."""

BREATH_CLASSES = Task(
    name="breath_classes",
    labels=("normal", "wheeze", "crackle", "both"),
    activation="softmax",
    unit="cycle",
    label_map=_mapped(wheeze=_CONTINUOUS, crackle=_DISCONTINUOUS, both=_BOTH, normal=("normal",)),
    never=frozenset({"poor quality"}),
    absent="normal",
    joint="both",
)
"""ICBHI's four classes."""

_TYPES = ("Normal", "Rhonchi", "Wheeze", "Stridor", "Coarse Crackle", "Fine Crackle", "Wheeze+Crackle")

BREATH_TYPES = Task(
    name="breath_types",
    labels=_TYPES,
    activation="softmax",
    unit="event",
    label_map={name.casefold(): (name,) for name in _TYPES},
    never=frozenset({"poor quality"}),
)
"""SPRSound's seven event labels, as its task 1-2 orders them."""

SIBILANT = "sibilant_wheeze"
"""What SPRSound's annotators call a wheeze, where `wheeze` stands for all continuous sounds."""

BREATH_FINDINGS = Task(
    name="breath_findings",
    labels=(
        "wheeze", "crackle", "normal", "poor_quality", SIBILANT, "rhonchi", "stridor", "fine_crackle", "coarse_crackle",
        "wheeze_crackle",
    ),
    activation="sigmoid",
    unit="event",
    label_map={
        "normal": ("normal",),
        "wheeze": ("wheeze", SIBILANT),
        "rhonchi": ("wheeze", "rhonchi"),
        "stridor": ("wheeze", "stridor"),
        "fine crackle": ("crackle", "fine_crackle"),
        "coarse crackle": ("crackle", "coarse_crackle"),
        "wheeze+crackle": ("wheeze", "crackle", "wheeze_crackle"),
        "poor quality": ("poor_quality",),
    },
)  # fmt: skip
"""Wheeze and crackle as a device names its events, and beside them what says more: SPRSound's seven event labels and
its poor quality."""

_RECORDS = ("Normal", "CAS", "DAS", "CAS & DAS", "Poor Quality")

BREATH_RECORDS = Task(
    name="breath_records",
    labels=_RECORDS,
    activation="softmax",
    unit="record",
    label_map={name.casefold(): (name,) for name in _RECORDS},
)
"""SPRSound's five record labels, poor quality included, as its task 2-2 needs them."""

# fmt: off
_ESC50 = (
    "airplane", "breathing", "brushing_teeth", "can_opening", "car_horn", "cat", "chainsaw", "chirping_birds",
    "church_bells", "clapping", "clock_alarm", "clock_tick", "coughing", "cow", "crackling_fire", "crickets", "crow",
    "dog", "door_wood_creaks", "door_wood_knock", "drinking_sipping", "engine", "fireworks", "footsteps", "frog",
    "glass_breaking", "hand_saw", "helicopter", "hen", "insects", "keyboard_typing", "laughing", "mouse_click",
    "pig", "pouring_water", "rain", "rooster", "sea_waves", "sheep", "siren", "sneezing", "snoring", "thunderstorm",
    "toilet_flush", "train", "vacuum_cleaner", "washing_machine", "water_drops", "wind",
)
# fmt: on
_VOICES = ("speech", "baby_laugh", "no_scream", "snoring", "other_sound")
_NOT_ALARMING = (*_ESC50, *_VOICES, "silence", "ambient", "music", "animal", "dog", "cat", "other")
_DISTRESS = frozenset({"distress_acted"})  # acted, may hold real sobbing and shouts: neither positive nor negative

CRY = Task(
    name="cry",
    labels=("cry",),
    activation="sigmoid",
    unit="clip",
    label_map=_mapped(cry=("cry", "crying_baby"), negative=(*_NOT_ALARMING, "scream", "scream_like")),
    never=_DISTRESS,
    train_only_sets=frozenset({"scream_mg"}),
    committed_list=CRY_LIST,
)
"""An infant cries. Negatives are the classic false alarms: children and adults who speak, shout and scream, cats."""

_REASONS = ("burping", "belly_pain", "discomfort", "tired", "lonely", "cold_hot", "scared")

CRY_REASON = Task(
    name="cry_reason",
    labels=("hungry", "other"),
    activation="softmax",
    unit="clip",
    label_map=_mapped(hungry=("hungry",), other=_REASONS),
)
"""The parent's guess at the reason, hungry or any other; who recorded (the app installation) is the subject."""

SCREAM = Task(
    name="scream",
    labels=("scream",),
    activation="sigmoid",
    unit="clip",
    label_map=_mapped(scream=("scream", "scream_like"), negative=(*_NOT_ALARMING, "cry", "crying_baby")),
    never=_DISTRESS,
    train_only_sets=frozenset({"scream_mg"}),
    # Nobody listened to scream_mg, whose folders look swapped: what another network is unsure of is left out.
    believed_from={"scream_like": 0.5},
    committed_list=SCREAM_LIST,
)
"""A person screams. Negatives are crying infants, acted anger and fear, cats, children who speak."""

ABNORMAL = replace(
    SCREAM,
    name="abnormal",
    labels=("scream", "glass_breaking", "siren"),
    label_map={**SCREAM.label_map, "glass_breaking": ("glass_breaking",), "siren": ("siren",)},
)
"""A person screams, glass breaks, a siren sounds, each by itself; all else as for screams alone."""

TASKS = {
    task.name: task
    for task in (
        BREATH_SOUNDS,
        BREATH_CLASSES,
        BREATH_TYPES,
        BREATH_RECORDS,
        BREATH_FINDINGS,
        CRY,
        CRY_REASON,
        SCREAM,
        ABNORMAL,
    )
}
"""Every task by its name."""
