"""A real Home Assistant, in a tree of its own: made once, started and stopped, driven over HTTP as by a browser.

The tree is a release of the distribution, unpacked below the build folder, with the Python that Home Assistant wants
and a locked version of it. It is configured by a file, the form for the first user and the form for the broker
alone. Knows nothing of Auricle.
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
ENDS_WITHIN_S = 30.0

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
    """Unpack the release once, and install Home Assistant whenever its locked version changed; returns the folder."""
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
    """Remove what an interrupted `debootstrap` left; what it mounted there is unmounted first."""
    mounted = [line.split()[1] for line in Path("/proc/mounts").read_text("utf-8").splitlines()]
    for folder in reversed([place for place in mounted if place.startswith(f"{tree}/")]):
        _run("umount", folder)
    shutil.rmtree(tree, ignore_errors=True)


def _install(tree: Path) -> None:
    """Install the locked packages; name resolution and certificates are those of this machine."""
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


# --- the server


class HomeAssistant:
    """One Home Assistant with a user who is logged in; a context manager that ends it.

    Args:
        tree: of `make_tree`.
        name: of its folder in the tree; an earlier content is deleted.

    Attributes:
        log_path: its log.
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
        self._stream: EventStream | None = None

    def __repr__(self) -> str:
        return f"HomeAssistant({self._folder}, {'up' if self._process else 'down'})"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start it and subscribe to its events; returns when the user is logged in."""
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
        stream = self._request("GET", "/api/stream?restrict=state_changed,automation_triggered")
        self._stream = EventStream(stream, self._stream)

    def stop(self) -> None:
        """End it as its supervisor does (SIGTERM), or kill it after a while; idempotent."""
        if self._process is None:
            return
        self._process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(ENDS_WITHIN_S)
        self._process.kill()
        self._process.wait(ENDS_WITHIN_S)
        self._process = None

    def know_broker(self, port: int) -> None:
        """Submit the form for a broker on this machine."""
        flow = self._ask("POST", "/api/config/config_entries/flow", {"handler": "mqtt"})
        asked = tuple(field["name"] for field in flow["data_schema"] if field.get("required"))
        if asked != BROKER_FORM:
            raise RuntimeError(f"Home Assistant asks for {asked} of a broker, not for {BROKER_FORM}")
        made = self._ask(
            "POST", f"/api/config/config_entries/flow/{flow['flow_id']}", {"broker": "127.0.0.1", "port": port}
        )
        if made["type"] != "create_entry":
            raise RuntimeError(f"Home Assistant refuses the broker: {made}")

    def automate(self, automations: str) -> None:
        """Use these automations, a list in YAML as its editor saves it."""
        (self._folder / "automations.yaml").write_text(automations, "utf-8")
        self._ask("POST", "/api/services/automation/reload", {})

    # --- its state

    def entities(self) -> dict[str, Entity]:
        """Entity id -> entity, for all entities."""
        return {entity["entity_id"]: entity for entity in self._ask("GET", "/api/states")}

    def entity(self, entity_id: str) -> Entity | None:
        """One entity; None if it does not exist."""
        try:
            return self._ask("GET", f"/api/states/{entity_id}")  # type: ignore[no-any-return]
        except urllib.error.HTTPError as error:
            if error.code == 404:
                return None
            raise

    def press(self, entity_id: str) -> None:
        """Press a button."""
        self._ask("POST", "/api/services/button/press", {"entity_id": entity_id})

    def set_number(self, entity_id: str, value: float) -> None:
        """Set a number."""
        self._ask("POST", "/api/services/number/set_value", {"entity_id": entity_id, "value": value})

    @property
    def changes(self) -> list[Entity]:
        """Each new state of an entity since the first start, in order; removed entities are left out."""
        return [data["new_state"] for kind, data in self._events() if kind == "state_changed" and data["new_state"]]

    @property
    def automations_run(self) -> list[str]:
        """Names of the automations that ran since the first start, in order."""
        return [data["name"] for kind, data in self._events() if kind == "automation_triggered"]

    def _events(self) -> list[tuple[str, Entity]]:
        return list(self._stream.events) if self._stream is not None else []

    # --- HTTP

    def _log_in(self) -> None:
        deadline_s = time.monotonic() + UP_WITHIN_S
        while True:
            try:
                if not self._refresh_token:
                    self._onboard()
                self._renew()
            except (urllib.error.URLError, OSError) as error:
                self._check_is_starting(error, deadline_s)
            else:
                return
            time.sleep(0.2)

    def _check_is_starting(self, error: Exception, deadline_s: float) -> None:
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

    def _ask(self, method: str, path: str, content: Mapping[str, Any] | None = None) -> Any:
        body = None if content is None else json.dumps(content).encode()
        with self._request(method, path, body, **{"Content-Type": "application/json"}) as answer:
            return json.load(answer)

    def _request(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Any:
        if self._access_token:
            headers["Authorization"] = f"Bearer {self._access_token}"
        url = f"http://127.0.0.1:{self._port}{path}"
        request = urllib.request.Request(url, body, headers, method=method)
        return urllib.request.urlopen(request, timeout=UP_WITHIN_S)  # noqa: S310 - this machine's own, never a file


class EventStream:
    """Collects the events of Home Assistant's own bus until it ends.

    Args:
        stream: of `/api/stream`.
        before: the collection to continue; None to begin one.

    Attributes:
        events: (kind of event, its data) of all events so far.
    """

    def __init__(self, stream: Any, before: EventStream | None) -> None:
        self.events: list[tuple[str, Entity]] = [] if before is None else before.events
        self._stream = stream
        threading.Thread(target=self._collect, name="home-assistant", daemon=True).start()

    def _collect(self) -> None:
        with contextlib.suppress(OSError, ValueError):  # it was stopped
            for line in self._stream:
                text = line.decode().removeprefix("data: ").strip()
                if text.startswith("{"):
                    event = json.loads(text)
                    self.events.append((event["event_type"], event["data"]))


def _configuration(port: int) -> str:
    lines: Sequence[str] = (
        "http:",
        "  server_host: 127.0.0.1",
        f"  server_port: {port}",
        *(f"{name}:" for name in ("api", "auth", "config", "onboarding", "persistent_notification")),
        "automation: !include automations.yaml",
    )
    return "\n".join([*lines, ""])
