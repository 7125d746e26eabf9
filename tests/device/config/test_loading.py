"""The configuration: profiles, files over profiles, and every mistake in one sentence."""

from __future__ import annotations

import dataclasses
import math
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.config.alerting.schedule_settings import ScheduleSettings
from device.config.example import example_config
from device.config.kinds import (
    Boolean,
    Choice,
    Host,
    Integer,
    InvalidValueError,
    Number,
    Ordinal,
    OrKeyword,
    Text,
    ValueKind,
    WeekRanges,
)
from device.config.loading import load_config, parse_config, profile
from device.config.profiles import PROFILES
from device.config.schema import every_key
from device.config.settings import ModelSettings, Settings
from device.errors import ConfigError
from device.sources.device_match import parse_device

ONE_LINE = re.compile(r"nursery\.toml(, line \d+)?: [^\n]+")


def _parse(text: str) -> Settings:
    return parse_config(text, source="nursery.toml")


def _problem(text: str) -> str | None:
    try:
        _parse(text)
    except ConfigError as error:
        return str(error)
    return None


# --- profiles


def test_an_empty_file_is_the_nursery() -> None:
    assert _parse("") == profile() == profile("nursery")
    assert [model.bundle for model in profile().listening] == ["cry", "cry-reason", "scream"]
    assert profile().listen.hop_s == 0.5


@pytest.mark.parametrize("name", PROFILES)
def test_a_file_that_names_a_profile_is_that_profile(name: str) -> None:
    assert _parse(f'profile = "{name}"') == profile(name)
    assert profile(name).profile == name


def test_an_unknown_profile_is_refused_with_those_there_are() -> None:
    known = '"nursery", "nursery-quiet" or "stethoscope"'
    with pytest.raises(ConfigError, match=rf'^no profile is named "cot", it must be {known}$'):
        profile("cot")
    assert _problem('profile = "cot"') == f'nursery.toml, line 1: "profile" is "cot", must be {known}'


def test_a_file_overrules_its_profile_and_leaves_the_rest() -> None:
    settings = _parse('profile = "nursery"\n[model.cry]\nthreads = 2\n[model.scream]\nbundle = "./scream.tflite"\n')
    cry, _, scream = settings.models
    assert cry == dataclasses.replace(profile().models[0], threads=2)
    assert (scream.name, scream.bundle, scream.is_file) == ("scream", "./scream.tflite", True)
    assert dataclasses.replace(settings, models=profile().models) == profile()


# --- mistakes


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("# one\n\n[listen]\nhop = 0.5", ', line 4: unknown key "hop" in [listen]; did you mean "hop_s"?'),
        ("hop_s = 0.5", ', line 1: unknown key "hop_s" at the top of the file; it belongs in [listen]'),
        ("[listen]\nhop_s = 5", ', line 2: "hop_s" in [listen] is 5, must be a number from 0.1 to 2 s'),
        (
            "[listen]\nhop_s = '1'",
            ', line 2: "hop_s" in [listen] is "1", must be a number from 0.1 to 2 s; write 1 without quotes',
        ),
        (
            "[recording]\nchannel = 'left'",
            ', line 2: "channel" in [recording] is "left", must be a whole number from 1 to 1024, or "mix"',
        ),
        (
            "[deafness]\ngates_to_zero = 1",
            ', line 2: "gates_to_zero" in [deafness] is 1, must be true or false; write true',
        ),
        (
            "[model.cry.label.cry]\noff = 0.6\non = 0.5",
            ', line 3: in [model.cry.label.cry] "off" is 0.6, must be at most "on", which is 0.5',
        ),
        (
            "[model.cry.label.cry]\nconfirm_of_s = 1\nconfirm_s = 2",
            ', line 3: in [model.cry.label.cry] "confirm_of_s" is 1.0, must be at least "confirm_s", which is 2.0',
        ),
        ("[model.Cry]", ', line 1: "Cry" in [model] must be the name of a model, of a-z, 0-9, _ and -'),
        (
            'profile = "stethoscope"\n[model.lung]\nenabled = false',
            ', line 3: no model is left to listen, one must have "enabled" true',
        ),
        (
            "[listen\nhop_s = 1",
            (
                ", line 1: no valid TOML: expected ']' at the end of a table declaration, at column 8; "
                "write the header as [name], and close it with ]"
            ),
        ),
    ],
)
def test_a_mistake_names_itself_its_line_and_what_would_work(text: str, expected: str) -> None:
    assert _problem(text) == f"nursery.toml{expected}"


def test_equal_thresholds_and_times_are_fine() -> None:
    label = _parse("[model.cry.label.cry]\non = 0.5\noff = 0.5\nconfirm_s = 1\nconfirm_of_s = 1").models[0].labels[0]
    assert (label.on, label.off, label.confirm_s, label.confirm_of_s) == (0.5, 0.5, 1.0, 1.0)


def test_the_first_of_several_mistakes_is_reported() -> None:
    text = "[replay]\nworkers = 0\n[listen]\nhop = 1\n[model.cry.label.cry]\non = 7\n"
    assert "line 2" in str(_problem(text))
    assert "line 4" in str(_problem(text.replace("workers = 0", "workers = 1")))


def test_a_file_is_named_as_it_was_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "nursery.toml").write_text("[listen]\nhop_s = 0\n")
    with pytest.raises(ConfigError, match=r"^nursery\.toml, line 2: "):
        load_config("nursery.toml")
    with pytest.raises(ConfigError, match=r"^none\.toml: cannot be read .*: no such file or directory$"):
        load_config("none.toml")


def test_a_name_that_would_break_the_line_is_escaped() -> None:
    with pytest.raises(ConfigError, match=r"^a\\nb\.toml, line 1: "):
        parse_config("a = 1", source="a\nb.toml")


def test_a_path_begins_at_the_folder_of_the_file(tmp_path: Path) -> None:
    file = tmp_path / "nursery.toml"
    file.write_text("[model.cry]\nbundle = 'mine/cry.tflite'\n[model.b]\nbundle = '/b.tflite'\n[model.c]\n")
    bundles = [model.bundle for model in load_config(file).models]
    assert bundles == [f"{tmp_path}/mine/cry.tflite", "cry-reason", "scream", "/b.tflite", "c"]


# --- laws


def _uncommented(text: str) -> str:
    return re.sub(r"(?m)^# (\w+ = )", r"\1", text)


KEYS = [
    (tuple("cry" if part == "NAME" else str(part) for part in path), entry.kind)
    for path, entry in every_key(Settings)
    if 0 not in path
]


def _values(kind: ValueKind) -> st.SearchStrategy[Any]:
    """TOML values that a kind accepts."""
    values: st.SearchStrategy[Any] = st.booleans()
    match kind:
        case Number(low=low, high=high):
            whole = range(math.ceil(low), math.floor(high) + 1)
            values = st.floats(low, high) | (st.sampled_from(whole) if whole else st.nothing())
        case Integer(low=low, high=high):
            values = st.integers(low, high)
        case Ordinal(last=last):
            values = st.integers(1, last)
        case Choice(words=words):
            values = st.sampled_from(words)
        case Text(pattern=pattern):
            values = st.from_regex(pattern, fullmatch=True).filter(str.isprintable)
        case Host():
            values = st.ip_addresses().map(str) | st.from_regex(r"[a-z]([a-z0-9.-]{0,60}[a-z0-9])?", fullmatch=True)
        case WeekRanges():
            values = st.lists(st.integers(0, 1439), unique=True, max_size=6).map(_ranges)
        case OrKeyword(kind=inner, keyword=word):
            values = st.just(word) | _values(inner)
        case _:
            assert isinstance(kind, Boolean)
    return values


def _ranges(minutes: list[int]) -> list[str]:
    """Ranges between every other of these minutes, which do not overlap: on every day, on one, or on several."""
    times = [f"{minute // 60:02}:{minute % 60:02}" for minute in sorted(minutes)]
    days = ("", "tue ", "sat-mon,wed ")
    return [f"{on}{begin}-{end}" for on, begin, end in zip(days, times[::2], times[1::2], strict=False)]


def _toml(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(_toml, value))}]"
    if isinstance(value, str):
        return '"' + "".join(f"\\U{ord(character):08x}" for character in value) + '"'
    return str(value).lower() if isinstance(value, bool) else repr(value)


def _at(settings: Settings, path: tuple[str, ...]) -> Any:
    value: Any = settings
    for part in path:
        if isinstance(value, ModelSettings) and part == "label":
            continue
        if isinstance(value, Settings) and part == "model":
            continue
        if isinstance(value, Settings) and part == "schedule":
            value = next(iter(value.schedule), ScheduleSettings("cry"))
        elif part == "cry" and not isinstance(value, ScheduleSettings):
            value = value.models[0] if isinstance(value, Settings) else value.label("cry")
        elif part == "cry":
            continue
        else:
            value = getattr(value, part)
    return value


@given(st.sampled_from(KEYS).flatmap(lambda found: st.tuples(st.just(found), _values(found[1]))))
def test_whatever_a_key_may_say_comes_back(drawn: tuple[tuple[tuple[str, ...], ValueKind], Any]) -> None:
    (path, kind), value = drawn
    companion = "[model.other]\n" if path == ("model", "cry", "enabled") else ""
    if path == ("profile",) and value != "nursery":
        assert _parse(f"profile = {_toml(value)}") == profile(value)
        return
    settings = _parse(f"{'.'.join(path)} = {_toml(value)}\n{companion}")
    assert _at(settings, path) == kind.from_toml(value)
    written = kind.to_toml(_at(settings, path))
    assert (list(written) if isinstance(value, list) else written) == value
    assert all(_at(settings, other) == _at(profile(), other) for other, _ in KEYS if other != path)


def _fits(kind: ValueKind, value: Any) -> bool:
    try:
        kind.from_toml(value)
    except InvalidValueError:
        return False
    return True


@given(st.sampled_from(KEYS), st.booleans() | st.integers() | st.floats() | st.text() | st.just([]) | st.just({}))
def test_a_value_that_a_key_may_not_say_is_refused_by_its_name(
    found: tuple[tuple[str, ...], ValueKind], value: Any
) -> None:
    path, kind = found
    problem = _problem(f"{'.'.join(path)} = {_toml(value)}\n[model.other]\n")
    assert (problem is None) is _fits(kind, value)
    if problem is not None:
        assert problem.startswith(f'nursery.toml, line 1: "{path[-1]}"')
        sentence, cured, _ = problem.partition("; write ")
        assert sentence.endswith(f", must be {kind.expects}")
        assert not cured or "without quotes" in problem or not isinstance(value, str)


@given(st.text())
def test_any_text_makes_settings_or_one_line(text: str) -> None:
    problem = _problem(text)
    assert problem is None or ONE_LINE.fullmatch(problem)


@given(st.data())
def test_a_damaged_file_makes_settings_or_one_line(data: st.DataObject) -> None:
    text = _uncommented(example_config())
    for _ in range(data.draw(st.integers(1, 4))):
        begin = data.draw(st.integers(0, len(text)))
        end = data.draw(st.integers(begin, min(len(text), begin + 30)))
        put = data.draw(st.text(max_size=5) | st.text("[]{}=.,#\"'\\\n a1_", max_size=8) | st.sampled_from(PIECES))
        text = text[:begin] + put + text[end:]
    problem = _problem(text)
    assert problem is None or ONE_LINE.fullmatch(problem)
    assert problem is None or len(problem.splitlines()) == 1


PIECES = [
    "\n[listen]\n",
    "\n[[model]]\n",
    "\n[model.x]\n",
    " = nan\n",
    '"""',
    "\n'a\t' . b = {c = [1,]}\n",
    "\r\n",
    "= 0x" + "f" * 9000,
]


@given(st.binary(max_size=200) | st.text(max_size=50).map(lambda text: text.encode("utf-16")))
def test_any_bytes_make_settings_or_one_line(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    file = tmp_path_factory.getbasetemp() / "nursery.toml"
    file.write_bytes(data)
    message = None
    try:
        load_config(file)
    except ConfigError as error:
        message = str(error)
    assert message is None or message.startswith((f"{file}: ", f"{file}, line "))
    assert message is None or len(message.splitlines()) == 1


@pytest.mark.parametrize("device", ["1", " 2 ", "hw:1,0", "plughw:0", "usb:zz", "usb:0d8c", "port:1", "(hw:1,0)", ""])
def test_a_microphone_that_could_never_be_sought_is_refused_with_the_file(device: str) -> None:
    problem = _problem(f'[microphone]\ndevice = "{device}"')
    assert problem is not None
    assert "no number" in problem


@given(_values(dict(KEYS)["microphone", "device"]))
def test_every_microphone_that_a_file_may_name_can_be_sought(device: str) -> None:
    parse_device(device)


def test_paths_begin_in_the_folder_of_the_file_that_names_them() -> None:
    text = """
    [journal]
    file = "kept/alarms.db"
    [mqtt]
    password_file = "secret"
    ca_file = "/etc/ca.pem"
    cert_file = "own.pem"
    [clips]
    folder = "clips"
    """
    settings = parse_config(text, source="x", folder=Path("/etc/auricle"))
    assert settings.journal.file == "/etc/auricle/kept/alarms.db"
    assert (settings.mqtt.password_file, settings.mqtt.ca_file) == ("/etc/auricle/secret", "/etc/ca.pem")
    assert (settings.mqtt.cert_file, settings.mqtt.key_file) == ("/etc/auricle/own.pem", None)
    assert settings.clips.folder == "/etc/auricle/clips"
    usual = parse_config('[journal]\nfile = "off"\n', source="x", folder=Path("/etc/auricle"))
    assert (usual.journal.file, usual.clips.folder, usual.log.file) == (None, "auto", "auto")
