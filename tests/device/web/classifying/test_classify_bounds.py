"""A recording that takes longer to hear than is allowed: by the clock, and by the processor time of its process."""

from __future__ import annotations

import io
import resource
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile

from device.sources.decoding.section import MOST_COPIED_BYTES
from tests.device.web.classifying.classify_page import SOON_S, Page, until

if TYPE_CHECKING:
    from socket import socket

RATE_HZ = 8000
HOUR_S = 3600
WITHIN_S = 5
LONG_S = 600
MODELS = "?model=cry&model=scream&model=lung"


@pytest.fixture(scope="module")
def hour() -> bytes:
    """An hour of noise, which three models hear in far more than five seconds."""
    return _noise(HOUR_S)


def test_what_takes_longer_than_is_allowed_is_one_sentence_and_its_process_ends(
    tmp_path: Path, tiny_bundle_path: Path, hour: bytes
) -> None:
    began_s = time.monotonic()
    with Page(tmp_path, tiny_bundle_path, bounds=_bounds(WITHIN_S)) as page:
        with page.send_head(len(hour), MODELS) as connection:
            connection.sendall(hour)
            (child,) = until(page.children, "no process hears it")
            assert page.client.get("/login").status_code == 200
            answer = _whole(connection)
        assert time.monotonic() - began_s >= WITHIN_S
        assert answer.startswith(b"HTTP/1.1 503 ")
        assert b"it was not heard within 5 s: send a shorter one, or raise classify_within_s in [web]" in answer
        _is_over(page, child)


def test_the_kernel_ends_a_process_that_takes_more_processor_time_than_is_allowed(
    tmp_path: Path, tiny_bundle_path: Path, hour: bytes
) -> None:
    with Page(tmp_path, tiny_bundle_path, bounds=_bounds(LONG_S)) as page:
        with page.send_head(len(hour), MODELS) as connection:
            connection.sendall(hour)
            (child,) = until(page.children, "no process hears it")
            allowed = (LONG_S, LONG_S + 1)
            until(lambda: resource.prlimit(child, resource.RLIMIT_CPU) == allowed, "its processor time is not bounded")
            resource.prlimit(child, resource.RLIMIT_CPU, (1, 2))  # a test has no ten minutes
            answer = _whole(connection)
        assert answer.startswith(b"HTTP/1.1 503 ")
        assert b"hearing it took too much processor time; send a shorter recording" in answer
        _is_over(page, child)


def test_a_part_of_a_file_is_copied_where_no_file_may_be_opened_for_writing(
    tmp_path: Path, tiny_bundle_path: Path
) -> None:
    """Copies into memory were refused by the bound on files, and what was longer by the ban on callbacks."""
    folder = tmp_path / "sounds"
    folder.mkdir()
    noise = np.random.default_rng(0).integers(-(2**15), 2**15, 5_000_000, dtype=np.int16)
    soundfile.write(folder / "short.ogg", noise[: 5 * RATE_HZ], RATE_HZ)
    soundfile.write(folder / "long.wav", np.tile(noise, 14), 192_000, subtype="MS_ADPCM")
    killed = bytearray((folder / "long.wav").read_bytes())
    at = killed.index(b"data") + 4
    killed[4:8] = killed[at : at + 4] = bytes(4)
    assert len(killed) > MOST_COPIED_BYTES
    bounds = "classify_max_mb = 50\nclassify_max_s = 600"
    with Page(tmp_path, tiny_bundle_path, bounds=bounds) as page:
        for recording, duration_s in ((2 * (folder / "short.ogg").read_bytes(), 10.0), (bytes(killed), 7e7 / 192_000)):
            answer = page.post(recording)
            assert answer.status_code == 200, answer.text
            assert answer.json()["duration_s"] == pytest.approx(duration_s, abs=0.1)
            assert answer.json()["error"] is None
        until(page.is_clean, "something of it is left")


def _bounds(within_s: int) -> str:
    return f"classify_max_s = {HOUR_S}\nclassify_within_s = {within_s}"


def _noise(duration_s: int) -> bytes:
    second = np.random.default_rng(0).integers(-300, 300, RATE_HZ, dtype=np.int16)
    wav = io.BytesIO()
    soundfile.write(wav, np.tile(second, duration_s), RATE_HZ, format="WAV")
    return wav.getvalue()


def _whole(connection: socket) -> bytes:
    """The answer, to the end of its JSON."""
    connection.settimeout(SOON_S)
    answer = b""
    while not answer.rstrip().endswith(b"}"):
        piece = connection.recv(65536)
        assert piece, answer
        answer += piece
    return answer


def _is_over(page: Page, child: int) -> None:
    until(page.is_clean, "something of it is left")
    assert not Path(f"/proc/{child}").exists()
    assert page.client.get("/api/clips").json() == {"is_on": False, "clips": []}
