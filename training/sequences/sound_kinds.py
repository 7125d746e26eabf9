"""Which labels a sequence network learns, and which kind of recorded sound each of them names.

The first labels are the events that raise alarms. All others name what is easily taken for one of them, so that a mew
has a label of its own to score; on the device their role is `reject`.
"""

from __future__ import annotations

from typing import Literal

EVENTS: tuple[Literal["cry", "scream"], ...] = ("cry", "scream")

_KINDS: dict[str, tuple[str, ...]] = {
    "cat": ("cat",),
    "dog": ("dog",),
    "bird": (
        "rooster", "hen", "crow", "chirping_birds", "junglefowl|animal", "peafowl|animal", "myna|animal",
    ),
    "laughter": ("laughing", "baby_laugh"),
    "child": ("speech|child",),
    "speech": ("speech|adult", "speech|wakeword", "speech|angry", "speech|fearful", "speech|happy"),
    "adult_cry": ("speech|distress_acted",),
    "siren": ("siren", "clock_alarm"),
    "music": ("music",),
}  # fmt: skip

REJECTED = tuple(_KINDS)
LABELS = (*EVENTS, *REJECTED)
"""In the order of the logits."""

_LABEL_OF = {kind: label for label, kinds in _KINDS.items() for kind in kinds}

UNSURE_KINDS = frozenset({"no_scream", "scream_like", "other_sound", "ambient", "animal"})
"""Nobody says what else these hold: where one sounds, no rejected label is learned."""


def rejected_label(kind: str) -> str | None:
    """The label of a kind of sound, as its collection names it; None if it has none of its own.

    Args:
        kind: the collection's labels joined by `|`, the most general first.
    """
    return _LABEL_OF.get(kind) or _LABEL_OF.get(kind.split("|", maxsplit=1)[0])


def is_unsure(kind: str) -> bool:
    """Whether a sound of that kind may hold sounds of the rejected labels."""
    return kind.split("|", maxsplit=1)[0] in UNSURE_KINDS
