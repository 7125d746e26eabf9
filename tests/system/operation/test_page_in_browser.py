"""A replay's page in a real browser without a network: it draws, its script runs, it requests nothing.

On a phone nothing is cut off, and touch shows what a mouse shows.
"""

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
from tests.system.operation.devtools import QUIET_FLAGS, Tab, opened_tab

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import numpy.typing as npt

RATE_HZ = 16000
PHONE = (390, 844)
LONG_NAME = "n" * 190 + ".wav"
HOSTILE_NAME = "<img src=x onerror=alert(1)> \n\u202e 'the long night in the room of the child' & more of it.wav"
OUTSIDE = """[...document.querySelectorAll("body, body *")]
  .filter((e) => { const box = e.getBoundingClientRect(); return box.right > innerWidth + 0.5 || box.left < -0.5; })
  .map((e) => `${e.tagName} ${e.getAttribute("class")} ${e.textContent.slice(0, 40)}`)"""
TOO_SMALL = """[...document.querySelectorAll("a, button, audio, #stage")]
  .map((e) => [e.textContent.slice(0, 40), e.getBoundingClientRect()])
  .filter(([, box]) => box.width < 44 || box.height < 44).map(([words]) => words)"""
READOUT = "document.getElementById('readout').textContent"
POSITION = "Number(document.getElementById('stage').getAttribute('aria-valuenow'))"


@pytest.fixture(scope="module")
def browser() -> str:
    return program("chromium")


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory, tiny_bundle_path: Path) -> Path:
    """The page of 16 s of noise with a tone from second 5 to 10."""
    folder = tmp_path_factory.mktemp("page")
    soundfile.write(folder / "a <b> & 'night'.wav", _noise_with_a_tone(), RATE_HZ)
    out = folder / "page.html"
    code = main(["replay", "--model", str(tiny_bundle_path), "--report", str(out), str(folder / "a <b> & 'night'.wav")])
    assert code == 0
    return out


def _noise_with_a_tone() -> npt.NDArray[np.float64]:
    """16 s, the tone from second 5 to 10."""
    samples = 1e-3 * np.random.default_rng(0).standard_normal(16 * RATE_HZ)
    samples[5 * RATE_HZ : 10 * RATE_HZ] += 0.3 * np.sin(2 * np.pi * 1000 * np.arange(5 * RATE_HZ) / RATE_HZ)
    return samples


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory, tiny_bundle_path: Path) -> Path:
    """The folder of an index and its pages, of recordings with names that break layouts; one is long and faulty."""
    folder = tmp_path_factory.mktemp("pages")
    (folder / "recordings").mkdir()
    samples = _noise_with_a_tone()
    for name in (LONG_NAME, HOSTILE_NAME):
        soundfile.write(folder / "recordings" / name, samples, RATE_HZ)
    night = np.concatenate([np.tile(samples, 12), np.zeros(20 * RATE_HZ)])
    soundfile.write(folder / "recordings" / "a_night_with_a_dead_microphone_at_its_end.wav", night, RATE_HZ)
    out = folder / "out"
    assert main(["replay", "--model", str(tiny_bundle_path), "--report", str(out), str(folder / "recordings")]) == 0
    return out


@pytest.fixture(scope="module")
def tab(browser: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tab]:
    with opened_tab(browser, tmp_path_factory.mktemp("browser")) as tab:
        yield tab


def _opened(browser: str, page: Path, home: Path, *arguments: str) -> tuple[str, str]:
    """The page as the browser built it, and its complaints; it can resolve no host name."""
    command = [
        browser, *QUIET_FLAGS, "--enable-logging=stderr", f"--user-data-dir={home}",
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


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_cut_on_a_phone(tab: Tab, pages: Path, scheme: str) -> None:
    width, height = PHONE
    tab.look_as(width=width, height=height, is_phone=True, scheme=scheme)
    opened = sorted(pages.glob("*.html"))
    assert len(opened) == 4
    for page in opened:
        tab.open(page)
        assert tab.evaluate("innerWidth") == width
        assert tab.evaluate("document.documentElement.scrollWidth") <= width
        assert tab.evaluate(OUTSIDE) == [], page.name


def test_everything_to_touch_has_room_for_a_finger(tab: Tab, pages: Path) -> None:
    tab.look_as(width=PHONE[0], height=PHONE[1], is_phone=True)
    for page in sorted(pages.glob("*.html")):
        tab.open(page)
        assert tab.evaluate(TOO_SMALL) == [], page.name


def test_a_desk_has_room_for_whole_tables(tab: Tab, pages: Path) -> None:
    tab.look_as(width=1280, height=800)
    for page in sorted(pages.glob("*.html")):
        tab.open(page)
        assert tab.evaluate(OUTSIDE) == [], page.name
        assert tab.evaluate("getComputedStyle(document.querySelector('thead')).display") == "table-header-group"


def _in_the_picture(tab: Tab, share: float) -> tuple[float, float]:
    box = tab.evaluate("(({left, top, width, height}) => [left, top, width, height])(figure.getBoundingClientRect())")
    left, top, width, height = box
    return left + share * width, top + height / 2


def test_a_finger_finds_out_what_a_mouse_does(tab: Tab, page: Path) -> None:
    tab.look_as(width=PHONE[0], height=PHONE[1])
    tab.open(page)
    tab.mouse("mouseMoved", *_in_the_picture(tab, 0.45))
    hovered = tab.evaluate(READOUT)
    assert "tone" in hovered
    assert "decided" in hovered  # the event at that moment, which a mouse reads in its tooltip too

    tab.look_as(width=PHONE[0], height=PHONE[1], is_phone=True)
    tab.open(page)
    place = _in_the_picture(tab, 0.45)
    assert tab.evaluate(READOUT) != hovered
    tab.touch("touchStart", place)
    tab.touch("touchEnd")
    assert tab.evaluate(READOUT) == hovered
    assert tab.evaluate(POSITION) == pytest.approx(0.45 * 16, abs=0.1)


def test_a_finger_drawn_along_the_picture_takes_the_moment_along(tab: Tab, page: Path) -> None:
    tab.look_as(width=PHONE[0], height=PHONE[1], is_phone=True)
    tab.open(page)
    tab.touch("touchStart", _in_the_picture(tab, 0.2))
    seen = []
    for percent in range(25, 85, 5):
        tab.touch("touchMove", _in_the_picture(tab, percent / 100))
        tab.evaluate("new Promise(requestAnimationFrame)")  # moves are handed out once a frame
        seen.append(tab.evaluate(READOUT))
    tab.touch("touchEnd")
    assert len(set(seen)) == len(seen)
    assert tab.evaluate(READOUT) == seen[-1]
    assert tab.evaluate(POSITION) == pytest.approx(0.8 * 16, abs=0.1)
    assert tab.evaluate("document.querySelector('audio').currentTime") == pytest.approx(0.8 * 16, abs=0.1)


def test_nothing_is_said_by_hovering_alone(tab: Tab, pages: Path) -> None:
    tab.look_as(width=PHONE[0], height=PHONE[1], is_phone=True)
    for page in sorted(pages.glob("*.html")):
        tab.open(page)
        assert tab.evaluate("document.querySelectorAll('[title]').length") == 0
