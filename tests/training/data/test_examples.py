"""From recordings and a split to examples: nothing is dropped uncounted, nothing judges that may only teach."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.data.datasets.annotated_recording import AnnotatedRecording, AnnotatedSpan
from training.data.datasets.manifest_csv import read_manifest
from training.data.examples import GAP_PIECE_S, Examples, examples_of
from training.data.split_list import SCREAM_LIST, read_list
from training.data.tasks import BREATH_CLASSES, BREATH_SOUNDS, CRY, SCREAM, Task, own_task

DATA = Path(__file__).resolve().parents[4] / "shared" / "data"
FOLDER = Path("/collection")
_RECORDING = AnnotatedRecording(
    file=FOLDER / "a.wav",
    set="mine",
    labels=("Normal",),
    subject="p1",
    session="",
    official_split="",
    sample_rate_hz=4000,
    duration_s=10.0,
    events=(),
    note="",
)


@dataclass(frozen=True)
class Held:
    name: str
    folder: Path
    recordings: tuple[AnnotatedRecording, ...]


@dataclass(frozen=True)
class Assigned:
    file: str
    subject: str
    part: str


def spans(*events: tuple[float, float, str]) -> tuple[AnnotatedSpan, ...]:
    return tuple(AnnotatedSpan(*event) for event in events)


def examples(recording: AnnotatedRecording, task: Task, *, part: str = "train", subject: str = "p1") -> Examples:
    return examples_of(Held("mine", FOLDER, (recording,)), [Assigned("a.wav", subject, part)], task)


def test_each_annotated_cycle_is_an_example_with_its_target_subject_and_part() -> None:
    recording = replace(_RECORDING, events=spans((0.0, 2.0, "Normal"), (2.0, 3.5, "Crackle"), (3.5, 4.0, "Cough")))
    found = examples(recording, BREATH_SOUNDS, part="val")
    assert [(one.start_s, one.end_s, one.target, one.subject, one.part) for one in found.items] == [
        (0.0, 2.0, (0, 0), "p1", "val"),
        (2.0, 3.5, (0, 1), "p1", "val"),
    ]
    assert found.excluded == Counter({'label "Cough"': 1})
    assert found.of("train") == ()


def test_a_recording_without_annotated_cycles_is_counted() -> None:
    assert examples(replace(_RECORDING, labels=("Poor Quality",)), BREATH_SOUNDS).excluded == {"no annotated cycle": 1}


def test_an_annotation_beyond_the_recording_is_cut_to_it_and_one_of_no_length_is_counted() -> None:
    found = examples(replace(_RECORDING, events=spans((9.0, 11.0, "Wheeze"), (5.0, 5.0, "Wheeze"))), BREATH_CLASSES)
    assert [(one.start_s, one.end_s) for one in found.items] == [(9.0, 10.0)]
    assert found.excluded == {"an annotation of no length": 1}


def test_spans_that_hold_together_give_one_target_together() -> None:
    found = examples(replace(_RECORDING, events=spans((0.0, 2.0, "Wheeze"), (0.5, 3.0, "Crackle"))), BREATH_SOUNDS)
    assert [one.target for one in found.items] == [(1, 1), (1, 1)]


def test_a_recording_that_the_split_does_not_name_is_counted() -> None:
    found = examples_of(Held("mine", FOLDER, (_RECORDING,)), [Assigned("b.wav", "p1", "train")], BREATH_SOUNDS)
    assert (found.items, found.excluded) == ((), {"the split names no part for it": 1})


@pytest.mark.parametrize("part", ["val", "test"])
def test_what_has_no_subject_or_doubtful_labels_only_teaches(part: str) -> None:
    clip = replace(_RECORDING, labels=("scream_like",), set="scream_mg", note="yamnet scream=0.9000 cry=0.1")
    assert examples(clip, SCREAM).items[0].target == (1,)
    assert not examples(clip, SCREAM, part=part).items
    nobody = replace(_RECORDING, labels=("speech",))
    assert examples(nobody, CRY, subject="").items
    assert examples(nobody, CRY, part=part, subject="").excluded == {"its subject is unknown, so it may only teach": 1}


@pytest.mark.parametrize("note", ["yamnet scream=0.4999 cry=0", ""])
def test_a_doubtful_label_needs_a_score_that_believes_it(note: str) -> None:
    clip = replace(_RECORDING, labels=("scream_like",), set="scream_mg", note=note)
    assert examples(clip, SCREAM).excluded == {'its label "scream_like" is doubtful': 1}


def test_between_the_labels_of_an_own_recording_are_negatives() -> None:
    recording = replace(_RECORDING, events=spans((4.5, 5.0, "cough")))
    found = examples(recording, own_task(["cough"]))
    assert [(one.start_s, one.end_s) for one in found.items if one.target == (1,)] == [(4.5, 5.0)]
    assert [(one.start_s, one.end_s) for one in found.items if one.target == (0,)] == [
        (0.0, 2.0),
        (2.0, 4.0),
        (4.0, 4.5),
        (5.0, 7.0),
        (7.0, 9.0),
        (9.0, 10.0),
    ]


def test_an_own_recording_without_a_label_track_is_what_its_folder_says() -> None:
    found = examples(replace(_RECORDING, labels=("cough",)), own_task(["cough"]))
    assert [(one.start_s, one.end_s, one.target) for one in found.items] == [(0.0, 10.0, (1,))]


@pytest.mark.parametrize(("labels", "count"), [(("ambient",), 3), (("cry",), 1)])
def test_a_long_negative_is_several_and_a_cry_stays_whole(labels: tuple[str, ...], count: int) -> None:
    """Nothing is in any piece of a negative; where in a clip an infant cries, nobody said."""
    found = examples(replace(_RECORDING, labels=labels, duration_s=12.0), CRY).items
    assert len(found) == count
    assert (found[0].start_s, found[-1].end_s) == (0.0, 12.0)


_TIMES = st.floats(0, 12, allow_nan=False).map(lambda value: round(value, 3))
_SPANS = st.lists(st.tuples(_TIMES, _TIMES, st.sampled_from(["cough", "sneeze", "bark"])), max_size=8)


@given(_SPANS)
def test_every_span_is_an_example_or_counted_and_no_negative_holds_one(events: list[tuple[float, float, str]]) -> None:
    recording = replace(_RECORDING, labels=("cough",), events=spans(*events))
    found = examples(recording, own_task(["cough", "sneeze"]))
    positives = [one for one in found.items if any(one.target)]
    negatives = [one for one in found.items if not any(one.target)]
    assert all(0 <= one.start_s < one.end_s <= 10.0 for one in found.items)
    if events:
        assert len(positives) + sum(found.excluded.values()) == len(events)
        assert all(one.end_s - one.start_s <= GAP_PIECE_S + 1e-9 for one in negatives)
    for one in negatives:
        assert all(min(one.end_s, end) - max(one.start_s, start) <= 0 for start, end, _ in events if start < end)


@pytest.mark.real_audio
def test_the_committed_list_keeps_hidden_infants_out_of_the_negatives() -> None:
    """The first 50 of hard_neg's other_sound are an infant's cries, whatever the folder says."""
    recordings = read_manifest(DATA / "hard_neg")
    held = Held("hard_neg", DATA / "hard_neg", recordings)
    everywhere = [Assigned(one.file.relative_to(held.folder).as_posix(), one.subject, "train") for one in recordings]
    found = examples_of(held, everywhere, CRY)
    names = {one.recording.file.stem for one in found.items if "other_sound" in one.recording.labels}
    assert not {f"0_{number}" for number in range(50)} & names
    assert found.excluded["the committed list ignores it"] == 154


@pytest.mark.real_audio
def test_the_committed_parts_give_screams_in_all_three_parts() -> None:
    parts = {clip.file: clip for clip in read_list(SCREAM_LIST)}
    counts: Counter[tuple[str, tuple[float, ...]]] = Counter()
    for name in ("scream", "scream_audioset"):
        recordings = read_manifest(DATA / name)
        listed = [parts[one.file.relative_to(DATA).as_posix()] for one in recordings]
        assigned = [Assigned(clip.file.removeprefix(f"{name}/"), clip.subject, clip.part) for clip in listed]
        counts += Counter(
            (one.part, one.target) for one in examples_of(Held(name, DATA / name, recordings), assigned, SCREAM).items
        )
    assert counts["train", (1.0,)] == 56
    assert counts["val", (1.0,)] == 16
    assert counts["test", (1.0,)] == 17
