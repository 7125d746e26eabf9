"""Reads a flatbuffer that nobody has verified: every offset, size and string is checked before it is used.

The runtimes read the same bytes in C++ without any check, so a table that reaches beyond the file is a crash there.
The rules are those of the C++ library's `flatbuffers::Verifier`; the `flatbuffers` package for Python has none, and the
schema that LiteRT ships follows offsets unchecked. Stricter than the library in two points: a field that the caller
does not know is refused, and the number of values that are read is bounded, so that offsets that share one target
cannot make a small file long work. Knows nothing of networks. The format is described in the FlatBuffers documentation,
"FlatBuffer Internals".
"""

from __future__ import annotations

import struct

from device.errors import BundleError
from device.quantity import quantity

MAX_VALUES = 2_000_000
"""Numbers, offsets and characters that are read of one file, its plain bytes aside; a network of 4,300 operations has
100,000."""

_OFFSET = struct.Struct("<I")
_BACK = struct.Struct("<i")
_SHORT = struct.Struct("<H")


class Flatbuffer:
    """The bytes of one flatbuffer.

    Args:
        data: read from byte 0 on.
    """

    def __init__(self, data: bytes) -> None:
        self.data = data
        self._values_left = MAX_VALUES

    def __repr__(self) -> str:
        return f"Flatbuffer({len(self.data)} bytes)"

    def root(self, fields: int) -> Table:
        """The root table, of a type with so many fields.

        Raises:
            BundleError: it does not lie in the file.
        """
        return Table(self, self.target(0), fields)

    def target(self, at: int) -> int:
        """The position that the offset at a position refers to.

        Raises:
            BundleError: one of them lies outside the file, or is not aligned.
        """
        self.check_span(at, 4, 4)
        offset = int(_OFFSET.unpack_from(self.data, at)[0])
        self.check_span(at + offset, 4, 4)
        if not offset:
            raise damaged(at, "an offset refers to itself")
        return at + offset

    def check_span(self, at: int, size: int, alignment: int) -> None:
        """Refuse bytes that do not lie in the file, or not where their type may lie.

        Raises:
            BundleError: that is so.
        """
        if at < 0 or at + size > len(self.data):
            raise damaged(at, f"{size} bytes should be there, the network ends at byte {len(self.data)}")
        if at % alignment:
            raise damaged(at, f"a value should lie at a multiple of {alignment}")

    def count(self, values: int) -> None:
        """Count values that are about to be read.

        Raises:
            BundleError: it is more than a network may list.
        """
        self._values_left -= values
        if self._values_left < 0:
            raise BundleError(f"the network lists more than {MAX_VALUES} values, which no bundle needs")


class Table:
    """One table of a flatbuffer; a missing field has its default, as in the schema.

    Args:
        buffer: which holds it.
        at: its position.
        fields: how many fields its type has.

    Raises:
        BundleError: it or its list of fields does not lie in the file, or it has a field that its type has not.
    """

    def __init__(self, buffer: Flatbuffer, at: int, fields: int) -> None:
        buffer.check_span(at, 4, 4)
        listed = at - int(_BACK.unpack_from(buffer.data, at)[0])
        buffer.check_span(listed, 4, 2)
        listed_bytes, self._size = _SHORT.unpack_from(buffer.data, listed)[0], 0
        if listed_bytes < 4 or listed_bytes % 2:
            raise damaged(listed, f"a list of fields has {quantity(listed_bytes, 'byte')}")
        buffer.check_span(listed, listed_bytes, 2)
        self._size = int(_SHORT.unpack_from(buffer.data, listed + 2)[0])
        buffer.check_span(at, self._size, 4)
        count = listed_bytes // 2 - 2
        buffer.count(count + 1)
        self._fields: tuple[int, ...] = struct.unpack_from(f"<{count}H", buffer.data, listed + 4)
        self._buffer, self._at = buffer, at
        for field in range(fields, count):
            if self._fields[field]:
                raise BundleError(
                    f"the network has a table at byte {at} with an unknown field {field}; convert it anew"
                )

    def __repr__(self) -> str:
        return f"Table(at {self._at}, {len(self._fields)} fields)"

    def has(self, field: int) -> bool:
        """Whether a field is present."""
        return field < len(self._fields) and self._fields[field] != 0

    def number(self, field: int, code: str, default: float = 0) -> float:
        """A number, by its code as in `struct`; a bool as 0 or 1.

        Raises:
            BundleError: it does not lie in the table.
        """
        if not self.has(field):
            return default
        value: float = struct.unpack_from(f"<{code}", self._buffer.data, self._place(field, struct.calcsize(code)))[0]
        return value

    def integer(self, field: int, code: str, default: int = 0) -> int:
        """A whole number, as `number` reads it."""
        return int(self.number(field, code, default))

    def numbers(self, field: int, code: str) -> tuple[float, ...]:
        """A vector of numbers; a missing one is empty.

        Raises:
            BundleError: it does not lie in the file.
        """
        at, length = self._vector(field, struct.calcsize(code))
        self._buffer.count(length)
        return struct.unpack_from(f"<{length}{code}", self._buffer.data, at)

    def integers(self, field: int, code: str = "i") -> tuple[int, ...]:
        """A vector of whole numbers, as `numbers` reads it."""
        return tuple(map(int, self.numbers(field, code)))

    def span(self, field: int, alignment: int = 1) -> tuple[int, int]:
        """Where a vector of bytes begins, and how many it has; a missing one has 0.

        Raises:
            BundleError: it does not lie in the file, or not aligned.
        """
        at, length = self._vector(field, 1)
        self._buffer.check_span(at, length, alignment if length else 1)
        return at, length

    def text(self, field: int) -> str:
        """A string; a missing one is empty.

        Raises:
            BundleError: it does not lie in the file, is not UTF-8, or does not end in a zero.
        """
        if not self.has(field):
            return ""
        at, length = self._vector(field, 1)
        self._buffer.count(length)
        self._buffer.check_span(at, length + 1, 1)
        if self._buffer.data[at + length]:
            raise damaged(at + length, "a string does not end in a zero byte")
        try:
            return self._buffer.data[at : at + length].decode()
        except UnicodeDecodeError:
            raise damaged(at, "a name is not UTF-8") from None

    def table(self, field: int, fields: int) -> Table | None:
        """A table, of a type with so many fields; None if it is missing.

        Raises:
            BundleError: it does not hold, see `Table`.
        """
        return Table(self._buffer, self._buffer.target(self._place(field, 4)), fields) if self.has(field) else None

    def tables(self, field: int, fields: int, most: int, what: str) -> list[Table]:
        """A vector of tables; a missing one is empty.

        Args:
            field: of the vector.
            fields: of each table's type.
            most: may be listed.
            what: they are, for an error's sentence.

        Raises:
            BundleError: there are more, or one does not hold, see `Table`.
        """
        at, length = self._vector(field, 4)
        if length > most:
            raise BundleError(f"the network lists {length} {what}, may list {most}")
        return [Table(self._buffer, self._buffer.target(at + 4 * place), fields) for place in range(length)]

    def _place(self, field: int, size: int) -> int:
        offset = self._fields[field]
        if offset < 4 or offset + size > self._size:
            raise damaged(self._at, f"field {field} of a table does not lie in it")
        self._buffer.check_span(self._at + offset, size, size)
        return self._at + offset

    def _vector(self, field: int, item_bytes: int) -> tuple[int, int]:
        """Where the items of a vector begin, and how many it has."""
        if not self.has(field):
            return 0, 0
        at = self._buffer.target(self._place(field, 4))
        length = int(_OFFSET.unpack_from(self._buffer.data, at)[0])
        self._buffer.check_span(at + 4, length * item_bytes, min(item_bytes, 4))
        return at + 4, length


def damaged(at: int, why: str) -> BundleError:
    """The error of a flatbuffer that does not hold."""
    return BundleError(f"the network's structure is damaged at byte {at}: {why}")
