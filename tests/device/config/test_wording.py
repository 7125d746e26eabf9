"""Values as an error's sentence shows them."""

from __future__ import annotations

import datetime as dt

from device.config.wording import alternatives, shown


def test_a_value_is_shown_as_toml_writes_it_short_and_on_one_line() -> None:
    assert [shown(value) for value in (True, 1, 0.5, "a")] == ["true", "1", "0.5", '"a"']
    assert [shown(value) for value in ([1], {"a": 1})] == ["an array", "a table"]
    assert shown(dt.date(2025, 2, 28)) == "the date or time 2025-02-28"
    assert shown("a\nb") == '"a\\nb"'
    assert len(shown("a" * 10_000)) < 100
    assert shown(16**9_000) == "a number of very many digits"


def test_alternatives_read_as_a_sentence() -> None:
    assert alternatives(["a"]) == "a"
    assert alternatives(["a", "b", "c"]) == "a, b or c"
