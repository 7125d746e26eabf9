"""`auricle config --check`: every mistake of a file in one run, and of what it names outside."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from device.__main__ import main

if TYPE_CHECKING:
    from pathlib import Path

    from tests.signing_keys import KeyPair

MISTAKES = """profile = "nursery"
[listen]
hop_s = "0,5"
[mqtt]
host = broker.local
tls = "yes"
[alarms]
time_zone = "Europe/Berlyn"
latch = yes
[gpio]
led = 17
buzzer = 17
[model.cry]
bundle = "gone.tflite"
"""


_CORRECT = "correct the path (one that is not absolute begins at the configuration's folder)"


def _mistakes(capfd: pytest.CaptureFixture[str], path: Path, *options: str) -> list[str]:
    """The lines that are printed about a file, without its name."""
    assert main(["config", "--check", str(path), *options]) == 2
    captured = capfd.readouterr()
    assert captured.out == ""
    return [line.removeprefix(f"auricle: {path}, ") for line in captured.err.splitlines()]


def test_every_mistake_of_a_file_is_listed_in_one_run(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "anna.toml"
    path.write_text(MISTAKES)
    gone = tmp_path / "gone.tflite"
    offline = [
        'line 3: "hop_s" in [listen] is "0,5", must be a number from 0.1 to 2 s; write 0.5 without quotes',
        'line 5: no valid TOML: invalid value, at column 8; write text in quotes, "broker.local"',
        'line 6: "tls" in [mqtt] is "yes", must be true or false; write true without quotes',
        "line 9: no valid TOML: invalid value, at column 9; write true",
        'line 12: in [gpio] "buzzer" is 17, must be another pin than "led"',
    ]
    outside = [
        'line 8: "time_zone" in [alarms] is "Europe/Berlyn", which is no zone; one is "Europe/Berlin", or "UTC"',
        f'line 14: "bundle" in [model.cry] is "{gone}", which is not there; {_CORRECT}',
    ]
    assert _mistakes(capfd, path, "--offline") == [*offline, f"auricle: 5 mistakes in {path}"]
    everything = sorted([*offline, *outside], key=lambda line: int(line.split(":")[0].removeprefix("line ")))
    assert _mistakes(capfd, path) == [*everything, f"auricle: 7 mistakes in {path}"]


def test_what_a_file_names_is_looked_at_and_named_with_key_line_and_cure(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "ca.pem").write_text("no certificate")
    (tmp_path / "damaged.tflite").write_bytes(b"no network")
    (tmp_path / "password").write_text("secret")
    (tmp_path / "password").chmod(0o644)
    path = tmp_path / "anna.toml"
    path.write_text(
        """[mqtt]
host = "broker.local"
username = "anna"
password_file = "password"
tls = true
ca_file = "ca.pem"
[journal]
file = "gone/alarms.db"
[model.cry.label.bark]
priority = "low"
[model.other]
bundle = "damaged.tflite"
listens_while = "howl"
"""
    )
    assert _mistakes(capfd, path) == [
        f"line 4: the password file {tmp_path}/password is open to everybody on this machine: chmod o-rwx closes it",
        (
            f'line 6: "ca_file" in [mqtt] is "{tmp_path}/ca.pem", which holds no authority\'s certificate; '
            "name the PEM file of the authority that signed the broker's"
        ),
        (
            f'line 8: "file" in [journal] is "{tmp_path}/gone/alarms.db", and {tmp_path}/gone is no folder; '
            "make it, or name another file"
        ),
        "line 9: model cry has no label 'bark'; it must be cry",
        (
            f"line 12: {tmp_path}/damaged.tflite: not a TensorFlow Lite file (no TFL3 at byte 4); "
            "write it with the converter"
        ),
        'line 13: "listens_while" in [model.other] is "howl", no label of a model further up; it must be "scream"',
        f"auricle: 6 mistakes in {path}",
    ]
    assert main(["config", "--check", str(path), "--offline"]) == 0
    assert capfd.readouterr().out == f"{path} holds\n"


@pytest.mark.parametrize(
    ("key", "name", "why"),
    [
        ("password_file", "gone", "which is not there; correct the path (one that is not absolute begins at the"),
        ("ca_file", "gone", "which is not there; correct the path (one that is not absolute begins at the"),
        ("cert_file", "gone", "which is not there; correct the path (one that is not absolute begins at the"),
        ("ca_file", ".", "which is a folder; name a file"),
    ],
)
def test_a_file_that_cannot_be_read_is_named_with_its_key(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], key: str, name: str, why: str
) -> None:
    path = tmp_path / "anna.toml"
    path.write_text(f'[mqtt]\nhost = "h"\nusername = "anna"\ntls = true\n{key} = "{name}"\n')
    (line,) = _mistakes(capfd, path)
    assert line.startswith(f'line 5: "{key}" in [mqtt] is "{tmp_path / name}", {why}')


def test_offline_without_a_file_is_refused(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "--schema", "--offline"]) == 2
    assert capfd.readouterr().err == "auricle: --offline goes with --check FILE\n"


def test_a_daemon_that_does_not_start_names_key_file_and_line(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "run"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    path = tmp_path / "anna.toml"
    path.write_text('\n[model.cry]\nbundle = "gone.tflite"\n')
    before = dict(os.environ)
    assert main(["listen", "--config", str(path)]) == 2
    os.environ.update(before)
    expected = f'auricle: {path}, line 3: "bundle" in [model.cry] is "{tmp_path}/gone.tflite", which is not there'
    assert capfd.readouterr().err.startswith(expected)


def test_a_key_that_is_none_and_a_bundle_without_a_signature_are_mistakes(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], maker: KeyPair
) -> None:
    path = tmp_path / "anna.toml"
    path.write_text(f'[bundles]\npublic_key = "{maker.private.name}"\n', encoding="utf-8")
    (line,) = _mistakes(capfd, path)
    assert line.startswith(f'line 2: "public_key" in [bundles]: {maker.private} holds a private key; ')
    path.write_text(f'[bundles]\npublic_key = "{maker.public.name}"\n', encoding="utf-8")
    lines = _mistakes(capfd, path)
    for name in ("cry", "scream"):
        (line,) = (line for line in lines if f"{name}.tflite" in line)
        assert "not signed, or cut short, and a public key is configured" in line


def test_files_with_addresses_and_tokens_of_push_are_looked_at_and_credentials_are_not(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "anna.toml"
    path.write_text(
        '[[notify]]\naddress_file = "gone"\n[[notify]]\nname = "gran"\nservice = "pushover"\n'
        'token_file = "open"\nuser_file = "empty"\n[watcher]\nurl_file = "credential"\n',
        encoding="utf-8",
    )
    for name, mode in (("open", 0o644), ("empty", 0o600)):
        (tmp_path / name).write_text("secret" if name == "open" else "\n")
        (tmp_path / name).chmod(mode)
    lines = _mistakes(capfd, path)
    assert [line.partition(" (")[0] for line in lines[:3]] == [
        f'line 2: "address_file" in [[notify]] is "{tmp_path}/gone", which is not there; correct the path',
        f"line 6: the file {tmp_path}/open is open to everybody on this machine: chmod o-rwx closes it",
        f"line 7: the file {tmp_path}/empty is empty",
    ]


def test_a_label_to_be_pushed_that_no_model_listens_for_is_a_mistake(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "anna.toml"
    path.write_text('[[notify]]\nlabels = ["cry"]\n', encoding="utf-8")
    assert main(["config", "--check", str(path)]) == 0
    capfd.readouterr()
    path.write_text('[[notify]]\nlabels = ["cry", "crying"]\n', encoding="utf-8")
    (line,) = _mistakes(capfd, path)
    assert line.startswith(
        'line 2: "labels" in [[notify]] has "crying", which no model listens for; there may be "cry"'
    )


def test_the_label_of_the_loudness_alarm_may_be_pushed_and_scheduled(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "anna.toml"
    uses = '[[notify]]\nlabels = ["loud"]\n[schedule.loud]\notherwise = "log"\n'
    path.write_text(f"{uses}[loudness]\nlevel_dbfs = -30\n", encoding="utf-8")
    assert main(["config", "--check", str(path)]) == 0
    capfd.readouterr()
    path.write_text(uses, encoding="utf-8")
    pushed, scheduled = _mistakes(capfd, path)[:2]
    assert pushed.startswith('line 2: "labels" in [[notify]] has "loud", which no model listens for')
    assert scheduled == ('line 3: [schedule.loud] is for a label that raises no alarms; there may be "cry" or "scream"')


def test_every_file_that_is_not_there_is_named_beside_the_others_and_beside_other_mistakes(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Only the first file of a table used to be named: who corrected it met the next one in the next run."""
    path = tmp_path / "anna.toml"
    path.write_text(
        """colour = "red"
[mqtt]
host = "broker.local"
tls = "yes"
username = "anna"
password_file = "gone-1"
ca_file = "gone-2"
cert_file = "gone-3"
key_file = "gone-4"
[microphone]
device = "rtsps://camera/1"
username = "anna"
password_file = "gone-5"
ca_file = "gone-6"
[web]
cert_file = "gone-7"
key_file = "gone-8"
[[notify]]
address_file = "gone-9"
token_file = "gone-10"
ca_file = "gone-11"
[alarms]
quiet_hours = "22-6"
"""
    )
    lines = _mistakes(capfd, path)
    named = [
        number for number in range(1, 12) if any(f'"{tmp_path}/gone-{number}", which is not' in line for line in lines)
    ]
    assert named == list(range(1, 12))
    assert [line.partition(":")[0] for line in lines if "gone-" not in line] == [
        "line 1",
        "line 4",
        "line 23",
        "auricle",
    ]
    assert lines[-1] == f"auricle: 14 mistakes in {path}"


def test_authorities_and_certificates_that_are_none_are_both_named(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for name in ("ca", "own", "key"):
        (tmp_path / name).write_text("no certificate")
    path = tmp_path / "anna.toml"
    path.write_text('[mqtt]\nhost = "h"\ntls = true\nca_file = "ca"\ncert_file = "own"\nkey_file = "key"\n')
    lines = _mistakes(capfd, path)
    assert lines[0].startswith(
        f'line 4: "ca_file" in [mqtt] is "{tmp_path}/ca", which holds no authority\'s certificate'
    )
    assert lines[1].startswith(f"line 5: the certificate {tmp_path}/own with the key {tmp_path}/key cannot be used")
    assert lines[2:] == [f"auricle: 2 mistakes in {path}"]


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ('cert_file = "page.crt"', 'line 2: [web] has "cert_file" alone: set cert_file and key_file'),
        ('key_file = "page.key"', 'line 2: [web] has "key_file" alone: set cert_file and key_file'),
        ('cert_file = "page.crt"\nkey_file = "page.key"', "line 2: the certificate"),
    ],
)
def test_a_certificate_that_the_page_cannot_use_is_a_mistake(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], keys: str, says: str
) -> None:
    for name in ("page.crt", "page.key"):
        (tmp_path / name).write_text("no certificate")
    path = tmp_path / "anna.toml"
    path.write_text(f"[web]\n{keys}\n")
    (line,) = _mistakes(capfd, path)
    assert line.startswith(says)
