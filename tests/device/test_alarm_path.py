"""The page on an alarm's path: every file that it names exists, and its order is that of the layers."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "alarm-path.md").read_text(encoding="utf-8")
NAMED = re.findall(r"`(device/[\w/]+\.py)`", PAGE)


def test_every_file_on_the_page_exists() -> None:
    assert len(set(NAMED)) > 20
    assert [name for name in NAMED if not (ROOT / name).is_file()] == []


def test_steps_are_numbered_without_a_gap() -> None:
    numbers = [int(number) for number in re.findall(r"^\| (\d+) \|", PAGE, re.MULTILINE)]
    assert numbers == list(range(1, len(numbers) + 1))


def test_every_module_of_alerting_and_delivery_with_a_thread_or_the_machine_is_on_the_page() -> None:
    rooms = [*(ROOT / "device/daemon/alerting").glob("*.py"), *(ROOT / "device/daemon/delivery").glob("*.py")]
    central = [
        path for path in rooms if re.search(r"threading\.Thread\(|machine\.step|self\.machine = ", path.read_text())
    ]
    assert [str(path.relative_to(ROOT)) for path in central if str(path.relative_to(ROOT)) not in NAMED] == []
