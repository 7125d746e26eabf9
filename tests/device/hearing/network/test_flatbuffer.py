"""Whatever the bytes, a flatbuffer is read within its file, or refused with one sentence."""

from __future__ import annotations

import struct
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device.errors import BundleError
from device.hearing.bundle.archive import split_archive
from device.hearing.network.flatbuffer import Flatbuffer, Table
from device.hearing.network.graph import Graph, read_graph

TINY = Path(__file__).resolve().parents[3] / "data" / "tiny-tone.tflite"
NETWORK = split_archive(TINY.read_bytes()).network


def _read(network: bytes) -> Graph | None:
    """The graph; None if it was refused. Anything but a refusal fails the test."""
    try:
        return read_graph(network)
    except BundleError:
        return None


def test_every_truncation_is_refused_or_reads_the_same() -> None:
    whole = read_graph(NETWORK)
    for size in range(len(NETWORK)):
        assert _read(NETWORK[:size]) in (None, whole)


@settings(max_examples=500)
@given(st.integers(0, len(NETWORK) // 4 - 1), st.one_of(st.integers(0, 2**32 - 1), st.integers(0, len(NETWORK))))
def test_any_number_in_any_place_is_read_or_refused(place: int, value: int) -> None:
    network = bytearray(NETWORK)
    struct.pack_into("<I", network, 4 * place, value)
    _read(bytes(network))


@given(st.binary(max_size=400))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    _read(data)


def _table(*fields: int, size: int = 12, extra: bytes = b"") -> bytes:
    """A flatbuffer whose root is a table at byte 24 with these fields' offsets; numbers 1 and 2 stand in it."""
    listed = struct.pack(f"<HH{len(fields)}H", 4 + 2 * len(fields), size, *fields).ljust(20, b"\0")
    return struct.pack("<I", 24) + listed + struct.pack("<iII", 20, 1, 2) + extra


def test_fields_are_read_and_missing_ones_have_their_default() -> None:
    table = Flatbuffer(_table(4, 8)).root(fields=3)
    assert [table.integer(field, "I", 7) for field in range(3)] == [1, 2, 7]
    assert table.text(2) == ""
    assert table.table(2, 1) is None
    assert repr(table) == "Table(at 24, 2 fields)"


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "4 bytes should be there, the network ends at byte 0"),
        (struct.pack("<I", 0) + bytes(40), "an offset refers to itself"),
        (struct.pack("<I", 22) + bytes(40), "a value should lie at a multiple of 4"),
        (struct.pack("<I", 2**32 - 4) + bytes(40), "the network ends at byte 44"),
        (_table(4, size=2000), "2000 bytes should be there"),
        (_table(4, 8, 4), r"a table at byte 24 with an unknown field 2"),
    ],
)
def test_a_root_that_does_not_hold_is_refused(data: bytes, sentence: str) -> None:
    with pytest.raises(BundleError, match=sentence):
        Flatbuffer(data).root(fields=2)


def test_a_field_outside_its_table_is_refused() -> None:
    with pytest.raises(BundleError, match="field 0 of a table does not lie in it"):
        Flatbuffer(_table(10)).root(fields=1).integer(0, "I")
    with pytest.raises(BundleError, match="field 0 of a table does not lie in it"):
        Flatbuffer(_table(2)).root(fields=1).integer(0, "H")


def _text(data: bytes, length: int) -> Table:
    return Flatbuffer(
        _table(4, size=12, extra=struct.pack("<I", length) + data).replace(
            struct.pack("<iII", 20, 1, 2), struct.pack("<iII", 20, 8, 2)
        )
    ).root(fields=1)


def test_a_string_is_utf_8_and_ends_in_a_zero() -> None:
    assert _text(b"caf\xc3\xa9\0\0\0", 5).text(0) == "café"
    with pytest.raises(BundleError, match="a name is not UTF-8"):
        _text(b"caf\xe9\0\0\0\0", 4).text(0)
    with pytest.raises(BundleError, match="does not end in a zero byte"):
        _text(b"cafe!\0\0\0", 4).text(0)
    with pytest.raises(BundleError, match="should be there"):
        _text(b"cafe\0\0\0\0", 2**32 - 1).text(0)


def test_offsets_that_share_a_target_do_not_make_a_small_file_long_work() -> None:
    """A vector of 2,000,000 offsets, each to one table of 30 fields: 8 MB that would list 60 million."""
    count = 2_000_000
    head = _table(4, size=12).replace(struct.pack("<iII", 20, 1, 2), struct.pack("<iII", 20, 8, 2))
    vector_at = len(head)
    end = vector_at + 4 + 4 * count
    offsets = b"".join(struct.pack("<I", end + 64 - (vector_at + 4 + 4 * place)) for place in range(count))
    fields = struct.pack("<HH30H", 64, 4, *([0] * 30))
    data = head + struct.pack("<I", count) + offsets + fields + struct.pack("<i", 64)
    began_s = time.process_time()
    with pytest.raises(BundleError, match="lists more than 2000000 values"):
        Flatbuffer(data).root(fields=1).tables(0, 30, count, "tables")
    assert time.process_time() - began_s < 5.0
