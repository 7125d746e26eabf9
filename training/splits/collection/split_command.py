"""`python -m training split DIR --out split.csv`: divides a collection by subject, or as its publishers did.

By subject: groups of subjects that share a sound stay together, labels are spread evenly, and recordings of an unknown
subject only train. The same folder and seed give the same bytes.
"""

from __future__ import annotations

import sys
from collections import Counter, defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from device.errors import ConfigError, RecordingError
from training.data.datasets.layouts import LAYOUTS, read_dataset
from training.splits.collection.balanced_parts import SHARES, balanced_parts
from training.splits.collection.official_parts import official_parts
from training.splits.collection.shared_sound import across_parts, check_sounds, joined_groups, shared_sounds
from training.splits.collection.subject_column import subjects_of, unknown_sentence
from training.splits.subject_split import PARTS, Assignment, check_subjects, divided_subjects, save_assignments

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping, Sequence

    from training.data.datasets.annotated_recording import AnnotatedRecording
    from training.data.datasets.dataset import Dataset
    from training.splits.near_duplicates import NearDuplicate
    from training.splits.subject_split import Part

_PROBLEMS_SHOWN = 10


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `run` understands to a parser of the command line."""
    parser.add_argument("data", type=Path, metavar="DIR", help="the collection")
    parser.add_argument("--out", type=Path, required=True, metavar="CSV", help="where file,subject,part is written")
    parser.add_argument("--layout", metavar="NAME", help=f"one of {', '.join(LAYOUTS)}; recognized if not given")
    parser.add_argument("--subject-column", metavar="NAME", help="column of a CSV in DIR: whose recording")
    parser.add_argument("--official-split", action="store_true", help="the publishers' parts, whatever they share")
    parser.add_argument("--seed", type=int, default=1, help="of the draw among subjects (%(default)s)")
    parser.add_argument(
        "--shares",
        type=float,
        nargs=3,
        default=SHARES,
        metavar=("TRAIN", "VAL", "TEST"),
        help="of each label (0.6 0.2 0.2)",
    )
    parser.add_argument("--skip-sounds", action="store_true", help="do not search for the same sound under two names")


def run(args: argparse.Namespace) -> int:
    """Write the split and print what each part holds.

    Raises:
        RecordingError: no subject is known, or the split would be unfair.
        ConfigError: the shares are none, or there are too few subjects.
    """
    if min(args.shares) < 0 or abs(sum(args.shares) - 1) > 1e-6:
        raise ConfigError(f"shares of {args.shares} do not add up to 1: give three such as 0.6 0.2 0.2.")
    dataset = read_dataset(args.data, args.layout)
    _print_problems(dataset)
    subjects = subjects_of(dataset, args.subject_column)
    if not any(subjects.values()):
        raise RecordingError(unknown_sentence(subjects))
    make = _official if args.official_split else _by_subject
    assignments = make(dataset, subjects, args)
    check_subjects(assignments, official_split=args.official_split)
    save_assignments(args.out, assignments)
    print("\n".join(summary(dataset, assignments)))
    return 0


def _by_subject(dataset: Dataset, subjects: Mapping[str, str], args: argparse.Namespace) -> list[Assignment]:
    """Each subject, with those it shares a sound with, in one part; unknown ones train."""
    pairs = () if args.skip_sounds else _listen(dataset, subjects)
    group_of = joined_groups(subjects, pairs)
    counts = label_counts(dataset, {file: group_of[subject] for file, subject in subjects.items()})
    unknown = group_of.get("")
    known = {group: held for group, held in counts.items() if group != unknown}
    parts = balanced_parts(known, np.random.default_rng(args.seed), shares=args.shares)
    if unknown is not None:
        parts[unknown] = "train"
    assignments = [Assignment(file, subject, parts[group_of[subject]]) for file, subject in subjects.items()]
    check_sounds(assignments, pairs)
    return assignments


def _official(dataset: Dataset, subjects: Mapping[str, str], args: argparse.Namespace) -> list[Assignment]:
    """The publishers' parts; what they share is said, not mended."""
    parts = official_parts(dataset)
    if "val" not in parts.values():
        parts |= _validation(dataset, subjects, parts, args)
    assignments = [Assignment(file, subjects[file], part, official=True) for file, part in parts.items()]
    divided = divided_subjects(assignments)
    if divided:
        print(f"{len(divided)} subject(s) are in two of the publishers' parts: {', '.join(list(divided)[:10])}")
    if not args.skip_sounds:
        pairs = across_parts(assignments, _listen(dataset, {one.file: one.part for one in assignments}))
        print(f"{len(pairs)} pair(s) of recordings hold the same sound and are in two of the publishers' parts")
    return assignments


def _validation(
    dataset: Dataset, subjects: Mapping[str, str], parts: Mapping[str, Part], args: argparse.Namespace
) -> dict[str, Part]:
    """Training recordings of subjects who are in no test, that are to validate."""
    tested = {subjects[file] for file, part in parts.items() if part == "test"}
    free = {file: subjects[file] for file, part in parts.items() if subjects[file] and subjects[file] not in tested}
    counts = label_counts(dataset, free)
    share = args.shares[1] / (args.shares[0] + args.shares[1])
    drawn = balanced_parts(counts, np.random.default_rng(args.seed), shares=(1 - share, share, 0.0))
    return {file: "val" for file, subject in free.items() if drawn[subject] == "val"}


def _listen(dataset: Dataset, groups: Mapping[str, str]) -> tuple[NearDuplicate, ...]:
    hours = sum(one.duration_s for one in dataset.recordings) / 3600
    what = f"{len(groups)} recordings, {hours:.1f} h (--skip-sounds leaves it out)"
    print(f"comparing the sounds of {what}", file=sys.stderr)
    pairs = shared_sounds(dataset, groups)
    for pair in pairs[:_PROBLEMS_SHOWN]:
        print(f"the same sound: {pair.file_a} and {pair.file_b}, {pair.offset_s:+.2f} s", file=sys.stderr)
    return pairs


def label_counts(dataset: Dataset, groups: Mapping[str, str]) -> dict[str, Counter[str]]:
    """Group -> label -> recordings that are labelled so, and events; every group holds something."""
    counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for one in dataset.recordings:
        file = dataset.file_name(one)
        if file in groups:
            counts[groups[file]].update(["", *one.labels, *(event.label for event in one.events)])
    return dict(counts)


def summary(dataset: Dataset, assignments: Sequence[Assignment]) -> list[str]:
    """A line for each part: subjects, recordings, minutes and labels."""
    recordings = {dataset.file_name(one): one for one in dataset.recordings}
    lines = [_part_line(part, [one for one in assignments if one.part == part], recordings) for part in PARTS]
    unknown = sum(not one.subject for one in assignments)
    left_out = len(recordings) - len(assignments)
    lines += [f"{unknown} recording(s) of an unknown subject only train"] if unknown else []
    return lines + ([f"{left_out} recording(s) are in none of the publishers' parts"] if left_out else [])


def _part_line(part: Part, held: Sequence[Assignment], recordings: Mapping[str, AnnotatedRecording]) -> str:
    subjects = len({one.subject for one in held if one.subject})
    minutes = sum(recordings[one.file].duration_s for one in held) / 60
    labels = Counter(label for one in held for label in recordings[one.file].labels)
    named = ", ".join(f"{count} {label}" for label, count in sorted(labels.items()))
    return f"{part:<5} {subjects:4d} subjects {len(held):5d} recordings {minutes:7.1f} min: {named or 'no label'}"


def _print_problems(dataset: Dataset) -> None:
    for problem in dataset.problems[:_PROBLEMS_SHOWN]:
        print(problem, file=sys.stderr)
    if dataset.problems:
        print(f"{len(dataset.problems)} problem(s) with the annotations: `describe` prints all", file=sys.stderr)
