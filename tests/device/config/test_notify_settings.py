"""`[[notify]]` and `[watcher]`: arrays of tables are read, checked, and named in sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from device.config.loading import load_config, parse_config
from device.config.push.notify_settings import NotifySettings
from device.config.push.watcher_settings import WatcherSettings
from device.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path


def _refusal(text: str) -> str:
    with pytest.raises(ConfigError) as error:
        parse_config(text, source="a.toml")
    return str(error.value)


def test_nobody_is_notified_unless_a_table_says_so() -> None:
    settings = parse_config("", source="a.toml")
    assert settings.notify == ()
    assert settings.watcher == WatcherSettings()
    assert not settings.wants_push


def test_each_table_is_somebody() -> None:
    settings = parse_config(
        '[[notify]]\naddress_file = "topic"\n[[notify]]\nname = "gran"\nservice = "pushover"\nafter_min = 10\n'
        'priorities = ["high"]\nfaults = []\nlabels = ["cry"]\n',
        source="a.toml",
    )
    assert settings.notify == (
        NotifySettings(address_file="topic"),
        NotifySettings("gran", "pushover", after_min=10.0, priorities=("high",), faults=(), labels=("cry",)),
    )
    assert settings.wants_push


def test_push_needs_the_journal() -> None:
    sentence = '"file" in [journal] is "off", but auricle push needs the journal'
    assert _refusal("[[notify]]\n[journal]\nfile = 'off'\n") == f"a.toml, line 3: {sentence}"
    assert sentence in _refusal("[watcher]\nurl_file = 'credential'\n[journal]\nfile = 'off'\n")


def test_a_watcher_alone_is_a_reason_to_run() -> None:
    assert parse_config('[watcher]\nurl_file = "credential"\n', source="a.toml").wants_push


def test_paths_begin_at_the_folder_of_the_file_and_credential_is_a_keyword(tmp_path: Path) -> None:
    file = tmp_path / "anna.toml"
    file.write_text('[[notify]]\naddress_file = "topic"\ntoken_file = "credential"\n[watcher]\nurl_file = "ping"\n')
    settings = load_config(file)
    assert settings.notify[0].address_file == str(tmp_path / "topic")
    assert settings.notify[0].token_file is None
    assert settings.watcher.url_file == str(tmp_path / "ping")
    file.write_text('[watcher]\nurl_file = "credential"\n')
    assert load_config(file).watcher.url_file == "credential"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[[notify]]\n\n[[notify]]\nname = 'phone'\n", 'a.toml, line 4: two [[notify]] tables have the "name" "phone"'),
        ("[notify]\nname = 'phone'\n", "a.toml, line 1: write [[notify]] instead of [notify]: there may be several"),
        ("notify = 'phone'\n", 'a.toml, line 1: write [[notify]] instead of notify = "phone": there may be several'),
        (
            "[[notify]]\naddress = 'secret'\n",
            'a.toml, line 2: unknown key "address" in [[notify]]; did you mean "address_file"?',
        ),
        (
            "[[notify]]\npriorities = 'high'\n",
            'a.toml, line 2: "priorities" in [[notify]] is "high", must be an array, each value',
        ),
        ("[[notify]]\nservice = 'signal'\n", 'a.toml, line 2: "service" in [[notify]] is "signal", must be "ntfy"'),
    ],
)
def test_a_mistake_is_named_with_its_line(text: str, sentence: str) -> None:
    assert _refusal(text).startswith(sentence)
