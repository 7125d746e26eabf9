"""`POST /api/classify` of a real page in a process of its own, beside which no daemon runs.

The answer is that of `auricle classify --json`, byte for byte; whatever is sent, nothing of it is left.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile
from jsonschema import Draft202012Validator

from device.web.server.openapi import openapi_document
from tests.device.web.classifying.classify_page import SOON_S, TOKENS, Page, until
from tests.device.web.printed_clients import printed_client

if TYPE_CHECKING:
    from collections.abc import Iterator

RATE_HZ = 16000
FORMATS = ("wav", "flac", "ogg")


@pytest.fixture(scope="module")
def sounds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tone of five seconds in noise in three formats, ten minutes of noise, and eleven."""
    folder = tmp_path_factory.mktemp("sounds")
    rng = np.random.default_rng(0)
    samples = 1e-3 * rng.standard_normal(16 * RATE_HZ)
    samples[5 * RATE_HZ : 10 * RATE_HZ] += 0.3 * np.sin(2 * np.pi * 1000 * np.arange(5 * RATE_HZ) / RATE_HZ)
    for suffix in FORMATS:
        soundfile.write(folder / f"recording.{suffix}", samples, RATE_HZ)
    noise = 1e-3 * rng.standard_normal(600 * RATE_HZ // 2)
    soundfile.write(folder / "long.wav", noise, RATE_HZ // 2)
    soundfile.write(folder / "longer.wav", np.append(noise, noise), RATE_HZ // 2)
    return folder


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory, tiny_bundle_path: Path) -> Iterator[Page]:
    with Page(tmp_path_factory.mktemp("page"), tiny_bundle_path) as page:
        yield page


@pytest.fixture(autouse=True)
def nothing_is_left(page: Page) -> Iterator[None]:
    yield
    until(page.is_clean, f"left: {list(page.uploads.glob('**/*'))}, {page.children()}")


def said_by_the_command(page: Page, sounds: Path, suffix: str) -> bytes:
    words = ["classify", "--config", str(page.config), "--json", f"recording.{suffix}"]
    command = [sys.executable, "-m", "device", *words]
    environment = {**page.environment, "PYTHONPATH": os.pathsep.join(map(os.path.abspath, sys.path))}
    return subprocess.run(command, cwd=sounds, env=environment, capture_output=True, check=True, timeout=SOON_S).stdout


@pytest.mark.parametrize("suffix", FORMATS)
def test_the_answer_is_that_of_the_command_byte_for_byte(page: Page, sounds: Path, suffix: str) -> None:
    recording, said = sounds / f"recording.{suffix}", said_by_the_command(page, sounds, suffix)
    raw = page.post(recording.read_bytes(), headers={"content-type": f"audio/{suffix}"})
    assert raw.content == said
    hostile = "../../\x1b[2J\u202e'; rm -rf /.exe"
    form = page.post(files={"recording": (hostile, recording.read_bytes(), "audio/x-evil")})
    assert form.content == said
    answer = json.loads(said)
    assert [event["phase"] for event in answer["events"]] == ["begin", "end"]
    document = openapi_document()
    schema = document["paths"]["/api/classify"]["post"]["responses"]["200"]["content"]["application/json"]["schema"]
    Draft202012Validator({**schema, "components": document["components"]}).validate(answer)


def test_a_long_recording_says_how_far_it_is_and_answers_the_same(page: Page, sounds: Path) -> None:
    recording = (sounds / "long.wav").read_bytes()
    plain = page.post(recording).text
    told = page.post(recording, headers={"accept": "text/event-stream"})
    assert told.headers["content-type"].startswith("text/event-stream")
    events = [block.partition("\ndata: ") for block in told.text.removesuffix("\n\n").split("\n\n")]
    assert events[-1][::2] == ("event: answer", plain.removesuffix("\n"))
    progress = [json.loads(data) for kind, _, data in events[:-1] if kind == "event: progress"]
    heard_s = [each["heard_s"] for each in progress]
    assert heard_s == sorted(heard_s) != []
    assert {each["duration_s"] for each in progress} == {600.0}


@pytest.mark.parametrize("language", ["python", "js"])
def test_the_printed_client_prints_what_was_heard(page: Page, sounds: Path, tmp_path: Path, language: str) -> None:
    command = [*printed_client(language, "api/classify", tmp_path), "recording.flac"]
    environment = {**page.environment, "PAGE": str(page.client.base_url) + "/", "TOKEN": TOKENS["operator"]}
    printed = subprocess.run(
        command, cwd=sounds, env=environment, capture_output=True, text=True, check=True, timeout=SOON_S
    ).stdout
    assert [line.split()[:2] for line in printed.splitlines()] == [["begin", "tone"], ["end", "tone"]]


def test_a_model_and_a_profile_are_chosen_by_name(page: Page, sounds: Path) -> None:
    recording = (sounds / "recording.flac").read_bytes()
    assert {row["model"] for row in page.post(recording).json()["scores"]} == {"tiny"}
    assert {row["model"] for row in page.post(recording, "?model=scream&model=tiny").json()["scores"]} == {
        "scream",
        "tiny",
    }
    assert {row["model"] for row in page.post(recording, "?profile=stethoscope").json()["scores"]} == {"lung"}


@pytest.mark.parametrize(
    ("query", "content", "status", "says"),
    [
        ("?model=/etc/passwd", b"RIFF", 400, "no model is named '/etc/passwd'; it must be"),
        ("?model=a%1b%5b2J", b"RIFF", 400, r"'a\u001b[2J'"),
        ("?profile=x", b"RIFF", 400, "no profile is named 'x'; it must be"),
        ("?profile=nursery&profile=stethoscope", b"RIFF", 400, "profile is given more than once"),
        ("?modell=cry", b"RIFF", 400, "'modell' is no parameter; model and profile are"),
        ("", b"", 400, "the request holds no recording"),
        ("", b"no sound at all, but long enough to look like some", 415, "it is no WAV, FLAC or OGG file"),
        ("", b"\x00\x00\x00\x20ftypM4A " + bytes(99), 415, "it is no WAV, FLAC or OGG file"),
        ("", b"RIFF" + bytes(range(256)) * 4, 422, "recording.wav "),
        ("", b"fLaC" + bytes(range(256)) * 4, 422, "recording.flac "),
        ("", b"OggS" + bytes(range(256)) * 4, 422, "recording.ogg "),
    ],
)
def test_what_cannot_be_heard_is_one_sentence(page: Page, query: str, content: bytes, status: int, says: str) -> None:
    answer = page.post(content, query)
    assert (answer.status_code, says in answer.json()["error"]) == (status, True), answer.text


def test_a_recording_that_breaks_off_is_answered_as_far_as_it_goes(page: Page, sounds: Path) -> None:
    answer = page.post((sounds / "recording.wav").read_bytes()[: 24 * RATE_HZ]).json()
    assert answer["events"]
    assert answer["error"].startswith("recording.wav")


def test_forms_that_are_none_are_refused(page: Page, sounds: Path) -> None:
    recording = (sounds / "recording.ogg").read_bytes()
    assert "a field of another name" in page.post(files={"file": recording}).json()["error"]
    several = page.post(files=[("recording", recording), ("recording", recording)])
    assert "several fields" in several.json()["error"]
    for kind, status in {
        "multipart/form-data": 400,
        "multipart/form-data; boundary=b": 400,
        "application/x-www-form-urlencoded": 415,
    }.items():
        assert page.post(recording, headers={"content-type": kind}).status_code == status
    cut = b'--b\r\ncontent-disposition: form-data; name="recording"\r\n\r\n' + recording
    answer = page.post(cut, headers={"content-type": "multipart/form-data; boundary=b"})
    assert "breaks off" in answer.json()["error"]


def test_only_an_operator_may_and_nothing_of_others_is_read(page: Page) -> None:
    for token, status in (("nobody", 401), (TOKENS["viewer"], 403)):
        connection = page.send_head(10**12)
        connection.close()
        answer = page.post(b"RIFF", headers={"authorization": f"Bearer {token}"})
        assert answer.status_code == status
    forged = page.client.post("/api/classify", content=b"RIFF", headers={"authorization": "Basic x"})
    assert forged.status_code == 401


def test_what_says_that_it_is_too_large_is_refused_at_once_and_what_does_not_soon(page: Page) -> None:
    with page.send_head(20_000_001) as connection:
        answer = connection.recv(65536)
        assert b" 413 " in answer.splitlines()[0]

    def endless() -> Iterator[bytes]:
        yield b"RIFF"
        for _ in range(25):
            yield bytes(10**6)

    assert page.post(endless()).status_code == 413
    answer_to_form = page.post(files={"recording": b"RIFF" + bytes(20_100_000)})
    assert "may have 20 MB" in answer_to_form.json()["error"]


def test_what_lasts_too_long_is_refused_whatever_its_header_says(page: Page, sounds: Path, tmp_path: Path) -> None:
    answer = page.post((sounds / "longer.wav").read_bytes())
    assert answer.status_code == 413
    assert "lasts 1200 s, and at most 600 s" in answer.json()["error"]
    samples, rate_hz = soundfile.read(sounds / "longer.wav", dtype="int16")
    soundfile.write(tmp_path / "long.flac", samples, rate_hz)
    data = bytearray((tmp_path / "long.flac").read_bytes())
    data[21] &= 0xF0  # STREAMINFO: the total number of samples is unknown
    data[22:26] = bytes(4)
    answer = page.post(bytes(data))
    assert answer.status_code == 413, answer.text[:300]
    assert "lasts longer than 600 s" in answer.json()["error"]


def test_a_second_is_asked_to_come_again_and_a_client_that_leaves_ends_its_process(page: Page, sounds: Path) -> None:
    recording = (sounds / "long.wav").read_bytes()
    with page.send_head(len(recording)) as connection:
        connection.sendall(recording)
        (child,) = until(page.children, "no process hears it")
        cwd = Path(f"/proc/{child}/cwd")  # it is the page's until the new process runs its program
        until(lambda: cwd.readlink().parent == page.uploads, "it works in another folder")
        answer = page.post(b"RIFF")
        assert answer.status_code == 503
        assert answer.headers["retry-after"] == "5"
        assert "another recording" in answer.json()["error"]
    until(page.is_clean, "the process goes on")
    assert page.post((sounds / "recording.ogg").read_bytes()).status_code == 200


def test_an_upload_that_breaks_off_leaves_nothing(page: Page) -> None:
    with page.send_head(10**6) as connection:
        connection.sendall(b"RIFF" + bytes(5000))
        until(lambda: list(page.uploads.glob("*/recording.wav")), "nothing of it arrives")
    until(page.is_clean, "it is left")


def test_a_process_that_is_killed_is_one_sentence(page: Page, sounds: Path) -> None:
    recording = (sounds / "long.wav").read_bytes()
    with page.send_head(len(recording)) as connection:
        connection.sendall(recording)
        (child,) = until(page.children, "no process hears it")
        os.kill(child, signal.SIGKILL)
        answer = b""
        while b"SIGKILL" not in answer:
            piece = connection.recv(65536)
            assert piece, answer
            answer += piece
    assert answer.startswith(b"HTTP/1.1 503 ")


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL])
def test_the_page_takes_its_process_along_and_the_next_page_deletes_what_it_left(
    end: signal.Signals, tmp_path: Path, sounds: Path, tiny_bundle_path: Path
) -> None:
    recording = (sounds / "long.wav").read_bytes()
    with Page(tmp_path, tiny_bundle_path) as page, page.send_head(len(recording)) as connection:
        connection.sendall(recording)
        (child,) = until(page.children, "no process hears it")
        page.process.send_signal(end)
        page.process.wait(SOON_S)
        until(lambda: not Path(f"/proc/{child}").exists(), "the process goes on")
        assert bool(list(page.uploads.iterdir())) is (end == signal.SIGKILL)
    with Page(tmp_path, tiny_bundle_path) as page:
        assert list(page.uploads.iterdir()) == []


def test_it_is_off_unless_the_configuration_has_it_on(tmp_path: Path, tiny_bundle_path: Path) -> None:
    with Page(tmp_path, tiny_bundle_path, on=False) as page:
        answer = page.post(b"RIFF")
        assert answer.status_code == 403
        assert "set classify = true in [web]" in answer.json()["error"]
