"""Parses JSON from an untrusted file: UTF-8, no duplicate keys, finite numbers, a bounded depth.

`members` then checks an object: exactly the expected members, each of its type.

msgspec 0.22 and orjson 3.13 are faster but less strict: both keep the last of two members of one name, and accept
integers beyond 2^53 and a hundred levels. The checks here would remain, so the standard library's parser does.
"""

from __future__ import annotations

import json
import math
import re
from typing import TYPE_CHECKING, Any

from device.errors import BundleError
from device.printable import excerpt

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

MAX_DEPTH = 24
"""Levels of nested objects and lists: four times what a model card has."""

_SHOWN_CHARACTERS = 40  # of a value or a name

_LONE_SURROGATE = re.compile("[\ud800-\udfff]")  # "\\ud800" alone decodes to it, but it cannot be encoded
_MAX_INTEGER = 2**53
"""JSON parsers that use floating point round larger whole numbers."""


def parse(data: bytes, where: str) -> Any:
    """Parse bytes to the value that they describe.

    Args:
        data: UTF-8 without a byte order mark.
        where: name of the input, the first word of an error's sentence.

    Raises:
        BundleError: no JSON, or JSON that two parsers could understand differently.
    """
    try:
        value = json.loads(
            data.decode("utf-8"),
            object_pairs_hook=_unique,
            parse_constant=_refuse_number,
            parse_float=_finite,
            parse_int=_whole,
        )
    except UnicodeDecodeError as error:
        raise BundleError(f"{where} is not UTF-8 at byte {error.start}") from None
    except RecursionError:
        raise BundleError(f"{where} is nested deeper than {MAX_DEPTH} levels") from None
    except ValueError as error:
        raise BundleError(f"{where} is no JSON that can be trusted: {error}") from None
    for item, depth in _walk(value):
        if depth >= MAX_DEPTH and isinstance(item, dict | list):
            raise BundleError(f"{where} is nested deeper than {MAX_DEPTH} levels")
        if isinstance(item, str) and _LONE_SURROGATE.search(item):
            raise BundleError(f"{where} holds half of a surrogate pair, which is no character")
    return value


def members(value: Any, where: str, kinds: Mapping[str, type]) -> dict[str, Any]:
    """The members of a JSON object: exactly those named in `kinds`, in that order.

    A whole number is accepted for `float`; a bool is accepted for no number.

    Raises:
        BundleError: no object, or a member is unknown, missing or of another type.
    """
    if not isinstance(value, dict):
        raise BundleError(f"{where} must be an object, is {_shown(value)}")
    for name in value:
        if name not in kinds:
            raise BundleError(f"{where} has an unknown member {_shown(name)}; known are {', '.join(kinds)}")
    return {name: _member(value, where, name, kind) for name, kind in kinds.items()}


def _member(value: dict[str, Any], where: str, name: str, kind: type) -> Any:
    if name not in value:
        raise BundleError(f"{where} lacks {name!r}")
    member = value[name]
    if kind is float and type(member) is int:
        return float(member)
    if type(member) is not kind:
        raise BundleError(f"{where}: {name} must be {_KIND_NAMES[kind]}, is {_shown(member)}")
    return member


_KIND_NAMES = {str: "a string", int: "a whole number", float: "a number", list: "a list", dict: "an object"}


def _shown(value: Any) -> str:
    return excerpt(repr(value[:_SHOWN_CHARACTERS] if isinstance(value, str) else value), _SHOWN_CHARACTERS)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    unique: dict[str, Any] = {}
    for name, value in pairs:
        if name in unique:
            raise ValueError(f"member {_shown(name)} stands twice")
        unique[name] = value
    return unique


def _refuse_number(text: str) -> float:
    raise ValueError(f"{text} is no finite number")


def _finite(text: str) -> float:
    value = float(text)
    return value if math.isfinite(value) else _refuse_number(text)


def _whole(text: str) -> int:
    value = int(text) if len(text) <= len(str(-_MAX_INTEGER)) else _MAX_INTEGER + 1
    if abs(value) > _MAX_INTEGER:
        raise ValueError(f"whole number {text[:24]} is beyond 2^53")
    return value


def _walk(value: Any) -> Iterator[tuple[Any, int]]:
    """Each value and each member's name with its nesting depth; iterative, so that no input exhausts the stack."""
    pending = [(value, 0)]
    while pending:
        item, depth = pending.pop()
        yield item, depth
        inner = [*item, *item.values()] if isinstance(item, dict) else item if isinstance(item, list) else []
        pending += [(child, depth + 1) for child in inner]
