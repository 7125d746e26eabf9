"""Which part each group goes to: seeded, stratum by stratum, fixed parts first.

A stratum is a class, an age or a kind of room sound. Each group goes to one part, so that every stratum meets
its shares as well as whole groups allow.
"""

from __future__ import annotations

import re
import zlib
from collections import defaultdict
from typing import TYPE_CHECKING

import numpy as np

from training.splits.cry_groups import ambient_sound, is_kept_out

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from training.data.datasets.annotated_recording import AnnotatedRecording
    from training.data.split_list import Part

SEED = 20250228
PARTS: tuple[Part, ...] = ("train", "val", "test")


# Shares of train, val, test. Ambient and speech give more to the test: false alarms per hour are counted there
# (speech has an official test split of 46 %).
_SHARES: Mapping[str, tuple[float, float, float]] = {"ambient": (0.50, 0.15, 0.35), "speech": (0.38, 0.15, 0.47)}
_USUAL_SHARES = (0.60, 0.15, 0.25)

# The kind of an ambient sound, so that every part holds each kind. First match wins.
_AMBIENT_KINDS: tuple[tuple[str, str], ...] = (
    ("music", r"^music "),
    ("machine", r"fan|dryer|washing|airplane|train|electric car|vinyl|typewriter|exercise bike|noise|clock|heartbeat"),
    ("people", r"cafe|restaurant|crowd|supermarket|playground|conversation|office|library|church|subway|village"),
    ("street", r"city|street|siren"),
    ("rain", r"rain|storm|thunder"),
    ("water", r"water|dishes|tap|drops|bubbles|river|waves|boat|ship"),
    ("animal", r"cat|dog|bird|crow|owl|cow|sheep|seagull|whale|wolf|woodpecker|horse|cricket|jungle|miaow"),
    ("outdoors", r""),
)
# Sounds of a nursery that the test must hold, whatever is drawn.
_AMBIENT_TESTED = ("ceiling fan", "washing machine")


def _stratum(recording: AnnotatedRecording) -> str:
    if recording.set == "ambient":
        sound = ambient_sound(recording)
        return "ambient/" + next(kind for kind, pattern in _AMBIENT_KINDS if re.search(pattern, sound))
    if recording.set in {"donateacry", "babycry"}:
        return recording.set
    if recording.set == "hard_neg":
        return f"hard_neg/{recording.file.parent.name}"
    return f"{recording.set}/{recording.labels[-1]}"


def _fixed_part(recording: AnnotatedRecording) -> Part | None:
    """The part that a recording must be in; None if the draw decides."""
    if is_kept_out(recording):
        return "exclude"
    if _never_held_out(recording):
        return "train"
    return "test" if _always_held_out(recording) else None


def _never_held_out(recording: AnnotatedRecording) -> bool:
    """Of unknown subject, or with a guess in its place (scream_mg): a training clip may be of the same subject.

    The only recording of an infant laughing trains too: held out, it would measure one baby.
    """
    return not recording.subject or recording.set == "scream_mg" or "baby_laugh" in recording.labels


def _always_held_out(recording: AnnotatedRecording) -> bool:
    """The rest of babycry (two babies, known apart; silence, which is easily made), and what publishers hold out."""
    if recording.set == "ambient":
        return ambient_sound(recording) in _AMBIENT_TESTED
    return recording.set == "babycry" or (recording.set == "speech" and recording.official_split == "test")


def assign_parts(recordings: Sequence[AnnotatedRecording], groups: Sequence[str]) -> dict[str, Part]:
    """Group -> part, each stratum separately; a group of several classes counts in the first one."""
    members: defaultdict[str, list[AnnotatedRecording]] = defaultdict(list)
    for recording, group in zip(recordings, groups, strict=True):
        members[group].append(recording)
    strata: defaultdict[str, dict[str, float]] = defaultdict(dict)
    for group, together in members.items():
        stratum = min(_stratum(recording) for recording in together)
        strata[stratum][group] = sum(recording.duration_s for recording in together)
    fixed = {group: part for group, together in members.items() if (part := _fixed_part(together[0]))}
    return {group: part for name in sorted(strata) for group, part in fill_parts(name, strata[name], fixed).items()}


def fill_parts(
    stratum: str,
    weights: Mapping[str, float],
    fixed: Mapping[str, Part],
    *,
    shares: tuple[float, float, float] | None = None,
) -> dict[str, Part]:
    """Parts of a stratum's groups, weighed in seconds: heaviest first, each goes to the part that lacks most.

    Groups whose part is fixed come first and count; a seeded draw orders equals. Shares are of `PARTS`; None for those
    of the stratum's set.
    """
    rng = np.random.default_rng([SEED, zlib.crc32(stratum.encode())])
    draw = dict(zip(sorted(weights), rng.random(len(weights)), strict=True))
    wanted = shares or _SHARES.get(stratum.partition("/")[0], _USUAL_SHARES)
    lacking_s = {part: share * sum(weights.values()) for part, share in zip(PARTS, wanted, strict=True)}
    parts: dict[str, Part] = {}
    for group in sorted(weights, key=lambda name: (name not in fixed, -round(weights[name], 1), draw[name])):
        part = fixed[group] if group in fixed else max(PARTS, key=lambda name: lacking_s[name])
        parts[group] = part
        lacking_s[part] = lacking_s.get(part, 0.0) - weights[group]
    return parts
