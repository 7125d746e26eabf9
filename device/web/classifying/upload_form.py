"""A form of multipart/form-data (RFC 7578) with one field, the recording, taken apart while it comes.

The name that the client's file had is not looked at.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

if TYPE_CHECKING:
    from collections.abc import Iterable

FIELD = b"recording"
_WRONG = 'the form must have one field, "recording", which is the file'


class FormError(Exception):
    """The form is broken, or holds something else; the message is for whoever sent it."""


def boundary_of(content_type: str) -> bytes | None:
    """What divides the parts of a form; None if the content is no such form.

    Raises:
        FormError: it is one, and does not say.
    """
    kind, options = parse_options_header(content_type)
    if kind.lower() != b"multipart/form-data":
        return None
    boundary = options.get(b"boundary", b"")
    if not 1 <= len(boundary) <= 70:
        raise FormError("the form does not say what divides its parts: let your library make the header content-type")
    return boundary


class FormPart:
    """The one field of a form.

    Args:
        boundary: that divides its parts.
    """

    def __init__(self, boundary: bytes) -> None:
        self._data: list[bytes] = []
        self._header, self._value = b"", b""
        self._parts = 0
        self._is_ours = self._has_ended = False
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._begin,
                "on_header_field": self._add_header,
                "on_header_value": self._add_value,
                "on_header_end": self._end_header,
                "on_headers_finished": self._begin_data,
                "on_part_data": self._add_data,
                "on_end": self._end,
            },
        )

    def data_of(self, piece: bytes) -> Iterable[bytes]:
        """What a piece of the form holds of the recording.

        Raises:
            FormError: the form is broken, or has another field.
        """
        self._data = []
        try:
            self._parser.write(piece)
        except FormParserError:
            raise FormError(f"the form is broken; {_WRONG}") from None
        return self._data

    def finish(self) -> None:
        """The form is over. Raises FormError if it breaks off."""
        if not self._has_ended:
            raise FormError("the form breaks off before its end: send it again")

    def _begin(self) -> None:
        self._parts += 1
        self._is_ours = False
        if self._parts > 1:
            raise FormError(f"the form has several fields; {_WRONG}")

    def _add_header(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def _add_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _end_header(self) -> None:
        if self._header.lower() == b"content-disposition":
            self._is_ours = parse_options_header(self._value)[1].get(b"name") == FIELD
        self._header, self._value = b"", b""

    def _begin_data(self) -> None:
        if not self._is_ours:
            raise FormError(f"the form has a field of another name; {_WRONG}")

    def _add_data(self, data: bytes, start: int, end: int) -> None:
        self._data.append(data[start:end])

    def _end(self) -> None:
        self._has_ended = True
