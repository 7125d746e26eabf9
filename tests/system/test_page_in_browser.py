"""A replay's page in a real browser without a network: it draws, its script runs, it asks for nothing."""

from __future__ import annotations

import re
import subprocess
from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile
from PIL import Image

from device.__main__ import main
from tests.programs import program

if TYPE_CHECKING:
    from pathlib import Path

RATE_HZ = 16000


@pytest.fixture(scope="module")
def browser() -> str:
    return program("chromium")


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory, tiny_bundle_path: Path) -> Path:
    """The page of 16 s of noise with a tone from second 5 to 10."""
    folder = tmp_path_factory.mktemp("page")
    samples = 1e-3 * np.random.default_rng(0).standard_normal(16 * RATE_HZ)
    samples[5 * RATE_HZ : 10 * RATE_HZ] += 0.3 * np.sin(2 * np.pi * 1000 * np.arange(5 * RATE_HZ) / RATE_HZ)
    soundfile.write(folder / "a <b> & 'night'.wav", samples, RATE_HZ)
    out = folder / "page.html"
    code = main(["replay", "--model", str(tiny_bundle_path), "--report", str(out), str(folder / "a <b> & 'night'.wav")])
    assert code == 0
    return out


def _opened(browser: str, page: Path, home: Path, *arguments: str) -> tuple[str, str]:
    """What the browser made of the page, and what it complained of; every host name is unknown to it."""
    command = [
        browser, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
        "--disable-background-networking", "--disable-component-update", "--disable-sync",
        "--host-resolver-rules=MAP * ~NOTFOUND", "--enable-logging=stderr", f"--user-data-dir={home}",
        "--window-size=1400,1600", "--virtual-time-budget=3000", *arguments, page.as_uri(),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    return done.stdout, done.stderr


def test_the_page_opens_without_a_network_and_complains_of_nothing(browser: str, page: Path, tmp_path: Path) -> None:
    dom, complaints = _opened(browser, page, tmp_path, "--dump-dom")
    assert "tone" in dom
    assert "a &lt;b&gt; &amp; 'night'.wav" in dom
    assert re.search(r"CONSOLE|Refused to|ERR_", complaints) is None, complaints


def test_the_page_shows_a_picture(browser: str, page: Path, tmp_path: Path) -> None:
    _opened(browser, page, tmp_path / "home", f"--screenshot={tmp_path / 'shot.png'}")
    with Image.open(tmp_path / "shot.png") as shot:
        colours = shot.convert("RGB").getcolors(maxcolors=shot.width * shot.height)
    assert colours is not None
    assert len(colours) > 200  # a spectrogram, not a blank sheet or bare text
