"""Makes and checks the committed lists: the command `python -m training splits`.

Without an option the lists are checked, in seconds, against the manifests and the committed findings. What
reads all audio takes an option of its own:

    --make                write cry.csv, scream.csv, lung.csv and rir.csv anew
    --scan                compare the spectra of all clips and write near_duplicates.csv (minutes)
    --measure YAMNET      listen to what is labelled as a cry or a scream, write cry_evidence.csv and
                          scream_evidence.csv (a minute)
    --summary             print subjects, clips and hours of each set and part
"""

from __future__ import annotations

import sys
from collections import defaultdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from training.data.datasets.annotated_recording import load_audio
from training.data.datasets.manifest_csv import read_manifest
from training.data.split_list import (
    CRY_LIST,
    IMPULSE_RESPONSE_LIST,
    LUNG_LIST,
    SCREAM_LIST,
    ListedClip,
    Part,
    read_list,
    write_list,
)
from training.scaling.scaling_options import add_scaling_options
from training.splits import (
    cry_evidence,
    cry_groups,
    cry_policy,
    impulse_response_policy,
    lung_policy,
    near_duplicates,
    scream_evidence,
    scream_policy,
)

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Mapping, Sequence

    from training.data.datasets.annotated_recording import AnnotatedRecording

# Re-exported for users of the lists.
__all__ = ["CRY_LIST", "IMPULSE_RESPONSE_LIST", "ListedClip", "Part", "add_arguments", "read_list", "run"]

DUPLICATES = CRY_LIST.with_name("near_duplicates.csv")
EVIDENCE = CRY_LIST.with_name("cry_evidence.csv")
SCREAM_EVIDENCE = CRY_LIST.with_name("scream_evidence.csv")
MOST_DOUBTFUL = 0.12  # of each source's cries


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `run` understands to a parser of the command line."""
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="folder that holds the collections")
    add_scaling_options(parser, has_cache=False)
    action = parser.add_mutually_exclusive_group()
    action.add_argument(
        "--check", action="store_true", help="check the committed lists (what happens without an option)"
    )
    action.add_argument("--make", action="store_true", help="write the lists anew")
    action.add_argument("--scan", action="store_true", help="search all clips for near duplicates (minutes)")
    action.add_argument(
        "--measure", type=Path, metavar="YAMNET", help="listen for cries and screams with this yamnet.tflite"
    )
    action.add_argument("--summary", action="store_true", help="print what each part holds")


def run(args: argparse.Namespace) -> int:
    """Do what the arguments ask; 0, or 1 if the committed lists do not hold.

    Raises:
        RecordingError: a manifest, a list or a recording is missing or unreadable.
    """
    recordings = read_recordings(args.data, scream_policy.SETS)
    if args.measure:
        cry_evidence.write_evidence(EVIDENCE, cry_evidence.gather(recordings, args.data, args.measure))
        scream_evidence.write_evidence(SCREAM_EVIDENCE, scream_evidence.gather(recordings, args.data, args.measure))
    elif args.scan:
        near_duplicates.write_near_duplicates(DUPLICATES, scan(recordings, args.data, args.workers, args.scheduler))
    elif args.make:
        for path, clips in remake(recordings, args.data).items():
            write_list(path, clips)
    elif args.summary:
        print("\n\n".join(_summaries(recordings, args.data)))
    else:
        return _check(recordings, args.data)
    return 0


def read_recordings(data: Path, sets: Iterable[str]) -> tuple[AnnotatedRecording, ...]:
    """Every recording of the named sets under `data`, by their manifests."""
    return tuple(recording for name in sets for recording in read_manifest(data / name))


def scan(
    recordings: Sequence[AnnotatedRecording], data: Path, workers: int = 1, scheduler: str | None = None
) -> tuple[near_duplicates.NearDuplicate, ...]:
    """Near duplicates among recordings that the manifests do not already put together."""
    groups = cry_groups.group_names(recordings)
    return near_duplicates.find_near_duplicates(
        [
            near_duplicates.ComparedClip(
                name=cry_policy.file_name(recording, data),
                group=group,
                duration_s=recording.duration_s,
                load=partial(load_audio, recording, near_duplicates.COMPARED_HZ),
            )
            for recording, group in zip(recordings, groups, strict=True)
        ],
        workers=workers,
        scheduler=scheduler,
    )


def remake(recordings: Sequence[AnnotatedRecording], data: Path) -> dict[Path, tuple[ListedClip, ...]]:
    """All lists as the code makes them from the manifests and the committed findings."""
    duplicates = near_duplicates.read_near_duplicates(DUPLICATES)
    cries = cry_policy.make_list(
        [recording for recording in recordings if recording.set in cry_policy.SETS],
        data,
        duplicates=duplicates,
        evidence=cry_evidence.read_evidence(EVIDENCE),
    )
    screams = scream_policy.make_list(
        recordings, data, duplicates=duplicates, evidence=scream_evidence.read_evidence(SCREAM_EVIDENCE)
    )
    lungs = lung_policy.make_list(read_recordings(data, lung_policy.SETS), data)
    rooms = impulse_response_policy.make_list(read_manifest(data / "rir"), data)
    return {CRY_LIST: cries, SCREAM_LIST: screams, LUNG_LIST: lungs, IMPULSE_RESPONSE_LIST: rooms}


def _check(recordings: Sequence[AnnotatedRecording], data: Path) -> int:
    known = (*recordings, *read_recordings(data, lung_policy.SETS))
    lists = {path: read_list(path) for path in (CRY_LIST, SCREAM_LIST, LUNG_LIST, IMPULSE_RESPONSE_LIST)}
    made = remake(recordings, data)
    found = [
        f"{path.name}: {problem}"
        for path, clips in lists.items()
        for problem in (
            *differences(clips, made[path]),
            *missing_files(clips, data),
            *divided_subjects(clips, known, data),
            *divided_duplicates(clips),
        )
    ]
    found += too_doubtful(lists[CRY_LIST]) + parted_between(lists[CRY_LIST], lists[SCREAM_LIST])
    for problem in found:
        print(problem, file=sys.stderr)
    if not found:
        count = sum(map(len, lists.values()))
        print(f"{count} clips listed, none missing, no subject and no near duplicate in two parts")
    return 1 if found else 0


def parted_between(ours: Iterable[ListedClip], theirs: Iterable[ListedClip]) -> list[str]:
    """Clips that train by one list and judge by the other: what learned from both would be judged by what it knows."""
    part = {clip.file: clip.part for clip in _used(ours)}
    return [
        f"{clip.file} is listed as {part[clip.file]} in one list and as {clip.part} in the other"
        for clip in _used(theirs)
        if part.get(clip.file, clip.part) != clip.part
    ]


def differences(committed: Iterable[ListedClip], made: Iterable[ListedClip]) -> list[str]:
    """Where a committed list is not what the code makes."""
    ours, theirs = {clip.file: clip for clip in committed}, {clip.file: clip for clip in made}
    return [
        *(f"{file} is not listed" for file in sorted(theirs.keys() - ours.keys())),
        *(f"{file} is listed but in no manifest" for file in sorted(ours.keys() - theirs.keys())),
        *(
            f"{file} is listed as {_described(ours[file])}, the code makes it {_described(theirs[file])}"
            for file in sorted(ours.keys() & theirs.keys())
            if ours[file] != theirs[file]
        ),
    ]


def _described(clip: ListedClip) -> str:
    return f"{clip.part} {clip.label}{' (doubtful)' if clip.doubtful else ''} of {clip.subject}, {clip.reason!r}"


def missing_files(clips: Iterable[ListedClip], data: Path) -> list[str]:
    """Listed files that do not lie under `data`."""
    return [f"{clip.file} is missing" for clip in clips if not (data / clip.file).is_file()]


def divided_subjects(clips: Iterable[ListedClip], recordings: Iterable[AnnotatedRecording], data: Path) -> list[str]:
    """Subjects, by the list or by the manifests, that stand in more than one part; `exclude` is none."""
    known = {cry_policy.file_name(recording, data): recording for recording in recordings}
    parts: defaultdict[str, set[str]] = defaultdict(set)
    for clip in _used(clips):
        parts[f"group {clip.subject}"].add(clip.part)
        if clip.file in known and clip.set != "pets":  # numbered by tens, which say nothing; see scream_policy
            parts[f"{clip.set} subject {known[clip.file].subject or 'unknown'}"].add(clip.part)
    return [f"{name} is divided: {', '.join(sorted(found))}" for name, found in sorted(parts.items()) if len(found) > 1]


def divided_duplicates(clips: Iterable[ListedClip]) -> list[str]:
    """Committed near duplicates whose two clips stand in different parts; what is ignored does no harm."""
    part = {clip.file: clip.part for clip in _used(clips) if clip.label != "ignore"}
    return [
        f"{pair.file_a} ({part[pair.file_a]}) and {pair.file_b} ({part[pair.file_b]}) hold the same sound"
        for pair in near_duplicates.read_near_duplicates(DUPLICATES)
        if pair.file_a in part and pair.file_b in part and part[pair.file_a] != part[pair.file_b]
    ]


def _used(clips: Iterable[ListedClip]) -> list[ListedClip]:
    return [clip for clip in clips if clip.part != "exclude"]


def too_doubtful(clips: Iterable[ListedClip]) -> list[str]:
    """Sources of cries of which more than 12 % are called doubtful."""
    doubts: defaultdict[str, list[bool]] = defaultdict(list)
    for clip in clips:
        if clip.label == "cry":
            doubts[clip.set].append(clip.doubtful)
    return [
        f"{sum(found)} of {len(found)} cries of {name} are called doubtful, at most {MOST_DOUBTFUL:.0%} may be"
        for name, found in sorted(doubts.items())
        if sum(found) > MOST_DOUBTFUL * len(found)
    ]


def _summaries(recordings: Sequence[AnnotatedRecording], data: Path) -> Iterable[str]:
    lungs = read_recordings(data, lung_policy.SETS)
    yield summary(read_list(CRY_LIST), recordings, data)
    yield f"{SCREAM_LIST.name}:\n\n{summary(read_list(SCREAM_LIST), recordings, data)}"
    yield f"{LUNG_LIST.name}:\n\n{summary(read_list(LUNG_LIST), lungs, data)}"


def summary(clips: Iterable[ListedClip], recordings: Iterable[AnnotatedRecording], data: Path) -> str:
    """A Markdown table: for each set, label and part its subjects / clips / minutes."""
    minutes = {cry_policy.file_name(recording, data): recording.duration_s / 60 for recording in recordings}
    cells: defaultdict[tuple[str, str], defaultdict[str, list[ListedClip]]] = defaultdict(lambda: defaultdict(list))
    for clip in clips:
        cells[clip.set, clip.label][clip.part].append(clip)
    lines = ["| set | label | train | val | test | exclude |", "| --- | --- | --- | --- | --- | --- |"]
    for (name, label), parts in sorted(cells.items()):
        row = " | ".join(_cell(parts.get(part, []), minutes) for part in get_args(Part))
        lines.append(f"| {name} | {label} | {row} |")
    return "\n".join(lines)


def _cell(clips: Sequence[ListedClip], minutes: Mapping[str, float]) -> str:
    subjects = {clip.subject for clip in clips}
    return f"{len(subjects)} / {len(clips)} / {sum(minutes[clip.file] for clip in clips):.1f}" if clips else "-"
