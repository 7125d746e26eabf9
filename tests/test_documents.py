"""The documents for users: links lead somewhere, and README shows what its first command prints today."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from device.__main__ import main

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


def _without_blocks(page: Path) -> str:
    return re.sub(r"(?ms)^ *```.*?^ *```$", "", page.read_text(encoding="utf-8"))


def _anchors(page: Path) -> set[str]:
    """Names of headings, as the usual forges make them."""
    headings = re.findall(r"(?m)^#+ (.*)$", _without_blocks(page))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def _links(page: Path) -> Iterator[tuple[Path, str]]:
    """Yield (file, anchor) of every link within the project."""
    for target in re.findall(r"\]\(([^)\s]+)\)", _without_blocks(page)):
        if "://" not in target:
            name, _, anchor = target.partition("#")
            yield (page.parent / name if name else page), anchor


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_to_a_file_and_a_heading(page: Path) -> None:
    broken = [
        f"{file.name}#{anchor}"
        for file, anchor in _links(page)
        if not file.exists() or (anchor and anchor not in _anchors(file))
    ]
    assert broken == []


def test_links_are_found_at_all() -> None:
    assert sum(1 for page in PAGES for _ in _links(page)) > 50


def test_readme_leads_to_every_page() -> None:
    linked = {file.resolve() for file, _ in _links(ROOT / "README.md")}
    assert [page.name for page in PAGES[1:] if page not in linked] == []


def test_readme_begins_with_a_command_and_shows_what_it_prints(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    first_screen = readme.splitlines()[:12]
    assert "    make demo" in first_screen
    shown = re.findall(r"(?s)```text\n(.*?)```", readme)[0]
    assert main(["demo", "--out", str(tmp_path / "demo")]) == 0
    assert capsys.readouterr().out.replace(str(tmp_path), "build").strip() == shown.strip()


USER_PAGES = [page for page in PAGES if page.stem not in ("CONTRIBUTING", "model-runbook", "alarm-path")]
UNCLEAR = re.compile(r"\b(told|befall\w*|look(s|ed)? after|the ways to people|where there is none)\b", re.IGNORECASE)
"""`Told` stood for deciding, writing, publishing and delivering alike; a reader at night needs to know which."""


@pytest.mark.parametrize("page", USER_PAGES, ids=lambda page: page.name)
def test_users_read_which_of_deciding_writing_and_publishing_is_meant(page: Path) -> None:
    prose = re.sub(r"`[^`]*`", "", _without_blocks(page))
    assert [line for line in prose.splitlines() if UNCLEAR.search(line)] == []


WRONG_FILES = (
    'profile = "nursery"\n\n[listen]\nhop = 1',
    'profile = "nursery"\n\n[listen]\nthreads = 1',
    'profile = "nursery"\n\n[listen]\nhop_s = 0.5\n\n[model.cry.label.cry]\non = 1.5',
    'profile = "nursery"\n\n[listen]\nhop_s = 0.5\n\n[model.cry.label.cry]\non = 0.6\noff = 0.7',
    "[listen]\nwiden_up_to = 0",
    '[microphone]\ndevice = "hw:1,0"',
    "[microphone]\nchannel = 0",
    "[microphone]\nrate = 1",
    "[filters]\nhum_hz = 100",
    "[filters]\nhum = 50",
    "[loudness]\nlevel_dbfs = 30",
    "[log]\nmax_mb = 0",
    '[status]\nmetrics_port = "9187"',
    "[model.cry.label.cry]\nsensitivity = 9",
    '[alarms]\nlatch = "sounds"',
    '[alarms]\nquiet_hours = "22-6"',
    '[alarms]\ntime_zone = "Berlin time"',
    '[schedule.cry]\nlog = ["07:00-13:00"]\noff = ["12:30-14:00"]',
    '[schedule.cry]\noff = ["Sat 09:00-11:00"]',
    '[schedule.cry]\notherwise = "quiet"',
    '[schedule.crying]\notherwise = "log"',
    "[journal]\nmax_mb = 1",
    '[mqtt]\nhost = "mqtt://broker"',
    '[mqtt]\npassword = "x"',
    '[mqtt]\ntopic = "auricle/#"',
    "[gpio]\nled = 17\nbuzzer = 17",
    '[self_test]\ndaily_at = "noon"',
    "[microphon]",
    "[mqtt]\ntls = yes",
    'profile = "nursery"\n\n[model.cry.label.cry]\non = 0.8\n\n\n[listen]\nhop_s = 0,5',
)


def test_configuration_shows_what_each_mistake_is_answered_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    answers = []
    for text in WRONG_FILES:
        Path("nursery.toml").write_text(text, encoding="utf-8")
        assert main(["config", "--check", "nursery.toml"]) == 2
        answers += capsys.readouterr().err.splitlines()
    page = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    shown = re.findall(r"(?ms)^\$ auricle config --check nursery.toml   # and so on\n(.*?)^\$ ", page)[0]
    assert answers == shown.splitlines()
