"""Events, scores and labels in their written form."""

from __future__ import annotations

import csv
import io
import json
import os
from dataclasses import replace
from pathlib import Path

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from device.messages import Event, Scores
from device.report.tables import (
    SCORE_COLUMNS,
    EventLines,
    ScoreTable,
    event_line,
    label_track,
    page_names,
    score_rows,
)

BEGIN = Event(
    event_id="ab12-cry-cry-1",
    seq=0,
    model="cry",
    label="cry",
    phase="begin",
    score=0.1 + 0.2,
    start_s=11.00000049,
    end_s=None,
    decided_s=13.5,
    reason="3 of 4 windows at or above 0.60",
)
END = replace(BEGIN, seq=1, phase="end", end_s=30.25, decided_s=33.0, reason="quiet")
KEYS = [
    *("event_id", "seq", "source", "model", "label", "phase"),
    *("start_s", "end_s", "onset_s", "offset_s", "decided_s", "score", "priority", "reason", "verdict"),
]
any_text = st.text(st.characters(), max_size=30)


def _strict(line: str) -> dict[str, object]:
    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    loaded = json.loads(line, parse_constant=refuse)
    assert isinstance(loaded, dict)
    return loaded


def test_an_event_is_one_line_with_its_keys_in_order() -> None:
    line = event_line("a/b.wav", BEGIN, "high")
    assert line.endswith("}\n")
    assert line.count("\n") == 1
    fields = _strict(line)
    assert list(fields) == KEYS
    assert fields["start_s"] == 11.0
    assert fields["end_s"] is None
    assert fields["score"] == 0.3
    assert fields["priority"] == "high"


def test_milliseconds_survive_and_zero_is_never_negative() -> None:
    fields = _strict(event_line("x", replace(END, start_s=-0.0, end_s=1.0015, decided_s=np.float64(2.000250)), "low"))
    assert (fields["end_s"], fields["decided_s"]) == (1.0015, 2.00025)
    assert "-0" not in event_line("x", replace(END, start_s=-1e-9), "low")


def test_a_score_that_is_no_number_is_refused() -> None:
    with pytest.raises(ValueError, match="JSON"):
        event_line("x", replace(BEGIN, score=float("nan")), "high")


def test_umlauts_stay_readable() -> None:
    assert "Kinderzimmer übers Öhrchen.wav" in event_line("Kinderzimmer übers Öhrchen.wav", BEGIN, "high")


@given(any_text, any_text)
def test_any_path_and_reason_come_back_as_given(source: str, reason: str) -> None:
    line = event_line(source, replace(BEGIN, reason=reason), "medium")
    fields = _strict(line)
    assert (fields["source"], fields["reason"]) == (source, reason)
    assert len(line.splitlines()) >= 1
    assert line.count("\n") == 1


def test_a_path_of_foreign_bytes_comes_back_from_the_file(tmp_path: Path) -> None:
    source = os.fsdecode(b"caf\xe9.wav")
    with EventLines(tmp_path / "events.jsonl") as lines:
        lines.write(source, BEGIN, "high")
    text = (tmp_path / "events.jsonl").read_text(encoding="utf-8")
    assert os.fsencode(str(_strict(text)["source"])) == b"caf\xe9.wav"


def test_an_event_can_be_read_as_soon_as_it_is_written(tmp_path: Path) -> None:
    with EventLines(tmp_path / "events.jsonl") as lines:
        lines.write("a.wav", BEGIN, "high")
        assert len((tmp_path / "events.jsonl").read_text().splitlines()) == 1
        lines.write("a.wav", END, "high")
    phases = [_strict(line)["phase"] for line in (tmp_path / "events.jsonl").read_text().splitlines()]
    assert phases == ["begin", "end"]


def test_a_replay_without_events_leaves_an_empty_file(tmp_path: Path) -> None:
    with EventLines(tmp_path / "events.jsonl"):
        pass
    assert (tmp_path / "events.jsonl").read_bytes() == b""


def test_events_go_to_standard_output_for_a_dash(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    with EventLines("-") as lines:
        lines.write("a.wav", BEGIN, "high")
    assert _strict(capfdbinary.readouterr().out.decode())["event_id"] == BEGIN.event_id


def test_the_score_table_is_long_form_and_quoted_where_needed(tmp_path: Path) -> None:
    with ScoreTable(tmp_path / "scores.csv") as table:
        table.write('odd, "name".wav', Scores("cry", {"cry": 0.75, "other": 0.25}, 0.5, 2.5))
        table.write("b.wav", Scores("cry", {"cry": 1 / 3}, 1.0, 3.0))
    text = (tmp_path / "scores.csv").read_text(encoding="utf-8")
    assert text.startswith("source,model,start_s,end_s,label,probability\n")
    rows = list(csv.reader(io.StringIO(text)))
    assert rows == [
        list(SCORE_COLUMNS),
        ['odd, "name".wav', "cry", "0.500000", "2.500000", "cry", "0.750000"],
        ['odd, "name".wav', "cry", "0.500000", "2.500000", "other", "0.250000"],
        ["b.wav", "cry", "1.000000", "3.000000", "cry", "0.333333"],
    ]


@given(any_text)
def test_any_source_comes_back_from_its_score_row(source: str) -> None:
    rows = score_rows(source, Scores("m", {"cry": 0.5}, 0.0, 2.0))
    (row,) = csv.reader(io.StringIO(rows, newline=""))
    assert row[0] == (f"'{source}" if source[:1] in {"=", "+", "-", "@", "\t", "\r"} else source)


def test_two_runs_write_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        with EventLines(tmp_path / f"{name}.jsonl") as lines, ScoreTable(tmp_path / f"{name}.csv") as table:
            lines.write("a.wav", BEGIN, "high")
            table.write("a.wav", Scores("cry", {"cry": 0.1}, 0.0, 2.0))
    assert (tmp_path / "one.jsonl").read_bytes() == (tmp_path / "two.jsonl").read_bytes()
    assert (tmp_path / "one.csv").read_bytes() == (tmp_path / "two.csv").read_bytes()


def _interrupted_table(path: Path) -> None:
    with ScoreTable(path) as table:
        table.write("a.wav", Scores("cry", {"cry": 0.5}, 0.0, 2.0))
        raise KeyboardInterrupt


def test_an_interrupted_score_table_never_takes_its_final_name(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        _interrupted_table(tmp_path / "scores.csv")
    assert list(tmp_path.iterdir()) == []


def test_closed_tables_say_so_and_close_again_quietly(tmp_path: Path) -> None:
    lines, table = EventLines(tmp_path / "e.jsonl"), ScoreTable(tmp_path / "s.csv")
    for writer in (lines, table):
        assert " closed>" not in repr(writer)
        writer.close()
        writer.close()
        assert " closed>" in repr(writer)
        with pytest.raises(ValueError, match="closed"):
            writer.write_text("late\n")


def test_a_label_track_has_start_end_and_label_between_tabs() -> None:
    assert label_track([BEGIN, END], 60.0) == "11.000000\t30.250000\tcry\n"


def test_a_label_that_is_open_at_the_end_is_given_the_end_of_the_file() -> None:
    assert label_track([BEGIN], 42.125) == "11.000000\t42.125000\tcry\n"


def test_a_label_cannot_break_a_line_or_a_column() -> None:
    track = label_track([replace(BEGIN, label="cry\t0\t9\nscream\r")], 60.0)
    assert track == "11.000000\t60.000000\tcry 0 9 scream\n"


def test_no_events_make_an_empty_label_track() -> None:
    assert label_track([], 60.0) == ""


def test_pages_are_named_after_their_sources() -> None:
    assert page_names(["night/baby.wav", "day/baby.flac", "x.ogg"]) == ["baby.html", "baby-2.html", "x.html"]
    assert page_names(["night/baby.wav"], ".txt") == ["baby.txt"]


def test_a_page_never_takes_the_place_of_the_index() -> None:
    assert page_names(["Index.wav"]) == ["Index-2.html"]


@given(
    st.lists(st.one_of(any_text, st.sampled_from(["a.wav", "A.wav", "a-2.wav", "../..", "/", "é.wav", "e\u0301.wav"])))
)
def test_page_names_are_unique_and_stay_in_their_folder(sources: list[str]) -> None:
    names = page_names(sources)
    assert len({name.casefold() for name in names}) == len(sources)
    for name in names:
        assert Path(name).name == name
        assert not name.startswith(".")
        assert len(name.encode("utf-8")) < 200
        assert name.isprintable()
    assert names == page_names(sources)
