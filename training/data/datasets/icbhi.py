"""Reads the ICBHI 2017 respiratory sound database as published: a WAV and a TXT of breath cycles for each recording.

`<patient>_<session>_<place>_<mode>_<device>.txt` holds lines `start<TAB>end<TAB>crackles<TAB>wheezes`, in seconds and
0 or 1. The official split is `ICBHI_challenge_train_test.txt` (recording, `train` or `test`), the diagnoses are
`patient_diagnosis.csv` or `ICBHI_Challenge_diagnosis.txt` (patient, diagnosis). Audio and annotations may lie in one
folder or in several below the one given; a recording's own folder is looked into first.
B. M. Rocha et al., "An open access database for the evaluation of respiratory sound classification algorithms",
Physiological Measurement 40 (2019) 035001. Patients 156 and 218 are in both parts of the official split.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from training.data.datasets.annotation_checks import UNUSABLE, RawSpan
from training.data.datasets.own_recordings import labels_of, own_recording

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from training.data.datasets.annotated_recording import AnnotatedRecording
    from training.data.datasets.annotation_checks import Findings

_NAME = re.compile(
    r"(?P<patient>\d{3})_(?P<session>\w+?)_(?P<place>Tc|Al|Ar|Pl|Pr|Ll|Lr)_(?P<mode>sc|mc)_(?P<device>\w+)"
)
_SPLITS = ("ICBHI_challenge_train_test.txt",)
_DIAGNOSES = ("patient_diagnosis.csv", "ICBHI_Challenge_diagnosis.txt")
_CYCLE = {("0", "0"): "Normal", ("1", "0"): "Crackle", ("0", "1"): "Wheeze", ("1", "1"): "Crackle+Wheeze"}
_COLUMNS = 4


def is_icbhi(folder: Path) -> bool:
    """Whether some annotation below the folder is named as the database names them."""
    return any(_NAME.fullmatch(file.stem) for file in folder.rglob("*.txt"))


def read_icbhi(folder: Path, findings: Findings) -> Iterator[AnnotatedRecording]:
    """All recordings whose audio and annotation are there, sorted by name; each that lacks one is a problem."""
    sounds, cycles = _by_name(folder, "*.wav", findings), _by_name(folder, "*.txt", findings)
    parts = _table(folder, _SPLITS, findings)
    diagnoses = _table(folder, _DIAGNOSES, findings)
    for name in sorted(sounds.keys() | cycles.keys()):
        audio, annotation = sounds.get(name), cycles.get(name)
        if audio is None:
            findings.report(cycles[name], None, f"its audio {name}.wav is missing")
        elif annotation is None:
            findings.report(audio, None, f"its annotation {name}.txt is missing")
        elif header := findings.header(audio, annotation):
            if parts and name not in parts:
                findings.report(audio, None, "the official split names no part for it")
            events = findings.spans(_cycles(annotation), header[1], frozenset(_CYCLE.values()))
            part, patient = parts.get(name, (None, 0, ""))[2], name[:3]
            one = own_recording(audio, folder, header, _labels(labels_of(events)), subject=patient, official_split=part)
            note = _note(name, diagnoses.get(patient, (None, 0, ""))[2])
            yield replace(one, set="icbhi", session=_session(name), events=events, note=note)
    for name, (table, line, part) in parts.items():
        if name not in sounds and name not in cycles:
            findings.report(table, line, f"{name} ({part}) has neither audio nor annotation here")


def _labels(of_events: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(label for label in of_events if label != UNUSABLE)


def _by_name(folder: Path, pattern: str, findings: Findings) -> dict[str, Path]:
    """Recording's name -> its file; of several, the first that lies beside audio, and a problem if they differ."""
    found: dict[str, Path] = {}
    for file in sorted(folder.rglob(pattern), key=lambda one: (not one.with_suffix(".wav").is_file(), one)):
        if not _NAME.fullmatch(file.stem):
            continue
        first = found.setdefault(file.stem, file)
        if first != file and first.read_bytes() != file.read_bytes():
            findings.report(file, None, f"differs from {first.relative_to(folder)}, which is read")
    return found


def _cycles(annotation: Path) -> Iterator[RawSpan]:
    """The breath cycles, unchecked; a pair of flags that is not 0 or 1 becomes an unknown label."""
    for number, line in enumerate(annotation.read_text(encoding="utf-8-sig", errors="replace").splitlines(), start=1):
        columns = line.split()
        if len(columns) == _COLUMNS:
            start, end, crackles, wheezes = columns
            label = _CYCLE.get((crackles, wheezes), f"crackles={crackles} wheezes={wheezes}")
            yield RawSpan(annotation, number, start, end, label)
        elif columns:
            yield RawSpan(annotation, number, line, "", "")


def _table(folder: Path, names: tuple[str, ...], findings: Findings) -> dict[str, tuple[Path, int, str]]:
    """First column -> (table, line, second column) of the first table of these names; empty if there is none."""
    table = next((file for name in names for file in sorted(folder.rglob(name))), None)
    found: dict[str, tuple[Path, int, str]] = {}
    if table is None:
        return found
    for number, line in enumerate(table.read_text(encoding="utf-8-sig").splitlines(), start=1):
        columns = re.split(r"[\t,]", line.strip())
        if len(columns) != 2:
            findings.report(table, number, f'"{line.strip()}" is no line of two columns')
        elif columns[0] in found:
            findings.report(table, number, f"{columns[0]} is listed already in line {found[columns[0]][1]}")
        else:
            found[columns[0]] = (table, number, columns[1])
    return found


def _session(name: str) -> str:
    return "_".join(name.split("_")[:2])


def _note(name: str, diagnosis: str) -> str:
    match = _NAME.fullmatch(name)
    known = match.groupdict() if match else {}
    return f"diagnosis={diagnosis} place={known.get('place')} mode={known.get('mode')} device={known.get('device')}"
