"""Text, times and documents that are safe whatever they hold."""

from __future__ import annotations

import base64
import hashlib
import re
import subprocess
import sys

import hypothesis.strategies as st
import jinja2
import pytest
from hypothesis import given

from device.errors import MissingExtraError
from device.report.markup import clock, data_uri, environment, render


def _shown(value: object) -> str:
    return environment().from_string("{{ value }}").render(value=value)


def _index() -> str:
    return "".join(render("index.html", has_script=False, title="x", pages=[], total_s=0.0, events=""))


@given(st.text(st.characters()))
def test_text_never_opens_a_tag_or_closes_a_quote_and_always_prints(value: str) -> None:
    safe = _shown(value)
    assert not set("<>\"'") & set(safe)
    assert re.sub(r"&(amp|lt|gt|#34|#39);", "", safe).find("&") == -1
    assert safe.isprintable()


def test_a_name_that_turns_the_reading_direction_is_written_out() -> None:
    assert _shown("gpj.\u202ewav") == r"gpj.\u202ewav"


def test_umlauts_and_other_scripts_are_left_as_they_are() -> None:
    assert _shown("Öhrchen 赤ちゃん") == "Öhrchen 赤ちゃん"


@pytest.mark.parametrize(
    ("seconds", "written"),
    [
        (0, "0:00.00"),
        (59.994, "0:59.99"),
        (59.996, "1:00.00"),
        (3599.999, "1:00:00.00"),
        (36_061.5, "10:01:01.50"),
        (-1, "-0:01.00"),
    ],
)
def test_a_clock_rounds_and_never_shows_sixty(seconds: float, written: str) -> None:
    assert clock(seconds) == written


def test_a_clock_may_leave_out_the_fraction() -> None:
    assert clock(75.4, 0) == "1:15"


@pytest.mark.parametrize("size", [0, 1, 2, 3, 3 * 2**18 - 1, 3 * 2**18, 3 * 2**18 + 1, 2_000_000])
def test_an_address_holds_its_data_whatever_its_size(size: int) -> None:
    data = bytes(range(256)) * (size // 256 + 1)
    front, _, payload = "".join(data_uri(data[:size], "audio/flac")).partition(",")
    assert front == "data:audio/flac;base64"
    assert base64.b64decode(payload, validate=True) == data[:size]


def test_the_policy_allows_this_style_and_this_script_and_nothing_else() -> None:
    base = environment().from_string('{% extends "base.html" %}{% block main %}{% endblock %}')
    page = base.render(has_script=True, title="x")
    policy = re.findall(r'Content-Security-Policy" content="([^"]*)"', page)[0]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    for tag, directive in (("style", "style-src"), ("script", "script-src")):
        content = page.partition(f"<{tag}>")[2].partition(f"</{tag}>")[0]
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{directive} 'sha256-{digest}'" in policy


def test_a_document_without_a_script_allows_none() -> None:
    assert "<script" not in _index()
    assert "script-src 'none'" in _index()


def test_a_value_that_a_template_expects_must_be_given() -> None:
    with pytest.raises(jinja2.UndefinedError, match="pages"):
        list(render("index.html", has_script=False, title="x", total_s=0.0, events=""))


def test_without_jinja2_the_error_names_the_extra_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    environment.cache_clear()
    monkeypatch.setitem(sys.modules, "jinja2", None)
    with pytest.raises(MissingExtraError, match=r"install auricle\[device\]"):
        render("index.html")


def test_a_replay_without_a_report_imports_no_jinja2() -> None:
    code = "import sys, device.replay.one_recording, device.replay.replay_command; sys.exit('jinja2' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
