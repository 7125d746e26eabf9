"""The JSON Schema of the configuration: as committed, and of one mind with the loader."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft4Validator

from device.config.example import example_config
from device.config.json_schema import schema_text
from device.config.loading import parse_config
from device.config.profiles import PROFILES
from device.config.schema import every_key
from device.config.settings import Settings
from device.errors import ConfigError

DOCS = Path(__file__).parents[3] / "docs"
ALL_KEYS = list(every_key(Settings))
KEYS = [tuple("cry" if part == "NAME" else str(part) for part in path) for path, _ in ALL_KEYS if 0 not in path]
ARRAY_KEYS = [(str(path[0]), str(path[-1])) for path, _ in ALL_KEYS if 0 in path]

WRONG = [
    'profile = "cot"',
    "hop_s = 0.5",
    "[listen]\nhop = 0.5",
    "[listen]\nhop_s = 5",
    '[listen]\nhop_s = "1"',
    "[listen]\nwiden_up_to = 0",
    "[listen]\nwiden_up_to = 2.0",
    "[listen]\nwiden_up_to = true",
    "[[listen]]",
    "listen = 3",
    "[microphon]",
    '[microphone]\ndevice = "hw:1,0"',
    '[microphone]\ndevice = "HW:1,0"',
    '[microphone]\ndevice = "usb:0d8c"',
    '[microphone]\ndevice = "2"',
    "[microphone]\ndevice = ''",
    "[microphone]\nchannel = 0",
    '[microphone]\nchannel = "left"',
    "[model.Cry]",
    "[model]\ncry = 1",
    "[model.cry]\nthreads = 17",
    "[model.cry.label.cry]\non = 1.5",
    '[model.cry.label.cry]\non = "none"',
    '[model.cry.label.cry]\npriority = "urgent"',
    "[model.cry.label.cry]\nsensitivity = 9",
    "[filters]\nhum_hz = 100",
    '[filters]\nstethoscope = "spleen"',
    "[deafness]\ngates_to_zero = 1",
    '[status]\nmetrics_port = "9187"',
    '[alarms]\nlatch = "sounds"',
    '[alarms]\nquiet_hours = "22-6"',
    '[alarms]\nquiet_hours = "24:00-06:00"',
    '[alarms]\nquiet_hours = "22:0\u0968-06:00"',  # a digit of another script
    '[self_test]\ndaily_at = "12:0\u0660"',
    '[[notify]]\ntest_at = "1\uff12:00"',
    '[alarms]\ntime_zone = "Berlin time"',
    "[journal]\nmax_mb = 1",
    '[mqtt]\nhost = "mqtt://broker"',
    '[mqtt]\ntopic = "auricle/#"',
    '[mqtt]\npassword = "secret"',
    "[gpio]\nled = 28",
    '[self_test]\ndaily_at = "noon"',
    "[replay]\nworkers = 1979-05-27",
    '[schedule.cry]\nlog = "07:00-13:00"',
    '[schedule.cry]\nlog = ["7-13"]',
    '[schedule.cry]\nlog = ["monday 07:00-13:00"]',
    '[schedule.cry]\nlog = ["mon,,tue 07:00-13:00"]',
    '[schedule.cry]\notherwise = "quiet"',
    "[schedule.Cry]",
    "[loudness]\nlevel_dbfs = 3",
    "[notify]",
    "notify = 3",
    "notify = [3]",
    "[[notify]]\ntopic = 'secret'",
    "[[notify]]\nname = 'My phone'",
    "[[notify]]\nservice = 'telegram'",
    "[[notify]]\npriorities = 'high'",
    "[[notify]]\npriorities = ['high', 'high']",
    "[[notify]]\nfaults = ['noise']",
    "[[notify]]\nafter_min = -1",
    "[[notify]]\nretry_s = 10",
    "[watcher]\nurl = 'https://example.org/ping'",
    "[watcher]\nevery_s = 1",
]


def _errors(tables: dict[str, Any]) -> list[str]:
    return [error.message for error in Draft4Validator(json.loads(schema_text())).iter_errors(tables)]


def _is_refused(text: str) -> bool:
    try:
        parse_config(text, source="a.toml")
    except ConfigError:
        return True
    return False


def test_the_committed_schema_is_the_generated_one() -> None:
    committed = (DOCS / "schemas" / "config.schema.json").read_text(encoding="utf-8")
    assert committed == schema_text(), "auricle config --schema > docs/schemas/config.schema.json"


def test_the_schema_is_itself_valid() -> None:
    Draft4Validator.check_schema(json.loads(schema_text()))


def test_every_pattern_is_one_that_editors_know() -> None:
    patterns = re.findall(r'"pattern": "((?:[^"\\]|\\.)*)"', schema_text())
    assert patterns
    assert not [pattern for pattern in patterns if re.search(r"\(\?(?![:!=])|\\[AZz]", pattern)]


@pytest.mark.parametrize("name", PROFILES)
def test_profiles_validate(name: str) -> None:
    assert _errors({"profile": name, **PROFILES[name].tables}) == []


def test_the_example_validates_with_its_keys_commented_out_or_not() -> None:
    example = example_config()
    assert _errors(tomllib.loads(example)) == []
    assert _errors(tomllib.loads(re.sub(r"(?m)^# (\w+ = )", r"\1", example))) == []


def test_files_in_the_documentation_validate() -> None:
    page = (DOCS / "configuration.md").read_text(encoding="utf-8")
    files = re.findall(r"(?s)^```toml\n(.*?)^```$", page, re.MULTILINE)
    assert [_errors(tomllib.loads(file)) for file in files] == [[] for _ in files]


@pytest.mark.parametrize("text", WRONG)
def test_schema_and_loader_agree_that_a_value_is_wrong(text: str) -> None:
    assert _is_refused(text)
    assert _errors(tomllib.loads(text))


VALUES: st.SearchStrategy[Any] = st.one_of(
    st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.just([]), st.just({})
)
PRINTABLE = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z", "Nd")), max_size=9)
NEAR = st.sampled_from(
    ["off", "model", "mix", "auto", "none", "22:00-06:00", "12:00", "usb:0d8c:14", "hw:1", "UTC", "5"]
)


def _nested(path: tuple[str, ...], value: Any) -> dict[str, Any]:
    return {path[0]: _nested(path[1:], value) if path[1:] else value}


@given(st.sampled_from(KEYS), VALUES | PRINTABLE | NEAR)
def test_schema_and_loader_agree_on_any_value_of_any_key(path: tuple[str, ...], value: Any) -> None:
    written = json.dumps(value, ensure_ascii=False)
    text = f"{'.'.join(path)} = {written}\n[model.other]\n"
    assert bool(_errors(tomllib.loads(text))) is _is_refused(text)


@given(st.sampled_from(ARRAY_KEYS), VALUES | PRINTABLE | NEAR)
def test_schema_and_loader_agree_on_any_value_within_an_array_of_tables(path: tuple[str, str], value: Any) -> None:
    text = f"[[{path[0]}]]\n{path[1]} = {json.dumps(value, ensure_ascii=False)}\n"
    assert bool(_errors(tomllib.loads(text))) is _is_refused(text)


def test_every_key_states_what_it_is_for_and_its_default_is_valid() -> None:
    def keys(schema: dict[str, Any]) -> list[dict[str, Any]]:
        inner = [
            *schema.get("properties", {}).values(),
            *schema.get("patternProperties", {}).values(),
            *schema.get("items", {}).get("properties", {}).values(),
        ]
        return [key for part in inner for key in keys(part)] if inner else [schema]

    found = keys(json.loads(schema_text()))
    assert len(found) == len(ALL_KEYS)
    assert all(key["description"].endswith(".") for key in found)
    assert [key for key in found if "default" not in key] == [key for key in found if "bundle" in key["description"]]
    assert all(Draft4Validator(key).is_valid(key["default"]) for key in found if "default" in key)
