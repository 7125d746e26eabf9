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
