"""A real `auricle web --ward` in its own process, and what a browser of it knows."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tests.system.running_daemon import AURICLE, private
from tests.system.web_process import WebProcess

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import httpx

WITHIN_S = 60.0


class WardPage(WebProcess):
    """The page of a ward.

    Args:
        folder: of its file and its state.
        mqtt: the lines of the table [mqtt].
        name: of the ward.
        options: of its command line.
        environment: of its process, beside that of the tests; None for no more.
    """

    def __init__(
        self,
        folder: Path,
        mqtt: str,
        *,
        name: str = "north",
        options: tuple[str, ...] = (),
        environment: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(folder / f"{name}.toml", private(folder, environment or {}))
        self.config.write_text(f'[mqtt]\n{mqtt}\n[web]\nlisten = "127.0.0.1:{self.port}"\n')
        self._options = options

    def command(self) -> list[str]:
        """What starts it."""
        return [str(AURICLE), "web", "--ward", str(self.config), *self._options]

    def of_accounts(self, *action: str) -> list[str]:
        """The arguments of an action on the accounts of the ward, which a bed of the same name does not share."""
        return ["--ward", str(self.config), *action]


def state_of(browser: httpx.Client) -> dict[str, Any]:
    """What the page knows of the ward."""
    found: dict[str, Any] = browser.get("api/state").json()
    return found


def bed_of(browser: httpx.Client, name: str = "anna") -> dict[str, Any]:
    """What the page knows of a bed; empty if it does not know it."""
    return next((bed for bed in state_of(browser)["beds"] if bed["name"] == name), {})


def moments_of(browser: httpx.Client, most: int) -> list[dict[str, Any]]:
    """So many of the next moments, as a page that is open receives them."""
    found: list[dict[str, Any]] = []
    with browser.stream("GET", "live") as stream:
        for line in stream.iter_lines():
            if line.startswith("data: "):
                found.append(json.loads(line.removeprefix("data: ")))
            if len(found) == most:
                break
    return found
