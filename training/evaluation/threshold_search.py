"""Chooses when the network's scores are believed, on validation scenes alone.

Every candidate rule is run as the device would run it (`device.hearing.decision.Decider`) over scores of
whole scenes: cries within rooms at several SNRs, single other sounds, ambient sound and speech as
recorded. The rule is taken that finds most cries in time, false alarms beyond the goals being
paid for in recall: a parent who is woken for a cat switches the alarm off.
"""

from __future__ import annotations

import itertools
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from device.hearing.decision import Decider, OperatingPoint
from device.messages import Scores
from training.data.clips import SAMPLE_RATE_HZ
from training.mixing.augment import WINDOW_SAMPLES
from training.mixing.scenes import HOP_SAMPLES, part_scenes
from training.networks.predict import probabilities
from training.statistics import roc_auc

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Iterator, Sequence

    import numpy.typing as npt

    from training.mixing.scenes import Scene

    Float32 = npt.NDArray[np.float32]

HOP_S = HOP_SAMPLES / SAMPLE_RATE_HZ
WINDOW_S = WINDOW_SAMPLES / SAMPLE_RATE_HZ
LATEST_S = 4.0
"""A cry counts as found in time if it is decided so long after its onset."""


class Judged(Protocol):
    """What a rule is judged by in a scene; a `Scene` is one, and so is what an evaluation heard."""

    @property
    def is_cry(self) -> bool:
        """Whether an infant cries in it."""

    @property
    def snr_db(self) -> float | None:
        """Of what happens over its background; None for a stretch as it was recorded."""

    @property
    def onset_s(self) -> float:
        """Where the first audible cry begins."""

    @property
    def end_s(self) -> float:
        """Where the last one ends."""

    @property
    def duration_s(self) -> float:
        """Length of the scene."""


@dataclass(frozen=True, slots=True)
class Goals:
    """What a rule should keep, with a margin to what is promised of unseen subjects.

    Attributes:
        false_alarms_per_hour: on ambient sound and speech as recorded.
        false_clip_share: of single other sounds that raise an event.
        judged_snr_db: cries at this SNR and above are what recall is counted on.
        hour_price: recall that one false alarm an hour beyond the goal costs.
        clip_price: recall that a share of false clips beyond the goal costs, per share.
    """

    false_alarms_per_hour: float = 1.0
    false_clip_share: float = 0.01
    judged_snr_db: float = 10.0
    hour_price: float = 0.1
    clip_price: float = 2.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one rule gives on all scenes.

    Attributes:
        point: the rule.
        recall: share of cry scenes in which an event began, by SNR in dB.
        in_time: share of those that were decided within `LATEST_S` of the onset, by SNR.
        false_alarms_per_hour: events an hour of ambient sound and speech.
        false_clip_share: share of other clips that raised an event.
    """

    point: OperatingPoint
    recall: dict[float, float]
    in_time: dict[float, float]
    false_alarms_per_hour: float
    false_clip_share: float


def candidates() -> Iterator[OperatingPoint]:
    """Rules worth trying: 2 to 5 windows of up to 8, thresholds from 0.3 to 0.99."""
    confirmed = ((1.0, 1.5), (1.5, 1.5), (1.5, 2.0), (1.5, 3.0), (2.0, 2.0), (2.0, 3.0), (2.0, 4.0), (2.5, 3.0))
    thresholds = (*np.arange(0.3, 0.95, 0.025), 0.95, 0.96, 0.97, 0.98, 0.99)
    for on, (confirm_s, confirm_of_s) in itertools.product(thresholds, confirmed):
        yield point(float(on), confirm_s, confirm_of_s)


def point(on: float, confirm_s: float, confirm_of_s: float) -> OperatingPoint:
    """A rule whose end follows from its begin: half the threshold, and five seconds of quiet."""
    return OperatingPoint(
        on=round(on, 3),
        off=round(on / 2, 3),
        confirm_s=confirm_s,
        confirm_of_s=confirm_of_s,
        min_length_s=0.0,
        hold_s=5.0,
        cooldown_s=10.0,
    )


def decided_s(scores: Float32, rule: OperatingPoint) -> list[float]:
    """When events begin (or begin again) in a scene: seconds from its start, as the device decides."""
    decider = Decider(event_prefix="validation", model="cry", label="cry", point=rule, hop_s=HOP_S)
    begun = []
    for index, score in enumerate(scores):
        start_s = index * HOP_S
        window = Scores(model="cry", probabilities={"cry": float(score)}, start_s=start_s, end_s=start_s + WINDOW_S)
        _, event = decider.push(window)
        if event is not None and event.phase != "end":
            begun.append(event.decided_s)
    return begun


def outcome(scenes: Sequence[Judged], scores: Sequence[Float32], rule: OperatingPoint) -> Outcome:
    """Run one rule over all scenes."""
    begun = [_begun(one, rule) for one in scores]
    pairs = list(zip(scenes, begun, strict=True))
    cries = [(scene, events) for scene, events in pairs if scene.is_cry]
    snrs = sorted({float(scene.snr_db or 0.0) for scene, _ in cries})
    continuous = [(scene, events) for scene, events in pairs if scene.snr_db is None]
    hours = sum(scene.duration_s for scene, _ in continuous) / 3600
    others = [bool(events) for scene, events in pairs if not scene.is_cry and scene.snr_db is not None]
    return Outcome(
        point=rule,
        recall={snr: _share(bool(_while_crying(*pair)) for pair in cries if pair[0].snr_db == snr) for snr in snrs},
        in_time={snr: _share(_is_in_time(*pair) for pair in cries if pair[0].snr_db == snr) for snr in snrs},
        false_alarms_per_hour=sum(len(events) for _, events in continuous) / max(hours, 1e-9),
        false_clip_share=_share(others),
    )


def _begun(scores: Float32, rule: OperatingPoint) -> list[float]:
    """`decided_s`, spared where no window reaches the threshold."""
    return decided_s(scores, rule) if len(scores) and scores.max() >= rule.on else []


def _while_crying(scene: Judged, events: Sequence[float]) -> list[float]:
    """Events that were decided when the cry had begun, and not long after its end."""
    return [event for event in events if scene.onset_s <= event <= scene.end_s + LATEST_S]


def _is_in_time(scene: Judged, events: Sequence[float]) -> bool:
    return any(event <= scene.onset_s + LATEST_S for event in _while_crying(scene, events))


def _share(hits: Iterable[bool]) -> float:
    held = list(hits)
    return float(np.mean(held)) if held else 0.0


def merit(found: Outcome, goals: Goals) -> float:
    """Mean of recall and recall in time over the judged SNRs, less the price of false alarms beyond the goals."""
    judged = [snr for snr in found.recall if snr >= goals.judged_snr_db]
    gained = float(np.mean([found.recall[snr] + found.in_time[snr] for snr in judged])) / 2 if judged else 0.0
    over_hour = max(0.0, found.false_alarms_per_hour - goals.false_alarms_per_hour)
    over_clips = max(0.0, found.false_clip_share - goals.false_clip_share)
    return gained - goals.hour_price * over_hour - goals.clip_price * over_clips


def choose(scenes: Sequence[Judged], scores: Sequence[Float32], goals: Goals | None = None) -> Outcome:
    """The best rule; of rules alike the one with the highest threshold."""
    wanted = goals or Goals()
    found = (outcome(scenes, scores, rule) for rule in candidates())
    return max(found, key=lambda one: (round(merit(one, wanted), 3), one.point.on))


def table(found: Outcome) -> dict[str, Any]:
    """An outcome as JSON types, for the card."""
    return {
        "recall_by_snr_db": {f"{snr:g}": round(value, 4) for snr, value in found.recall.items()},
        "in_time_by_snr_db": {f"{snr:g}": round(value, 4) for snr, value in found.in_time.items()},
        "false_alarms_per_hour": round(found.false_alarms_per_hour, 3),
        "false_clip_share": round(found.false_clip_share, 4),
    }


def source_aucs(scenes: Sequence[Scene], scores: Sequence[Float32], *, full_cry_s: float = 0.5) -> dict[str, float]:
    """ROC AUC of each source's cry windows against all windows without a cry, and of all sources by SNR."""
    negative = np.concatenate([one for scene, one in zip(scenes, scores, strict=True) if not scene.is_cry])
    heard = [(scene, one[scene.cry_s >= full_cry_s]) for scene, one in zip(scenes, scores, strict=True) if scene.is_cry]
    keys = sorted({key for scene, _ in heard for key in _auc_keys(scene)})
    return {
        key: round(roc_auc(np.concatenate([one for scene, one in heard if key in _auc_keys(scene)]), negative), 5)
        for key in keys
    }


def _auc_keys(scene: Scene) -> tuple[str, str]:
    return f"{scene.source} at {scene.snr_db:g} dB", f"all at {scene.snr_db:g} dB"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `run` understands to a parser of the command line."""
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="folder that holds the collections")
    parser.add_argument("--work", type=Path, required=True, metavar="DIR", help="folder where `teach` left its marks")
    parser.add_argument("--network", type=Path, required=True, metavar="KERAS", help="a trained network")
    parser.add_argument("--out", type=Path, required=True, metavar="JSON", help="file for the rule and its figures")


def run(args: argparse.Namespace) -> int:
    """Choose, write the rule and its figures, and print them."""
    import keras

    scenes = part_scenes(args.data, args.work, "val")
    scores = probabilities(keras.saving.load_model(args.network, compile=False), scenes)
    best = choose(scenes, scores)
    figures = table(best) | {"window_auc": source_aucs(scenes, scores)}
    text = json.dumps({"operating_point": asdict(best.point), "validation": figures}, indent=2)
    args.out.write_text(text + "\n")
    print(text)
    return 0
