"""A real Home Assistant, in a tree of its own: made once, started and stopped, asked over HTTP as people's browsers do.

The tree is a release of the distribution, unpacked below the build folder, with the Python that Home Assistant wants
and a locked version of it. Nothing of it is configured but by a file, the form for the first user and the form for the
broker. Knows nothing of Auricle.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from tests.system.debian import mirror

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

RELEASE = "trixie"
"""Its Python, 3.13, is the newest that a released distribution ships; Home Assistant wants no other."""

LOCKED = ("homeassistant==2026.2.3", "paho-mqtt==2.1.0")
BROKER_FORM = ("broker", "port")
UP_WITHIN_S = 60.0
LEAVES_WITHIN_S = 30.0

_PACKAGES = "python3,python3-venv,python3-dev,gcc,libc6-dev,ca-certificates"
_KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
_CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
_LAUNCHER = Path(__file__).with_name("launch.py")
_MADE = ".made"
_CLIENT = "http://127.0.0.1/"
_PERSON = {"name": "Anna", "username": "anna", "password": "never used again", "language": "en"}

Entity = dict[str, Any]


# --- the tree


def make_tree(out: Path) -> Path:
    """Unpack the release once, and the locked Home Assistant again when the lock changed; its folder."""
    tree = out / RELEASE
    stamp = tree / _MADE
    if not stamp.is_file():
        _remove(tree)
        out.mkdir(parents=True, exist_ok=True)
        _run(
            "debootstrap",
            "--variant=minbase",
            f"--include={_PACKAGES}",
            f"--keyring={_KEYRING}",
            RELEASE,
            tree,
            mirror(),
        )
        stamp.touch()
    if stamp.read_text("utf-8") != _lock():
        _install(tree)
        stamp.write_text(_lock(), "utf-8")
    shutil.copyfile(_LAUNCHER, tree / "srv" / _LAUNCHER.name)
    return tree


def _lock() -> str:
    return "\n".join(LOCKED)


def _remove(tree: Path) -> None:
    """What an interrupted `debootstrap` left, but for what it may have mounted there."""
    mounted = [line.split()[1] for line in Path("/proc/mounts").read_text("utf-8").splitlines()]
    for folder in reversed([place for place in mounted if place.startswith(f"{tree}/")]):
        _run("umount", folder)
    shutil.rmtree(tree, ignore_errors=True)


def _install(tree: Path) -> None:
    """Its Python compiles one package; names and certificates are found as on this machine."""
    shutil.copy2(Path(sys.executable).with_name("uv"), tree / "usr" / "local" / "bin" / "uv")
    for path in (Path("/etc/resolv.conf"), _CERTIFICATES):
        shutil.copyfile(path, tree / path.relative_to("/"))
    _run("chroot", tree, "/usr/local/bin/uv", "venv", "--quiet", "--clear", "--python", "/usr/bin/python3", "/opt/ha")
    _run("chroot", tree, "/usr/local/bin/uv", "pip", "install", "--quiet", "--no-cache", *LOCKED, VIRTUAL_ENV="/opt/ha")


def _run(*command: str | Path, **variables: str) -> None:
    environment = {**os.environ, **variables}
    done = subprocess.run(command, check=False, cwd="/", env=environment, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))} failed:\n{done.stdout[-2000:]}{done.stderr[-4000:]}")


# --- what runs in it


class HomeAssistant:
    """One household, with a person who is logged in; use it as a context manager, which ends it.

    Args:
        tree: of `make_tree`.
        name: of its folder in the tree; what lies there from before goes.

    Attributes:
        log_path: what it says.
    """

    def __init__(self, tree: Path, name: str) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._port: int = probe.getsockname()[1]
        self._tree = tree
        self._inside = f"/srv/{name}"
        self._folder = tree / "srv" / name
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir()
        (self._folder / "configuration.yaml").write_text(_configuration(self._port), "utf-8")
        (self._folder / "automations.yaml").write_text("[]", "utf-8")
        self.log_path = self._folder / "printed"
        self._process: subprocess.Popen[bytes] | None = None
        self._refresh_token = self._access_token = ""
        self._ear: Ear | None = None

    def __repr__(self) -> str:
        return f"HomeAssistant({self._folder}, {'up' if self._process else 'down'})"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start it; returns when somebody is logged in, and listens to what changes."""
        command: list[str | Path] = [
            "chroot",
            self._tree,
            "/opt/ha/bin/python",
            f"/srv/{_LAUNCHER.name}",
            "--config",
            self._inside,
        ]
        with self.log_path.open("ab") as log:
            self._process = subprocess.Popen([*command, "--skip-pip"], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self._log_in()
        self._ear = Ear(self._request("GET", "/api/stream?restrict=state_changed,automation_triggered"), self._ear)

    def stop(self) -> None:
        """Ask it to end, as its supervisor does; idempotent."""
        if self._process is None:
            return
        self._process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(LEAVES_WITHIN_S)
        self._process.kill()
        self._process.wait(LEAVES_WITHIN_S)
        self._process = None

    def know_broker(self, port: int) -> None:
        """Fill the form for a broker on this machine."""
        flow = self._ask("POST", "/api/config/config_entries/flow", {"handler": "mqtt"})
        asked = tuple(field["name"] for field in flow["data_schema"] if field.get("required"))
        if asked != BROKER_FORM:
            raise RuntimeError(f"Home Assistant asks for {asked} of a broker, not for {BROKER_FORM}")
        made = self._ask(
            "POST", f"/api/config/config_entries/flow/{flow['flow_id']}", {"broker": "127.0.0.1", "port": port}
        )
        if made["type"] != "create_entry":
            raise RuntimeError(f"Home Assistant does not take the broker: {made}")

    def automate(self, automations: str) -> None:
        """Take these automations, a list in YAML, as its editor would save them."""
        (self._folder / "automations.yaml").write_text(automations, "utf-8")
        self._ask("POST", "/api/services/automation/reload", {})

    # --- what it knows

    def entities(self) -> dict[str, Entity]:
        """Entity id -> entity, of all that there are."""
        return {entity["entity_id"]: entity for entity in self._ask("GET", "/api/states")}

    def entity(self, entity_id: str) -> Entity | None:
        """One; None where there is none."""
        try:
            return self._ask("GET", f"/api/states/{entity_id}")  # type: ignore[no-any-return]
        except urllib.error.HTTPError as error:
            if error.code == 404:
                return None
            raise

    def press(self, entity_id: str) -> None:
        """Press a button."""
        self._ask("POST", "/api/services/button/press", {"entity_id": entity_id})

    @property
    def changes(self) -> list[Entity]:
        """Each state that was taken since the first start, in order; None where an entity went."""
        return [data["new_state"] for kind, data in self._heard() if kind == "state_changed" and data["new_state"]]

    @property
    def automations_run(self) -> list[str]:
        """Names of the automations that ran since the first start, in order."""
        return [data["name"] for kind, data in self._heard() if kind == "automation_triggered"]

    def _heard(self) -> list[tuple[str, Entity]]:
        return list(self._ear.heard) if self._ear is not None else []

    # --- HTTP

    def _log_in(self) -> None:
        deadline_s = time.monotonic() + UP_WITHIN_S
        while True:
            try:
                if not self._refresh_token:
                    self._onboard()
                self._renew()
            except (urllib.error.URLError, OSError) as error:
                self._look_after(error, deadline_s)
            else:
                return
            time.sleep(0.2)

    def _look_after(self, error: Exception, deadline_s: float) -> None:
        assert self._process is not None
        if self._process.poll() is not None or time.monotonic() > deadline_s:
            raise RuntimeError(
                f"Home Assistant did not come up ({error}): {self.log_path.read_text()[-3000:]}"
            ) from error

    def _onboard(self) -> None:
        made = self._ask("POST", "/api/onboarding/users", {"client_id": _CLIENT, **_PERSON})
        form = {"grant_type": "authorization_code", "code": made["auth_code"], "client_id": _CLIENT}
        self._refresh_token = self._token(form)["refresh_token"]

    def _renew(self) -> None:
        form = {"grant_type": "refresh_token", "refresh_token": self._refresh_token, "client_id": _CLIENT}
        self._access_token = self._token(form)["access_token"]

    def _token(self, form: Mapping[str, str]) -> Entity:
        with self._request("POST", "/auth/token", urllib.parse.urlencode(form).encode()) as answer:
            return json.load(answer)  # type: ignore[no-any-return]

    def _ask(self, method: str, path: str, told: Mapping[str, Any] | None = None) -> Any:
        body = None if told is None else json.dumps(told).encode()
        with self._request(method, path, body, **{"Content-Type": "application/json"}) as answer:
            return json.load(answer)

    def _request(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Any:
        if self._access_token:
            headers["Authorization"] = f"Bearer {self._access_token}"
        url = f"http://127.0.0.1:{self._port}{path}"
        asked = urllib.request.Request(url, body, headers, method=method)
        return urllib.request.urlopen(asked, timeout=UP_WITHIN_S)  # noqa: S310 - this machine's own, never a file


class Ear:
    """Hears Home Assistant's own bus, until it ends.

    Args:
        stream: of `/api/stream`.
        before: whose memory goes on.

    Attributes:
        heard: (kind of event, its data) of all that came.
    """

    def __init__(self, stream: Any, before: Ear | None) -> None:
        self.heard: list[tuple[str, Entity]] = [] if before is None else before.heard
        self._stream = stream
        threading.Thread(target=self._hear, name="home-assistant", daemon=True).start()

    def _hear(self) -> None:
        with contextlib.suppress(OSError, ValueError):  # it was stopped
            for line in self._stream:
                told = line.decode().removeprefix("data: ").strip()
                if told.startswith("{"):
                    event = json.loads(told)
                    self.heard.append((event["event_type"], event["data"]))


def _configuration(port: int) -> str:
    lines: Sequence[str] = (
        "http:",
        "  server_host: 127.0.0.1",
        f"  server_port: {port}",
        *(f"{name}:" for name in ("api", "auth", "config", "onboarding", "persistent_notification")),
        "automation: !include automations.yaml",
    )
    return "\n".join([*lines, ""])
