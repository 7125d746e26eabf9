"""A row is read as it was written, or known not to be."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.alarms.journal.entries import Entry, Row, parse_note, parse_place, parse_row, row_checksum
from tests.device.alarms.journal.journal_files import make_entry

text = st.text(st.characters(codec="utf-8"), max_size=20)
number = st.integers(-(2**63), 2**63 - 1)
rows = st.builds(
    Row,
    ordinal=number,
    entry=st.builds(
        Entry,
        alarm_id=text,
        seq=number,
        utc_s=st.floats(allow_nan=False),
        urgent=st.booleans(),
        alarm=text,
        body=text,
    ),
    ended=st.booleans(),
    owed_from=number,
)


@given(row=rows)
def test_a_row_is_parsed_as_it_was_written(row: Row) -> None:
    assert parse_row(row.values) == row


@given(row=rows, column=st.integers(0, 9), other=st.one_of(text, number, st.floats(), st.none(), st.binary(max_size=3)))
def test_a_row_with_another_value_in_a_column_is_never_parsed_as_another_row(row: Row, column: int, other: Any) -> None:
    values = list(row.values)
    values[column] = other
    assert parse_row(values) in (None, row)  # another value may mean the same: every number but 0 is true


@pytest.mark.parametrize("columns", [0, 9, 11])
def test_a_row_of_another_number_of_columns_is_not_as_written(columns: int) -> None:
    values = (*Row(1, make_entry(1), ended=False, owed_from=1).values, 0)
    assert parse_row(values[:columns]) is None


@given(key=text, value=text, other=text)
def test_a_note_is_parsed_as_it_was_written_and_not_under_another_name(key: str, value: str, other: str) -> None:
    proof = row_checksum("note", key, value)
    assert parse_note((key, value, proof)) == (key, value)
    assert (parse_note((other, value, proof)) is None) == (other != key)
    assert parse_note((value, key, proof)) is None or key == value


@given(place=number, other=number)
def test_an_owed_place_is_parsed_as_it_was_written(place: int, other: int) -> None:
    assert parse_place((place, row_checksum("owed", place))) == place
    assert (parse_place((other, row_checksum("owed", place))) is None) == (other != place)


@pytest.mark.parametrize(
    ("alarm", "ended"),
    [
        (json.dumps({"state": "ended"}), True),
        (json.dumps({"state": "latched"}), False),
        (json.dumps({"state": None}), False),
        (json.dumps(["ended"]), False),
        ('"ended"', False),
        ("", False),
        ("{", False),
    ],
)
def test_only_an_alarm_that_says_so_has_ended(alarm: str, *, ended: bool) -> None:
    assert Entry("a", 0, 0.0, urgent=False, alarm=alarm, body="{}").ended is ended
