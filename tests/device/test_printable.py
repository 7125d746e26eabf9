"""Text of others is shown as one line, and cut before it is escaped."""

from __future__ import annotations

import tracemalloc

import pytest

from device.printable import excerpt, printable


def test_what_could_deceive_a_terminal_is_escaped_and_letters_stay() -> None:
    assert printable("naïve\n\x1b[2J\u202e") == "naïve\\n\\u001b[2J\\u202e"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("", ""),
        ("abcd", "abcd"),
        ("abcde", "abcd..."),
        ("a\nb", "a\\nb"),
        ("abc\n", "abc\\..."),
        ("\n" * 9, "\\n\\n..."),
    ],
)
def test_an_excerpt_is_printable_and_says_that_more_follows(text: str, shown: str) -> None:
    assert excerpt(text, 4) == shown


@pytest.mark.parametrize("letter", ["a", "\n", "\U0001f37c"])
def test_an_excerpt_of_megabytes_needs_no_megabytes(letter: str) -> None:
    text = letter * 3_000_000
    tracemalloc.start()
    try:
        excerpt(text, 100)
        assert tracemalloc.get_traced_memory()[1] < 10_000
    finally:
        tracemalloc.stop()
