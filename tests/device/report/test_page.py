"""The page of a recording and the index of many."""

from __future__ import annotations

import base64
import io
import re
from dataclasses import dataclass, field, replace
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import hypothesis.strategies as st
import numpy as np
import pytest
import soundfile
from hypothesis import HealthCheck, given, settings
from PIL import Image

from device.messages import AudioBlock, Event, Fault, Heard, Scores
from device.report.page import PageSummary, summarize, write_index, write_page
from device.report.page_content import ListedLabel, ListedModel, PageRecorder

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

    from device.report.page_content import PageContent

RATE_HZ = 8000
HOSTILE = "\"><script>alert(1)</script><img src=http://evil.example/x onerror=alert(1)>\u202e&amp;'\udcff\n.wav"
VOID = {"meta", "br", "img", "input", "link", "hr"}
LOADING_ATTRIBUTES = {"src", "href", "srcset", "poster", "data", "action", "background", "xlink:href"}


@dataclass
class _Parsed(HTMLParser):
    """Tags of a page in order, and a stack that must come out even."""

    tags: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    open_tags: list[str] = field(default_factory=list)
    words: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self.open_tags.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self.open_tags.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open_tags and self.open_tags[-1] not in ("style", "script"):
            self.words.append(data)

    def all_of(self, name: str) -> list[dict[str, str]]:
        return [attributes for tag, attributes in self.tags if tag == name]

    def of_class(self, name: str) -> list[dict[str, str]]:
        return [attributes for _, attributes in self.tags if name in attributes.get("class", "").split()]


def _parsed(page: str) -> _Parsed:
    parser = _Parsed()
    parser.feed(page)
    parser.close()
    assert parser.open_tags == []
    return parser


def _model(name: str = "cry", *, terms: str = "CC BY-NC 3.0", label: str = "cry") -> ListedModel:
    labels = (ListedLabel(label, "alarm", "high", 0.6, 0.4),)
    return ListedModel(name, "0.1.0", 16_000, 2.0, terms, "ab" * 32, labels)


def _event(phase: str, start_s: float, end_s: float | None, number: int = 1) -> Event:
    begin = Event(f"s-cry-cry-{number}", 0, "cry", "cry", "begin", 0.93, start_s, None, start_s + 3, "3 of 4 windows")
    return begin if phase == "begin" else replace(begin, seq=1, phase="end", end_s=end_s, reason="quiet")


def _tone(start_s: float, end_s: float) -> tuple[npt.NDArray[np.float32], int]:
    time_s = np.arange(round(start_s * RATE_HZ), round(end_s * RATE_HZ)) / RATE_HZ
    return (0.3 * np.sin(2 * np.pi * 500 * time_s)).astype(np.float32), RATE_HZ


def _content(
    source: str = "nights/baby.wav", seconds: int = 60, *, heard: Heard | None = None, sound: bool = True
) -> PageContent:
    recorder = PageRecorder(source, [_model()])
    recorder.block(AudioBlock(_tone(0, min(seconds, 60))[0], RATE_HZ, 0))
    if seconds > 60:
        recorder.block(AudioBlock(_tone(0, 1)[0], RATE_HZ, (seconds - 1) * RATE_HZ, after_gap=True))
    for number in range(2 * seconds - 3):
        recorder.heard(
            Heard(scores=[Scores("cry", {"cry": 0.9 if 20 <= number < 40 else 0.1}, number / 2, number / 2 + 2)])
        )
    recorder.heard(heard or Heard(events=[_event("begin", 10.0, None), _event("end", 10.0, 21.5)]))
    return recorder.finish(_tone if sound else None)


def _written(tmp_path: Path, content: PageContent, *, index: str | None = None) -> str:
    write_page(tmp_path / "page.html", content, index=index)
    return (tmp_path / "page.html").read_text(encoding="utf-8")


def _payload(address: str, mime: str) -> bytes:
    front, _, payload = address.partition(",")
    assert front == f"data:{mime};base64"
    return base64.b64decode(payload, validate=True)


def _assert_loads_nothing(parsed: _Parsed) -> None:
    for tag, attributes in parsed.tags:
        for name in LOADING_ATTRIBUTES & set(attributes):
            is_link = tag == "a" and name == "href" and ":" not in attributes[name]
            assert is_link or attributes[name].startswith("data:"), (tag, attributes[name][:80])
        assert not any(name.startswith("on") for name in attributes)
        assert "style" not in attributes
    assert not parsed.all_of("link")
    assert not parsed.all_of("iframe")


def test_the_page_is_well_formed_and_loads_nothing(tmp_path: Path) -> None:
    page = _written(tmp_path, _content(), index="index.html")
    _assert_loads_nothing(_parsed(page))
    assert "http:" not in page
    assert "https:" not in page
    assert "@import" not in page
    assert "default-src 'none'" in page


def test_the_embedded_picture_opens_and_the_sound_has_the_right_length(tmp_path: Path) -> None:
    parsed = _parsed(_written(tmp_path, _content()))
    (picture,) = parsed.all_of("image")
    with Image.open(io.BytesIO(_payload(picture["href"], "image/png"))) as image:
        assert image.size[1] == 128
    (audio,) = parsed.all_of("audio")
    samples, rate_hz = soundfile.read(io.BytesIO(_payload(audio["src"], "audio/flac")))
    assert len(samples) / rate_hz == pytest.approx(60.0)
    assert "controls" in audio
    assert (float(audio["data-start"]), float(audio["data-end"])) == (0.0, 60.0)


def test_a_long_recording_brings_the_sound_around_its_events(tmp_path: Path) -> None:
    heard = Heard(events=[_event("begin", 100.0, None), _event("end", 100.0, 104.0), _event("begin", 700.0, None, 2)])
    parsed = _parsed(_written(tmp_path, _content(seconds=720, heard=heard)))
    clips = parsed.all_of("audio")
    assert [(float(clip["data-start"]), float(clip["data-end"])) for clip in clips] == [(90.0, 114.0), (690.0, 720.0)]
    for clip, seconds in zip(clips, (24.0, 30.0), strict=True):
        assert soundfile.info(io.BytesIO(_payload(clip["src"], "audio/flac"))).duration == pytest.approx(seconds)
    assert len(parsed.of_class("kept")) == 2


def test_events_without_room_for_their_sound_are_counted_on_the_page(tmp_path: Path) -> None:
    content = replace(_content(), events_without_sound=7)
    assert "too large: 7 events" in _written(tmp_path, content)


def test_an_event_is_drawn_at_its_time_and_decided_later(tmp_path: Path) -> None:
    parsed = _parsed(_written(tmp_path, _content()))
    (svg,) = [attributes for attributes in parsed.all_of("svg") if attributes.get("id") == "figure"]
    duration_s = float(svg["data-duration"])
    (veil,) = parsed.of_class("veil")
    assert _share(veil["x"]) * duration_s == pytest.approx(10.0, abs=0.05)
    assert _share(veil["width"]) * duration_s == pytest.approx(11.5, abs=0.05)
    (decided,) = parsed.of_class("decided")
    assert _share(decided["x1"]) * duration_s == pytest.approx(13.0, abs=0.05)


def _share(percent: str) -> float:
    assert percent.endswith("%")
    return float(percent[:-1]) / 100


@pytest.mark.parametrize(("verdict", "told"), [("hungry", "hungry"), (None, "none")])
def test_the_verdict_of_an_event_has_a_column_where_a_model_gives_any(
    tmp_path: Path, verdict: str | None, told: str
) -> None:
    assert "Verdict" not in _parsed(_written(tmp_path, _content())).words
    end = replace(_event("end", 10.0, 21.5), verdict=verdict)
    content = _content(heard=Heard(events=[_event("begin", 10.0, None), end]))
    label = ListedLabel("hungry", "verdict", "low", 0.7, 0.5)
    curve = replace(content.curves[0], model="cry-reason", label="hungry")
    content = replace(
        content, labels=[*content.labels, ("cry-reason", label)], curves=[*content.curves, curve], models=[]
    )
    words = _parsed(_written(tmp_path, content)).words
    assert words.index("Verdict") < words.index(told, words.index("Verdict"))


def test_thresholds_stand_at_their_height_in_the_lane(tmp_path: Path) -> None:
    parsed = _parsed(_written(tmp_path, _content()))
    (lane,) = parsed.of_class("lane")
    top, height = float(lane["data-top"]), float(lane["data-height"])
    heights = {
        line["class"].split()[1]: 1 - (float(line["y1"]) - top) / height for line in parsed.of_class("threshold")
    }
    assert heights == pytest.approx({"on": 0.6, "off": 0.4}, abs=0.002)


def test_the_curve_says_what_was_scored(tmp_path: Path) -> None:
    content = _content()
    parsed = _parsed(_written(tmp_path, content))
    (lane,), (line,) = parsed.of_class("lane"), parsed.of_class("curve")
    points = np.array([[float(number) for number in point.split(",")] for point in line["points"].split()])
    scores = 1 - points[:, 1] / float(lane["data-height"])
    assert scores == pytest.approx(content.curves[0].probability, abs=2e-4)
    assert (np.diff(points[:, 0]) > 0).all()


def test_a_curve_breaks_where_nothing_was_listened_to(tmp_path: Path) -> None:
    recorder = PageRecorder("a.wav", [_model()])
    recorder.block(AudioBlock(_tone(0, 60)[0], RATE_HZ, 0))
    for number in (*range(40), *range(80, 117)):
        recorder.heard(Heard(scores=[Scores("cry", {"cry": 0.2}, number / 2, number / 2 + 2)]))
    assert len(_parsed(_written(tmp_path, recorder.finish())).of_class("curve")) == 2


def test_faults_are_hatched_and_listed(tmp_path: Path) -> None:
    faults = [
        Fault("clipping", begins=True, since_s=30.0, at_s=30.5, detail="2 % at full scale"),
        Fault("clipping", begins=False, since_s=30.0, at_s=35.0, detail=""),
        Fault("gap", begins=True, since_s=40.0, at_s=41.0, detail="8000 samples lost"),
    ]
    page = _written(tmp_path, _content(heard=Heard(faults=faults)))
    assert len(_parsed(page).of_class("fault")) == 2
    assert "2 % at full scale" in page
    assert "8000 samples lost" in page


def test_the_tables_say_what_was_told_and_why(tmp_path: Path) -> None:
    words = " ".join(_parsed(_written(tmp_path, _content())).words)
    for expected in (
        "s-cry-cry-1",
        "0:10.00",
        "0:21.50",
        "11.50 s",
        "0:13.00",
        "0.930",
        "3 of 4 windows",
        "quiet",
        "high",
    ):
        assert expected in words


def test_silence_says_how_near_each_label_came(tmp_path: Path) -> None:
    words = " ".join(_parsed(_written(tmp_path, _content(heard=Heard()))).words)
    assert "None: no label was sure for long enough." in words
    assert "0.900" in words
    assert "0:10.00 to 0:12.00" in words


def test_terms_and_notes_stand_on_the_page(tmp_path: Path) -> None:
    content = replace(_content(), notes=("The file ends 3 s before its header says.",))
    words = _parsed(_written(tmp_path, content)).words
    assert "CC BY-NC 3.0" in words
    assert "The file ends 3 s before its header says." in words


def _hostile_content(text: str) -> PageContent:
    recorder = PageRecorder(text, [_model(text, terms=text, label=text)])
    recorder.block(AudioBlock(_tone(0, 5)[0], RATE_HZ, 0))
    event = Event(text, 0, text, text, "begin", 0.9, 1.0, None, 3.0, text)
    fault = Fault("stuck", begins=True, since_s=1.0, at_s=2.0, detail=text)
    recorder.heard(Heard(scores=[Scores(text, {text: 0.5}, 0.0, 2.0)], events=[event], faults=[fault]))
    return recorder.finish(_tone, notes=[text])


def test_nothing_that_a_file_or_model_is_called_becomes_markup(tmp_path: Path) -> None:
    harmless, hostile = (_parsed(_written(tmp_path, _hostile_content(name))) for name in ("plain", HOSTILE))
    _assert_loads_nothing(hostile)
    assert [tag for tag, _ in hostile.tags] == [tag for tag, _ in harmless.tags]
    assert [sorted(attributes) for _, attributes in hostile.tags] == [
        sorted(attributes) for _, attributes in harmless.tags
    ]
    assert len(hostile.all_of("script")) == 1


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(st.characters(), min_size=1, max_size=40))
def test_any_name_gives_a_well_formed_page(tmp_path: Path, name: str) -> None:
    page = _written(tmp_path, _hostile_content(name))
    _assert_loads_nothing(_parsed(page))


@pytest.mark.parametrize("seconds", [0.01, 0.4, 1.0])
def test_the_shortest_recordings_have_a_page(tmp_path: Path, seconds: float) -> None:
    recorder = PageRecorder("short.wav", [_model()])
    recorder.block(AudioBlock(_tone(0, seconds)[0], RATE_HZ, 0))
    _parsed(_written(tmp_path, recorder.finish(_tone)))


def test_a_recording_without_sound_or_models_has_a_page(tmp_path: Path) -> None:
    words = _parsed(_written(tmp_path, PageRecorder("nothing.wav", []).finish(_tone))).words
    assert "too short for a spectrogram" in words


def test_a_thousand_rows_are_enough_and_the_rest_is_counted(tmp_path: Path) -> None:
    events = [
        event
        for n in range(1200)
        for event in (_event("begin", n / 20, None, n), _event("end", n / 20, n / 20 + 0.01, n))
    ]
    page = _written(tmp_path, _content(heard=Heard(events=events), sound=False))
    assert len(_parsed(page).of_class("seek")) == 1000
    assert "The first 1000 of 1200" in page


def test_two_replays_write_the_same_page(tmp_path: Path) -> None:
    assert _written(tmp_path, _content()) == _written(tmp_path, _content())


def test_a_page_links_back_to_its_index(tmp_path: Path) -> None:
    links = [link["href"] for link in _parsed(_written(tmp_path, _content(), index="index.html")).all_of("a")]
    assert links == ["index.html"]
    assert not _parsed(_written(tmp_path, _content())).all_of("a")


def test_a_reopened_event_counts_once_in_the_summary() -> None:
    reopened = replace(_event("begin", 30.0, None), seq=2, phase="reopen")
    events = [_event("begin", 10.0, None), _event("end", 10.0, 20.0), reopened, _event("begin", 40.0, None, 2)]
    summary = summarize(_content(heard=Heard(events=events)), "baby.html")
    assert summary.events == (("cry", "high"), ("cry", "high"))


def test_the_index_lists_every_recording_with_its_link(tmp_path: Path) -> None:
    pages = [
        PageSummary(
            "a/baby #1.wav", "baby _1?.html", 60.0, (("cry", "high"), ("cry", "high"), ("scream", "medium")), 2
        ),
        PageSummary(HOSTILE, None, 0.0, (), 0, ("The file is empty.",)),
    ]
    write_index(tmp_path / "index.html", pages)
    parsed = _parsed((tmp_path / "index.html").read_text(encoding="utf-8"))
    _assert_loads_nothing(parsed)
    assert [link["href"] for link in parsed.all_of("a")] == ["baby%20_1%3F.html"]
    words = " ".join(parsed.words)
    for expected in ("a/baby #1.wav", "2 cry", "1 scream", "1:00.00", "The file is empty.", "2 recordings"):
        assert expected in words
    assert not parsed.all_of("script")


def test_a_page_that_fails_half_way_leaves_no_file(tmp_path: Path) -> None:
    broken = replace(_content(), curves=())
    with pytest.raises(ValueError, match="zip"):
        write_page(tmp_path / "page.html", broken)
    assert list(tmp_path.iterdir()) == []


def test_the_script_never_writes_markup() -> None:
    from importlib.resources import files

    script = files("device.report").joinpath("templates", "page.js").read_text(encoding="utf-8")
    assert not re.search(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|Function\(|fetch\(|XMLHttp", script
    )
