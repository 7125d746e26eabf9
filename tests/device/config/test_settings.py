"""The settings' own rules: models, labels, and which bundles a profile still lacks."""

from __future__ import annotations

import dataclasses
import pickle
import re

import pytest

from device.config.alerting.loudness_settings import LoudnessSettings
from device.config.loading import parse_config, profile
from device.config.settings import LabelSettings, ModelSettings, Settings, missing_models, missing_sentence
from device.errors import ConfigError
from device.hearing.decision import OperatingPoint


def _parse(text: str) -> Settings:
    return parse_config(text, source="nursery.toml")


def test_a_model_that_is_not_enabled_does_not_listen() -> None:
    settings = _parse('model.cry.enabled = false\nmodel.scream.enabled = false\n[model.lung]\nbundle = "lung.tflite"')
    assert [model.name for model in settings.models] == ["cry", "cry-reason", "scream", "lung"]
    assert [model.name for model in settings.listening] == ["lung"]


def test_the_stethoscope_says_which_model_it_lacks() -> None:
    settings = profile("stethoscope")
    missing = missing_models(settings, {"cry"})
    assert missing == ("lung",)
    assert missing_sentence(settings, missing) == (
        'profile "stethoscope" lacks the model "lung": no such bundle is shipped; '
        'set "bundle" in [model.lung] to a .tflite file'
    )


def test_models_that_are_files_or_not_enabled_are_not_missing() -> None:
    assert missing_models(profile("stethoscope"), {"cry", "lung"}) == ()
    assert missing_models(_parse('[model.cry]\nbundle = "my/cry.tflite"'), ("cry-reason", "scream")) == ()
    switched = _parse(
        "model.cry.enabled = false\nmodel.scream.enabled = false\n[model.a]\n[model.b]\nbundle = 'a'\n[model.c]\n"
    )
    assert missing_models(switched, ()) == ("a", "c")
    assert 'lacks the models "a", "c": ' in missing_sentence(switched, ("a", "c"))
    assert "in [model.a], [model.b], [model.c] to" in missing_sentence(switched, ("a", "c"))


def test_who_switches_the_cry_off_need_not_switch_off_its_reason() -> None:
    settings = _parse("model.cry.enabled = false")
    assert [model.name for model in settings.listening] == ["scream"]


def test_a_model_without_a_bundle_is_the_bundle_of_its_name() -> None:
    assert ModelSettings("lung").bundle == "lung"
    assert _parse("[model.scream]").models[2].bundle == "scream"


@pytest.mark.parametrize(("bundle", "is_file"), [("cry", False), ("cry.tflite", True), ("./cry", True), ("/m/c", True)])
def test_a_path_is_told_from_a_name(bundle: str, is_file: bool) -> None:  # noqa: FBT001 -- a parametrized flag
    assert ModelSettings("cry", bundle).is_file is is_file


def test_only_what_is_overruled_of_a_label_changes_the_operating_point() -> None:
    model, *_ = _parse('[model.cry.label.cry]\non = 0.8\nhold_s = 3\npriority = "low"\noff = "model"').models
    assert model.label("cry").operating_point() == {"on": 0.8, "hold_s": 3.0}
    assert model.label("cry").priority == "low"
    assert model.label("other") == LabelSettings("other")
    assert model.label("other").operating_point() == {}


def test_every_field_of_an_operating_point_can_be_overruled() -> None:
    every = {item.name: 0.5 for item in dataclasses.fields(OperatingPoint)}
    settings = _parse("[model.cry.label.cry]\n" + "".join(f"{name} = {value}\n" for name, value in every.items()))
    assert settings.models[0].label("cry").operating_point() == every


def test_a_label_of_which_nothing_is_overruled_is_as_if_it_was_not_named() -> None:
    assert _parse('[model.cry.label.cry]\non = "model"') == profile()


def test_channels_are_counted_from_1_in_the_file_and_from_0_inside() -> None:
    assert _parse("[recording]\nchannel = 1").recording.channel == 0
    assert _parse("[recording]\nchannel = 'mix'").recording.channel is None


def test_settings_travel_to_another_process() -> None:
    settings = _parse("[model.cry.label.cry]\non = 0.9")
    assert pickle.loads(pickle.dumps(settings)) == settings  # noqa: S301 -- our own bytes
    assert hash(settings) != hash(profile())


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("level_dbfs = 3", '"level_dbfs" in [loudness] is 3, must be a number from -80 to -1 dBFS, or "off"'),
        ("for_s = 0", '"for_s" in [loudness] is 0, must be a number from 0.5 to 600 s'),
        ("hysteresis_db = 30", '"hysteresis_db" in [loudness] is 30, must be a number from 0 to 18 dB'),
        ('priority = "loud"', '"priority" in [loudness] is "loud", must be "high", "medium" or "low"'),
        ("level = -30", 'unknown key "level" in [loudness]'),
    ],
)
def test_a_bad_value_of_the_loudness_alarm_is_one_sentence(line: str, sentence: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(f"nursery.toml, line 2: {sentence}")) as error:
        _parse(f"[loudness]\n{line}")
    assert "\n" not in str(error.value)


def test_the_loudness_alarm_is_off_until_it_has_a_level() -> None:
    assert not profile().loudness.is_on
    assert _parse("[loudness]\nlevel_dbfs = -30").loudness == LoudnessSettings(level_dbfs=-30.0)


def test_no_model_may_have_its_name_beside_it() -> None:
    model = "[model.loudness]\nbundle = 'lung.tflite'\n"
    assert _parse(model).models[-1].name == "loudness"
    with pytest.raises(ConfigError, match=r"line 4: the name loudness is that of \[loudness\]"):
        _parse(f"{model}[loudness]\nlevel_dbfs = -30")


_ONE_OF_THEM = "; a minute can have one of them"
_HOURS = 'an array of hours as "22:00-06:00" or "mon-fri 22:00-06:00", of which no two overlap'


@pytest.mark.parametrize(
    ("lines", "sentence"),
    [
        (
            'log = ["07:00-13:00"]\noff = ["12:30-14:00"]',
            f'line 3: in [schedule.cry] "12:30-14:00" in "off" overlaps "07:00-13:00" in "log"{_ONE_OF_THEM}',
        ),
        (
            'alarm = ["22:00-06:00"]\noff = ["05:59-06:30"]',
            f'line 3: in [schedule.cry] "05:59-06:30" in "off" overlaps "22:00-06:00" in "alarm"{_ONE_OF_THEM}',
        ),
        (
            'log = ["00:00-00:00"]\noff = ["12:00-13:00"]',
            f'line 3: in [schedule.cry] "12:00-13:00" in "off" overlaps "00:00-00:00" in "log"{_ONE_OF_THEM}',
        ),
        (
            'log = ["07:00-09:00", "08:00-10:00"]',
            f'line 2: "log" in [schedule.cry] is an array, must be {_HOURS}; "08:00-10:00" overlaps "07:00-09:00"',
        ),
        (
            'log = ["7-9"]',
            (
                f'line 2: "log" in [schedule.cry] is an array, must be {_HOURS}; '
                '"7-9" has no hours as "22:00-06:00" at its end'
            ),
        ),
        (
            'log = ["fri 22:00-06:00"]\noff = ["sat 05:00-07:00"]',
            f'line 3: in [schedule.cry] "sat 05:00-07:00" in "off" overlaps "fri 22:00-06:00" in "log"{_ONE_OF_THEM}',
        ),
        (
            'log = ["sun 22:00-06:00"]\noff = ["05:59-06:30"]',
            f'line 3: in [schedule.cry] "05:59-06:30" in "off" overlaps "sun 22:00-06:00" in "log"{_ONE_OF_THEM}',
        ),
        (
            'otherwise = "log"\noff = ["mon-fri 07:00-09:00", "Saturday 07:00-09:00"]',
            (
                f'line 3: "off" in [schedule.cry] is an array, must be {_HOURS}; '
                '"Saturday" in "Saturday 07:00-09:00" is no day; write sat'
            ),
        ),
        ('otherwise = "quiet"', 'line 2: "otherwise" in [schedule.cry] is "quiet", must be "alarm", "log" or "off"'),
    ],
)
def test_hours_that_overlap_or_contradict_each_other_are_refused_by_name(lines: str, sentence: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(f"nursery.toml, {sentence}")):
        _parse(f"[schedule.cry]\n{lines}")


def test_hours_that_meet_do_not_overlap_and_past_midnight_neither() -> None:
    (cry,) = _parse('[schedule.cry]\nalarm = ["19:00-07:00"]\nlog = ["07:00-12:30", "14:00-19:00"]').schedule
    assert (cry.name, cry.alarm, cry.log, cry.otherwise) == (
        "cry",
        ("19:00-07:00",),
        ("07:00-12:30", "14:00-19:00"),
        "alarm",
    )


def test_a_schedule_that_says_nothing_is_none() -> None:
    assert _parse("[schedule.cry]\nswitch = false") == profile()
