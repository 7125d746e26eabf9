"""Chooses the operating point of a network on validation scenes alone.

Every candidate is run as the device would run it, and its alarms are counted as an evaluation counts them
(`alarm_counting`), over scores of whole scenes: cries over backgrounds at several SNRs, single other sounds, ambient
sound and speech played through. The candidate is chosen that finds most cries in time, false alarms beyond the goals
being paid for in recall: a parent who is woken for a cat switches the alarm off.
"""

from __future__ import annotations

import itertools
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from device.hearing.decision import OperatingPoint
from training.evaluation.alarm_counting import WindowScores, count_alarms, decide_alarms
from training.evaluation.validation_windows import part_windows, scene_probabilities
from training.statistics import roc_auc

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Iterator, Sequence

    import numpy.typing as npt

    from training.evaluation.alarm_counting import SceneAlarms
    from training.evaluation.validation_windows import SceneWindows
    from training.mixing.scenes import SceneAnnotation

    Float32 = npt.NDArray[np.float32]


LEAST_THRESHOLD = 0.3
"""The lowest that is tried."""


@dataclass(frozen=True, slots=True)
class Goals:
    """What an operating point should keep, with a margin to what is promised of unseen subjects.

    Attributes:
        false_alarms_per_hour: on ambient sound and speech played through.
        false_clip_share: of single other sounds that raise an alarm.
        least_snr_db: recall is counted on cries at this SNR and above.
        hour_price: recall that one false alarm an hour beyond the goal costs.
        clip_price: recall that a share of false clips beyond the goal costs, per share.
    """

    false_alarms_per_hour: float = 1.0
    false_clip_share: float = 0.01
    least_snr_db: float = 10.0
    hour_price: float = 0.1
    clip_price: float = 2.0


@dataclass(frozen=True, slots=True)
class PointFigures:
    """What one operating point reaches on all scenes.

    Attributes:
        point: the operating point.
        recall: share of cry scenes in which an alarm was raised for the cry, by SNR in dB.
        in_time: share of those that were decided within `IN_TIME_S` of the onset, by SNR.
        false_alarms_per_hour: alarms an hour of ambient sound and speech.
        false_clip_share: share of other clips that raised an alarm.
    """

    point: OperatingPoint
    recall: dict[float, float]
    in_time: dict[float, float]
    false_alarms_per_hour: float
    false_clip_share: float


def candidates() -> Iterator[OperatingPoint]:
    """Operating points worth trying: 2 to 5 windows of up to 8, thresholds from 0.3 to 0.99."""
    confirmed = ((1.0, 1.5), (1.5, 1.5), (1.5, 2.0), (1.5, 3.0), (2.0, 2.0), (2.0, 3.0), (2.0, 4.0), (2.5, 3.0))
    thresholds = (*np.arange(LEAST_THRESHOLD, 0.95, 0.025), 0.95, 0.96, 0.97, 0.98, 0.99)
    for on, (confirm_s, confirm_of_s) in itertools.product(thresholds, confirmed):
        yield point(float(on), confirm_s, confirm_of_s)


def point(on: float, confirm_s: float, confirm_of_s: float) -> OperatingPoint:
    """An operating point whose end follows from its begin: half the threshold, and five seconds of quiet."""
    return OperatingPoint(
        on=round(on, 3),
        off=round(on / 2, 3),
        confirm_s=confirm_s,
        confirm_of_s=confirm_of_s,
        min_length_s=0.0,
        hold_s=5.0,
        cooldown_s=10.0,
    )


def evaluate_point(
    scenes: Sequence[SceneAnnotation], windows: Sequence[WindowScores], operating_point: OperatingPoint
) -> PointFigures:
    """Run one operating point over the scores of all scenes."""
    alarms = [_alarms(scene, one, operating_point) for scene, one in zip(scenes, windows, strict=True)]
    cries = [one for one in alarms if one.scene.is_event]
    snrs_db = sorted({float(one.scene.snr_db or 0.0) for one in cries})
    streams = [one for one in alarms if one.scene.is_stream]
    hours = sum(one.scene.duration_s for one in streams) / 3600
    return PointFigures(
        point=operating_point,
        recall={snr_db: _share(one.found for one in cries if one.scene.snr_db == snr_db) for snr_db in snrs_db},
        in_time={snr_db: _share(one.in_time for one in cries if one.scene.snr_db == snr_db) for snr_db in snrs_db},
        false_alarms_per_hour=sum(len(one.alarms_s) for one in streams) / max(hours, 1e-9),
        false_clip_share=_share(one.found for one in alarms if not one.scene.is_event and not one.scene.is_stream),
    )


def _alarms(scene: SceneAnnotation, windows: WindowScores, operating_point: OperatingPoint) -> SceneAlarms:
    """Spared the decision if no window reaches the threshold."""
    reached = windows.probabilities.max(initial=0.0) >= operating_point.on
    return count_alarms(scene, windows, decide_alarms(windows, operating_point) if reached else ())


def _share(hits: Iterable[bool]) -> float:
    held = list(hits)
    return float(np.mean(held)) if held else 0.0


def merit(found: PointFigures, goals: Goals) -> float:
    """Mean of recall and recall in time over the goals' SNRs, less the price of false alarms beyond the goals."""
    counted = [snr_db for snr_db in found.recall if snr_db >= goals.least_snr_db]
    gained = float(np.mean([found.recall[snr_db] + found.in_time[snr_db] for snr_db in counted])) / 2 if counted else 0
    over_hour = max(0.0, found.false_alarms_per_hour - goals.false_alarms_per_hour)
    over_clips = max(0.0, found.false_clip_share - goals.false_clip_share)
    return gained - goals.hour_price * over_hour - goals.clip_price * over_clips


def choose(
    scenes: Sequence[SceneAnnotation],
    windows: Sequence[WindowScores],
    goals: Goals | None = None,
    *,
    highest_threshold: float = 1.0,
) -> PointFigures:
    """The best operating point up to a threshold, `LEAST_THRESHOLD` or more; of equals the one with the highest."""
    wanted = goals or Goals()
    tried = (candidate for candidate in candidates() if candidate.on <= highest_threshold)
    found = (evaluate_point(scenes, windows, candidate) for candidate in tried)
    return max(found, key=lambda one: (round(merit(one, wanted), 3), one.point.on))


def figures(found: PointFigures) -> dict[str, Any]:
    """What an operating point reaches as JSON types, for the card."""
    return {
        "recall_by_snr_db": {f"{snr_db:g}": round(value, 4) for snr_db, value in found.recall.items()},
        "in_time_by_snr_db": {f"{snr_db:g}": round(value, 4) for snr_db, value in found.in_time.items()},
        "false_alarms_per_hour": round(found.false_alarms_per_hour, 3),
        "false_clip_share": round(found.false_clip_share, 4),
    }


def source_aucs(held: Sequence[SceneWindows], scores: Sequence[Float32]) -> dict[str, float]:
    """ROC AUC of each source's cry windows against all windows without a cry, and of all sources by SNR."""
    pairs = list(zip(held, scores, strict=True))
    negative = np.concatenate([one for windows, one in pairs if not windows.scene.is_event])
    positive = [(windows.scene, one[windows.is_full_cry]) for windows, one in pairs if windows.scene.is_event]
    keys = sorted({key for scene, one in positive if len(one) for key in _auc_keys(scene)})
    return {
        key: round(roc_auc(np.concatenate([one for scene, one in positive if key in _auc_keys(scene)]), negative), 5)
        for key in keys
    }


def _auc_keys(scene: SceneAnnotation) -> tuple[str, str]:
    return f"{scene.set} at {scene.snr_db:g} dB", f"all at {scene.snr_db:g} dB"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `run` understands to a parser of the command line."""
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="folder that holds the collections")
    parser.add_argument("--work", type=Path, required=True, metavar="DIR", help="folder where `teach` left its marks")
    parser.add_argument("--network", type=Path, required=True, metavar="KERAS", help="a trained network")
    parser.add_argument("--out", type=Path, required=True, metavar="JSON", help="file for the rule and its figures")


def run(args: argparse.Namespace) -> int:
    """Choose, write the rule and its figures, and print them."""
    import keras

    held = part_windows(args.data, args.work, "val")
    scores = scene_probabilities(keras.saving.load_model(args.network, compile=False), held)
    windows = [WindowScores(one.starts_s, one.ends_s, score) for one, score in zip(held, scores, strict=True)]
    best = choose([one.scene for one in held], windows)
    validation = figures(best) | {"window_auc": source_aucs(held, scores)}
    text = json.dumps({"operating_point": asdict(best.point), "validation": validation}, indent=2)
    args.out.write_text(text + "\n")
    print(text)
    return 0
