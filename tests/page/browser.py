"""The distribution's Chromium, driven by Playwright: phones and desks in light and dark, and what went wrong in them.

Playwright lies in a folder of its own, since nothing else needs it. Knows nothing of Auricle but that a page of it
loads from one address alone.
"""

from __future__ import annotations

import contextlib
import site
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from tests.programs import program

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

WITHIN_S = 15.0
"""From a cause to what a page shows of it, on a busy machine."""

_FLAGS = (
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-component-update",
    "--autoplay-policy=user-gesture-required",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)
_WRAPPER = """#!/bin/sh
exec {nice} -n 10 {chromium} "$@"
"""
"""The browsers run behind the daemon, as they would on other machines."""


@dataclass(frozen=True, slots=True)
class Look:
    """One way to look at a page.

    Attributes:
        screen: phone or desktop.
        scheme: light or dark.
    """

    screen: str
    scheme: str

    def __str__(self) -> str:
        return f"{self.screen}-{self.scheme}"

    @property
    def is_phone(self) -> bool:
        """Whether it has touch and a narrow screen."""
        return self.screen == "phone"

    @property
    def options(self) -> dict[str, Any]:
        """For Playwright's context."""
        size = {"width": 390, "height": 844} if self.is_phone else {"width": 1280, "height": 900}
        touch = {"has_touch": True, "is_mobile": True, "device_scale_factor": 2} if self.is_phone else {}
        return {"viewport": size, "color_scheme": self.scheme, "reduced_motion": "no-preference", **touch}


LOOKS = tuple(Look(screen, scheme) for screen in ("phone", "desktop") for scheme in ("light", "dark"))


@dataclass(slots=True)
class Complaints:
    """What went wrong in all pages of a browser, but for what is expected at the time.

    Attributes:
        hosts: with ports, the only ones that pages may load from.
        requested: addresses.
        elsewhere: those of them at other hosts.
        dialogs: that a script opened; none of ours does.
        said: errors and warnings in the console, scripts that failed, refusals by the content security policy.
        expected: parts of sentences that are no complaint now, as while the page's process is dead.
    """

    hosts: set[str] = field(default_factory=set)
    requested: list[str] = field(default_factory=list)
    elsewhere: list[str] = field(default_factory=list)
    dialogs: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    expected: tuple[str, ...] = ()

    def request(self, address: str) -> None:
        """Take down a request."""
        self.requested.append(address)
        parts = urlsplit(address)
        if parts.scheme not in {"data", "blob", "about"} and parts.netloc not in self.hosts:
            self.elsewhere.append(address)

    def say(self, kind: str, sentence: str) -> None:
        """Take down what the console or the browser says; plain remarks of a script are no complaint."""
        if kind in {"error", "warning", "refused"} and not any(part in sentence for part in self.expected):
            self.said.append(f"{kind}: {sentence}")

    def all(self) -> list[str]:
        """All of them."""
        return [*(f"a request to {address}" for address in self.elsewhere), *self.dialogs, *self.said]

    def clear(self) -> None:
        """Forget them."""
        for each in (self.requested, self.elsewhere, self.dialogs, self.said):
            each.clear()


class Browser:
    """One Chromium; every page of it is watched.

    Args:
        chromium: of Playwright.
        axe: source of the accessibility checker.

    Attributes:
        complaints: of all its pages.
    """

    def __init__(self, chromium: Any, axe: str) -> None:
        self._chromium = chromium
        self._axe = axe
        self.complaints = Complaints()

    def __repr__(self) -> str:
        return f"Browser({self._chromium.version}, {len(self.complaints.requested)} requests)"

    @property
    def version(self) -> str:
        """Of Chromium."""
        return str(self._chromium.version)

    def context(self, look: Look, **options: Any) -> Any:
        """A context of its own cookies; whatever goes wrong in its pages is taken down."""
        context = self._chromium.new_context(**{**look.options, **options})
        context.set_default_timeout(1000.0 * WITHIN_S)
        complaints = self.complaints
        context.on("request", lambda request: complaints.request(request.url))
        context.on("console", lambda message: complaints.say(message.type, message.text))
        context.on("weberror", lambda failed: complaints.say("error", str(failed.error)))
        context.on("dialog", self._dismiss)
        return context

    def faults(self, page: Any, *, without: Sequence[str] = ()) -> list[str]:
        """What axe finds by WCAG 2.0 to 2.2, A and AA, and by its own best practices, but for the rules `without`."""
        if not page.evaluate("typeof axe === 'object'"):
            page.evaluate(self._axe)
        rules = {rule: {"enabled": False} for rule in without}
        found = page.evaluate("rules => axe.run({ rules, resultTypes: ['violations'] })", rules)
        return [
            f"{fault['id']}: {node['target'][0]} {node['html'][:90]}: {' '.join(node['failureSummary'].split())}"
            for fault in found["violations"]
            for node in fault["nodes"]
        ]

    def _dismiss(self, dialog: Any) -> None:
        self.complaints.dialogs.append(f"a dialog: {dialog.message}")
        dialog.dismiss()


@contextlib.contextmanager
def chromium(playwright_at: Path, folder: Path) -> Iterator[Browser]:
    """Start Chromium; it ends with the block.

    Args:
        playwright_at: where Playwright and axe are installed.
        folder: for the script that starts it.
    """
    site.addsitedir(str(playwright_at))  # behind what is installed beside Auricle
    from playwright.sync_api import sync_playwright

    axe = (playwright_at / "axe_playwright_python" / "axe.min.js").read_text("utf-8")
    wrapper = folder / "chromium.sh"
    wrapper.write_text(_WRAPPER.format(nice=program("nice"), chromium=program("chromium")))
    wrapper.chmod(0o755)
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=str(wrapper), args=list(_FLAGS))
        try:
            yield Browser(started, axe)
        finally:
            started.close()
