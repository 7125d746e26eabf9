"""`python -m training scenes`: writes long scenes of one part with their truth, for `evaluate` and for listening.

OUT/scene-001.flac    the sound, and beside it `scene-001.txt`, an Audacity label track of the events
OUT/truth.csv         every event: where, how loud, in which room, from which file
OUT/backgrounds.csv   everything else that is in a scene
OUT/scenes.json       the same for `evaluate --data OUT`, with seed, hours, and how often a sound is repeated
"""

from __future__ import annotations

import csv
import json
from collections import Counter
from dataclasses import asdict, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from device.errors import ConfigError, RecordingError
from training.data.clips import SAMPLE_RATE_HZ
from training.data.split_list import CRY_LIST, IMPULSE_RESPONSE_LIST, SCREAM_LIST, read_list
from training.mixing.clip_in_background import SNRS_DB
from training.mixing.long_scenes import PlacedEvent, PlacedSound, compose_scenes
from training.mixing.scene_material import part_material
from training.mixing.scenes import SEED
from training.splits.make_lists import divided_duplicates, divided_subjects

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Sequence

    from training.mixing.long_scenes import LongScene
    from training.mixing.scene_material import SceneMaterial

SCENES = "scenes.json"
LISTS = {"cry": CRY_LIST, "scream": SCREAM_LIST}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `run` understands to a parser of the command line."""
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="folder that holds the collections")
    parser.add_argument("--split-list", type=Path, metavar="CSV", help="who is in which part (default: the committed)")
    parser.add_argument("--part", choices=("val", "test"), default="val", help="whose recordings (default val)")
    parser.add_argument("--task", choices=tuple(LISTS), default="cry", help="which event (default cry)")
    parser.add_argument("--snr", type=float, nargs="+", default=list(SNRS_DB), metavar="DB", help="levels of events")
    parser.add_argument("--seed", type=int, default=SEED, help=f"of everything that is drawn (default {SEED})")
    parser.add_argument("--hours", type=float, default=1.0, help="of scenes in all (default 1)")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="a folder that does not exist yet")


def run(args: argparse.Namespace) -> int:
    """Compose, write, and print what the scenes are made of."""
    if args.out.exists():
        raise ConfigError(f"{args.out} exists already: give a folder that does not")
    if not 0 < args.hours <= 100:
        raise ConfigError(f"--hours {args.hours:g}: give more than 0 and at most 100")
    split = args.split_list or LISTS[args.task]
    refuse_shared(split)
    material = part_material(args.data, args.part, split=split)
    if material.event != args.task:
        raise ConfigError(f"{split} is about the event {material.event}, not {args.task}: give the list of the task")
    _refuse_missing(material, args.part)
    rng = np.random.default_rng([args.seed, 0x5CE7E])
    args.out.mkdir(parents=True)
    written = []
    for number, scene in enumerate(compose_scenes(material, hours=args.hours, snrs_db=args.snr, rng=rng), start=1):
        written.append(_write_scene(args.out, f"scene-{number:03d}", scene, material.event))
    head = {"task": material.event, "part": args.part, "split": split.name, "seed": args.seed, "snrs_db": args.snr}
    found = {**head, "material": _counted(material), "scenes": written}
    (args.out / SCENES).write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    _write_tables(args.out, written)
    print(sentence(found))
    return 0


def refuse_shared(split: Path) -> None:
    """Refuse a list by which a sound of one part would be heard in another.

    Raises:
        RecordingError: a subject, a near duplicate or a room is in two parts.
    """
    found = [*divided_subjects(read_list(split), (), Path()), *divided_duplicates(read_list(split))]
    found += divided_subjects(read_list(IMPULSE_RESPONSE_LIST), (), Path())
    if split == CRY_LIST:  # the hard sounds of pets and animals are listed with the screams
        found += divided_subjects([*read_list(CRY_LIST), *read_list(SCREAM_LIST)], (), Path())
    if found:
        raise RecordingError(f"{split}: {found[0]} ({len(found)} in all): no scene is written from such a list.")


def sentence(found: dict[str, Any]) -> str:
    """What the scenes hold, and how often a sound is repeated."""
    scenes = found["scenes"]
    hours: Counter[str] = Counter()
    for one in scenes:
        hours[one["ground"]] += one["duration_s"] / 3600
    uses = Counter(sound["file"] for one in scenes for sound in (*one["events"], *one["background"]))
    within = sum(one["repeats"] for one in scenes)
    levels = ", ".join(f"{snr_db:g}" for snr_db in found["snrs_db"])
    return (
        f"{len(scenes)} scenes of {found['part']}: {hours['ordinary']:.2f} h ordinary, {hours['hard']:.2f} h hard, "
        f"{sum(len(one['events']) for one in scenes)} events at {levels} dB. "
        f"{len(uses)} sounds, {sum(uses.values()) - len(uses)} times one again, {within} of these within one scene."
    )


def _refuse_missing(material: SceneMaterial, part: str) -> None:
    for name in ("events", "ambient", "household", "hard"):
        if not getattr(material, name):
            raise RecordingError(f"{part} holds no {name} sounds: scenes need events and both kinds of backgrounds.")


def _counted(material: SceneMaterial) -> dict[str, int]:
    return {name: len(getattr(material, name)) for name in ("events", "ambient", "household", "hard", "rooms")}


def _write_scene(folder: Path, name: str, scene: LongScene, label: str) -> dict[str, Any]:
    """Sound and label track; what `scenes.json` says of it."""
    import soundfile

    soundfile.write(folder / f"{name}.flac", scene.samples, SAMPLE_RATE_HZ, subtype="PCM_16")
    track = "".join(f"{one.onset_s:.3f}\t{one.end_s:.3f}\t{label}\n" for one in scene.events)
    (folder / f"{name}.txt").write_text(track, encoding="utf-8")
    return {
        "file": f"{name}.flac",
        "ground": scene.ground,
        "duration_s": len(scene.samples) / SAMPLE_RATE_HZ,
        "repeats": scene.repeats,
        "events": [asdict(one) for one in scene.events],
        "background": [asdict(one) for one in scene.background],
    }


def _write_tables(folder: Path, scenes: Sequence[dict[str, Any]]) -> None:
    for name, member, kind in (("truth", "events", PlacedEvent), ("backgrounds", "background", PlacedSound)):
        columns = ["scene", "ground", *(field.name for field in fields(kind))]
        rows = ({"scene": one["file"], "ground": one["ground"], **row} for one in scenes for row in one[member])
        _write_table(folder / f"{name}.csv", columns, rows)


def _write_table(path: Path, columns: Sequence[str], rows: Iterable[dict[str, Any]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as lines:
        writer = csv.DictWriter(lines, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
