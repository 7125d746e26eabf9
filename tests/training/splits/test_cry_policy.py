"""The policy of the cry list: subjects whole, shares met, the same every time, and a finding moves only its own."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.training.splits.listed_recordings import DATA, recording
from training.data.split_list import CRY_LIST, ListedClip, read_list
from training.splits.cry_evidence import CryEvidence
from training.splits.cry_policy import doubt_of, label_of, make_list
from training.splits.near_duplicates import NearDuplicate

if TYPE_CHECKING:
    from training.data.datasets.annotated_recording import AnnotatedRecording


def infants(count: int, clips_each: int = 2) -> list[AnnotatedRecording]:
    return [
        recording(f"donateacry/cry/{infant}-{clip}.ogg", "cry", "hungry", subject=f"infant{infant}")
        for infant in range(count)
        for clip in range(clips_each)
    ]


def made(recordings: list[AnnotatedRecording], *duplicates: NearDuplicate, **evidence: CryEvidence) -> list[ListedClip]:
    return list(make_list(recordings, DATA, duplicates=duplicates, evidence=evidence))


def same(file_a: str, file_b: str) -> NearDuplicate:
    return NearDuplicate(file_a, file_b, similarity=0.95, waveform=0.9, offset_s=0.0)


def parts_by(clips: list[ListedClip]) -> dict[str, set[str]]:
    found: defaultdict[str, set[str]] = defaultdict(set)
    for clip in clips:
        found[clip.subject].add(clip.part)
    return found


@settings(max_examples=40)
@given(sizes=st.lists(st.integers(1, 12), min_size=8, max_size=60))
def test_subjects_stay_whole_and_shares_are_met(sizes: list[int]) -> None:
    clips = made(
        [
            recording(f"donateacry/cry/{infant}-{clip}.ogg", "cry", subject=f"infant{infant}")
            for infant, size in enumerate(sizes)
            for clip in range(size)
        ]
    )
    assert all(len(parts) == 1 for parts in parts_by(clips).values())
    count = Counter[str](clip.part for clip in clips)
    for part, share in (("train", 0.60), ("val", 0.15), ("test", 0.25)):
        assert abs(count[part] - share * len(clips)) <= max(sizes)


@given(order=st.permutations(range(40)))
def test_the_order_of_the_manifest_changes_nothing(order: list[int]) -> None:
    recordings = infants(20)
    duplicates = [same("donateacry/cry/1-0.ogg", "donateacry/cry/2-1.ogg")]
    assert sorted(made([recordings[index] for index in order], *duplicates), key=lambda clip: clip.file) == sorted(
        made(recordings, *duplicates), key=lambda clip: clip.file
    )


@settings(max_examples=40)
@given(a=st.integers(0, 29), b=st.integers(0, 29))
def test_a_found_copy_moves_its_own_groups_and_no_other(a: int, b: int) -> None:
    before = {clip.file: clip for clip in made(infants(30))}
    files = (f"donateacry/cry/{a}-0.ogg", f"donateacry/cry/{b}-1.ogg")
    after = {clip.file: clip for clip in made(infants(30), same(*files))}
    assert after[files[0]].part == after[files[1]].part
    concerned = {before[file].subject for file in files}
    taught = "train" in {before[file].part for file in files}
    for file, clip in before.items():
        if clip.subject not in concerned:
            assert after[file] == clip
        else:
            assert (after[file].part == "train") == taught


def test_copies_of_copies_form_one_group() -> None:
    chain = [same(f"donateacry/cry/{infant}-0.ogg", f"donateacry/cry/{infant + 1}-0.ogg") for infant in range(9)]
    assert len({clip.subject for clip in made(infants(10), *chain)}) == 1


def test_a_clip_that_was_taught_is_never_held_out_for_a_copys_sake() -> None:
    unknown = recording("speech/wakeword/a.ogg", "speech", "wakeword", subject="")
    speaker = recording("speech/adult/b.ogg", "speech", "adult", subject="so1", official_split="test")
    assert [clip.part for clip in made([unknown, speaker])] == ["train", "test"]
    joined = made([unknown, speaker], same("speech/adult/b.ogg", "speech/wakeword/a.ogg"))
    assert [clip.part for clip in joined] == ["train", "train"]


def test_unknown_subjects_and_guessed_ones_only_teach() -> None:
    clips = made(
        [recording(f"hard_neg/snoring/1_{n}.ogg", "snoring", subject="", duration_s=1.0) for n in range(40)]
        + [recording(f"scream_mg/no_scream/{n}.ogg", "no_scream", subject=f"block{n}") for n in range(40)]
    )
    assert {clip.part for clip in clips} == {"train"}


@pytest.mark.parametrize(
    ("one", "label"),
    [
        (recording("donateacry/cry/a.ogg", "cry", "tired"), "cry"),
        (recording("esc50/crying_baby/a.ogg", "crying_baby"), "cry"),
        (recording("esc50/cat/a.ogg", "cat"), "other"),
        (recording("hard_neg/distress_speech_id/a.ogg", "speech", "distress_acted"), "ignore"),
        (recording("hard_neg/other_sound/0_49.ogg", "other_sound", subject=""), "ignore"),
        (recording("hard_neg/other_sound/0_50.ogg", "other_sound", subject=""), "other"),
        (recording("scream/scream/359154__muffled-female-cry.ogg", "scream"), "ignore"),
        (recording("scream/scream/maleScream-002.ogg", "scream"), "other"),
        (recording("scream_mg/scream_like/1.ogg", "scream_like", note="yamnet scream=0.9 cry=0.2 top=Yell"), "ignore"),
        (recording("scream_mg/scream_like/2.ogg", "scream_like", note="yamnet scream=0.9 cry=0.02 top=Yell"), "other"),
    ],
)
def test_each_kind_counts_as_it_should(one: AnnotatedRecording, label: str) -> None:
    judged, reason = label_of(one, None)
    assert judged == label
    assert bool(reason) == (label == "ignore")


@pytest.mark.parametrize(("infant", "label"), [(0.74, "ignore"), (0.41, "other")])
def test_laughter_that_may_be_crying_is_left_out(infant: float, label: str) -> None:
    laughter = recording("babycry/baby_laugh/1.ogg", "baby_laugh")
    assert label_of(laughter, CryEvidence("babycry/baby_laugh/1.ogg", 0.8, infant, 1.0))[0] == label


@given(crying=st.floats(0, 1), infant=st.floats(0, 1), voice_s=st.floats(0, 7))
def test_one_witness_alone_raises_no_doubt(crying: float, infant: float, voice_s: float) -> None:
    doubt = doubt_of(CryEvidence("a.ogg", crying, infant, voice_s))
    assert bool(doubt) == (max(crying, infant) < 0.1 and voice_s < 0.5)


def test_a_doubtful_cry_says_its_figures_and_keeps_its_part() -> None:
    file = "donateacry/cry/3-0.ogg"
    plain = made(infants(10))
    doubted = made(infants(10), **{file: CryEvidence(file, 0.02, 0.01, 0.21)})
    (one,) = [clip for clip in doubted if clip.doubtful]
    assert (one.file, one.label) == (file, "cry")
    assert one.reason == "YAMNet hears no cry (0.02) and an infant's voice is held for 0.21 s only"
    assert [clip.part for clip in doubted] == [clip.part for clip in plain]


@pytest.mark.real_audio
def test_the_committed_list_teaches_nothing_of_the_babies_told_apart() -> None:
    clips = [clip for clip in read_list(CRY_LIST) if clip.set == "babycry"]
    assert {clip.part for clip in clips if clip.label == "cry"} == {"test"}
    assert {clip.part for clip in clips if "laugh" in clip.file} == {"train"}
    assert {clip.part for clip in clips if "silence" in clip.file} == {"test"}


@pytest.mark.real_audio
def test_every_everyday_class_is_taught_chosen_by_and_judged_on() -> None:
    groups: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    for clip in read_list(CRY_LIST):
        if clip.set == "esc50":
            groups[clip.file.split("/")[1], clip.part].add(clip.subject)
    classes = {name for name, _ in groups}
    assert len(classes) == 50
    for name in classes:
        assert [len(groups[name, part]) >= 2 for part in ("train", "val", "test")] == [True] * 3
    assert len(groups["crying_baby", "test"]) >= 4


@pytest.mark.real_audio
def test_the_test_holds_the_sounds_of_a_home() -> None:
    heard = {clip.subject for clip in read_list(CRY_LIST) if clip.set == "ambient" and clip.part == "test"}
    assert {
        f"ambient:{name}" for name in ("ceiling fan", "washing machine", "rain", "crowd", "doing the dishes")
    } <= heard
    assert sum(name.startswith("ambient:music") for name in heard) >= 3


@pytest.mark.real_audio
def test_no_lung_sound_and_no_room_stands_in_the_list() -> None:
    assert {clip.set for clip in read_list(CRY_LIST)} == {
        "donateacry",
        "babycry",
        "esc50",
        "scream",
        "scream_mg",
        "scream_audioset",
        "hard_neg",
        "ambient",
        "speech",
    }
