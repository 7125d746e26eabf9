"""Reads SPRSound as its repository publishes it: WAV and JSON in `train2022_wav`, `train2022_json` and so on.

`<patient>_<age>_<sex>_<place>_<number>.json` holds `record_annotation` and `event_annotation`, a list of `start` and
`end` in milliseconds (text or numbers) and `type`. The part is told by the folder: `train*_json` is train; in
`test2022_json`, `inter_test_json` holds other patients than train (test_inter), `intra_test_json` the same ones
(test_intra).
Q. Zhang et al., "SPRSound: Open-Source SJTU Paediatric Respiratory Sound Database", IEEE Transactions on Biomedical
Circuits and Systems 16:5 (2022) 867-881; https://github.com/SJTU-YONGFU-RESEARCH-GRP/SPRSound.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from training.data.datasets.annotation_checks import RawSpan
from training.data.datasets.own_recordings import own_recording

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from training.data.datasets.annotated_recording import AnnotatedRecording
    from training.data.datasets.annotation_checks import Findings

_NAME = re.compile(r"(?P<patient>\d+)_(?P<age>[\d.]+)_(?P<sex>[01])_(?P<place>p[1-4])_(?P<number>\d+)")
_EVENTS = frozenset({"Normal", "Rhonchi", "Wheeze", "Stridor", "Coarse Crackle", "Fine Crackle", "Wheeze+Crackle"})
_RECORDS = frozenset({"Normal", "CAS", "DAS", "CAS & DAS", "Poor Quality"})
_SEX = {"0": "M", "1": "F"}


def is_sprsound(folder: Path) -> bool:
    """Whether a folder `*_json` below holds an annotation that is named as the database names them."""
    return any(_NAME.fullmatch(file.stem) and _sound_folder(file, folder) for file in folder.rglob("*.json"))


def read_sprsound(folder: Path, findings: Findings) -> Iterator[AnnotatedRecording]:
    """All recordings whose audio and annotation are there, sorted by path; each that lacks one is a problem."""
    read = set()
    for annotation in sorted(folder.rglob("*.json")):
        sounds = _sound_folder(annotation, folder)
        if sounds is None:
            continue
        audio = sounds / f"{annotation.stem}.wav"
        read.add(audio)
        name = _NAME.fullmatch(annotation.stem)
        if name is None:
            findings.report(annotation, None, "is not named patient_age_sex_place_number.json")
        elif header := findings.header(audio, annotation):
            yield from _recording(audio, annotation, folder, header, findings)
    for audio in sorted(folder.rglob("*.wav")):
        if audio not in read:
            findings.report(audio, None, f"its annotation {audio.stem}.json is missing")


def _recording(
    audio: Path, annotation: Path, folder: Path, header: tuple[int, float], findings: Findings
) -> Iterator[AnnotatedRecording]:
    text = annotation.read_text(encoding="utf-8-sig", errors="replace")
    try:
        said = json.loads(text)
        label, events = str(said["record_annotation"]), list(said["event_annotation"])
    except (ValueError, KeyError, TypeError) as error:
        findings.report(annotation, getattr(error, "lineno", None), f"cannot be understood ({error!r})")
        return
    if label not in _RECORDS:
        listed = ", ".join(sorted(_RECORDS))
        findings.report(annotation, 1, f'the record label "{label}" is unknown: there are {listed}')
    spans = findings.spans(_spans(annotation, text, events), header[1], _EVENTS)
    patient, age, sex, place, _ = audio.stem.split("_")
    one = own_recording(audio, folder, header, (label,), subject=patient, official_split=_part(annotation, folder))
    yield replace(one, set="sprsound", events=spans, note=f"age={age} sex={_SEX[sex]} place={place}")


def _spans(annotation: Path, text: str, events: list[Any]) -> Iterator[RawSpan]:
    """The events, unchecked; the line of the n-th event is where its brace stands."""
    braces = [match.start() for match in re.finditer(r"\{[^{}]*\}", text)]
    for number, event in enumerate(events):
        line = text.count("\n", 0, braces[number]) + 1 if number < len(braces) else None
        if isinstance(event, dict) and {"start", "end", "type"} <= event.keys():
            yield RawSpan(annotation, line, _seconds(event["start"]), _seconds(event["end"]), str(event["type"]))
        else:
            yield RawSpan(annotation, line, json.dumps(event), "", "")


def _seconds(milliseconds: object) -> float | str:
    try:
        return float(str(milliseconds)) / 1000
    except ValueError:
        return str(milliseconds)


def _sound_folder(annotation: Path, folder: Path) -> Path | None:
    """`x/test2022_json/inter_test_json/a.json` -> `x/test2022_wav`; None if no folder above is called so."""
    parts = annotation.relative_to(folder).parts[:-1]
    at = next((index for index, part in enumerate(parts) if part.endswith("_json")), None)
    return None if at is None else folder.joinpath(*parts[:at], f"{parts[at].removesuffix('_json')}_wav")


def _part(annotation: Path, folder: Path) -> str:
    parts = annotation.relative_to(folder).parts[:-1]
    if any(part.startswith("inter_") for part in parts):
        return "test_inter"
    if any(part.startswith("intra_") for part in parts):
        return "test_intra"
    return "train" if any(part.startswith("train") for part in parts) else "test"
