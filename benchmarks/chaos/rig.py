"""The daemon, broker and subscriber of one lot, in a folder of their own."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Self

from benchmarks.chaos.judgement import Judgement, judge, life_of
from benchmarks.chaos.subscriber import Ears
from device.alarms.journal.store import look
from device.errors import JournalError
from tests.system.conftest import Mosquitto, NotifySocket, program, wait_until
from tests.system.running_daemon import AURICLE, RunningDaemon, Sounds

if TYPE_CHECKING:
    from collections.abc import Mapping

    from device.alarms.journal.entries import Entry, Key

SPEED = 20
"""Times as fast as real: four alarms begin and end in a second."""

ARRIVES_WITHIN_S = 60.0
"""After all is well again; the longest wait of a client that was refused is 30 s."""

STILL_S = 2.0
"""Of a quiet room, after which no alarm of before changes any more: 40 s at this pace."""


_CONFIG = """
[model.cry.label.cry]
confirm_s = 1.0
confirm_of_s = 1.0
hold_s = 1.0
cooldown_s = 0.0

[log]
file = "off"

[journal]
file = "{journal}"

[self_test]
daily_at = "off"

[mqtt]
host = "127.0.0.1"
port = {port}
{login}
"""


class Rig:
    """A daemon, a broker and a subscriber in a folder of their own; a context manager that ends all of them.

    Args:
        folder: with a short path, for sockets' names.
        sound: what is heard, over and over.
        environment: of the daemon, beside what all have.
        journal: where the daemon keeps it; None for the folder.
        console: the daemon's stdout; None for a file.
    """

    def __init__(
        self,
        folder: Path,
        sound: Path,
        *,
        environment: Mapping[str, str] | None = None,
        journal: Path | None = None,
        console: int | None = None,
    ) -> None:
        self.folder = folder
        self.journal = journal or folder / "journal.db"
        self.kept: dict[Key, Entry] = {}
        self.killed: set[str] = set()
        self.well_utc_s: list[float] = []
        self._console = console
        self._passwords = folder / "passwords"
        self.let_in(daemon=True)
        socket = folder / "people.sock"
        self.broker = Mosquitto(folder, *_broker_lines(folder, socket, self._passwords))
        self.is_broker_up = False
        self.ears = Ears(socket)
        self._ready = NotifySocket(folder)
        self._environment = {**(environment or {}), **self._ready.environment}
        self.daemon = self._hearing(sound)

    def __repr__(self) -> str:
        return f"Rig({self.folder}, {self.ears!r}, {len(self.kept)} kept)"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.daemon.kill()
        self.broker.kill()
        self.ears.ended()
        self._ready.close()

    # --- the daemon

    def _hearing(self, sound: Path) -> RunningDaemon:
        return RunningDaemon(
            self.folder,
            self._environment,
            _CONFIG.format(journal=self.journal, port=self.broker.port, login=_login(self.folder)),
            command=[str(AURICLE), "listen", "--source", str(sound), "--speed", str(SPEED), "--loop"],
        )

    @property
    def is_alive(self) -> bool:
        """Whether a daemon runs."""
        return self.daemon._process is not None and self.daemon.process.poll() is None  # noqa: SLF001 - before its first start too

    def start(self, *, until_it_hears: bool = True) -> None:
        """A new life."""
        self._ready.collect()
        self._ready.received.clear()
        self.daemon.start(self._console)
        if until_it_hears:
            self._ready.wait_for("READY=1", 60.0)

    def kill(self) -> None:
        """Kill -9, and look at what it leaves behind."""
        self.daemon.kill()
        self.look()
        self.killed.update(life_of(alarm_id) for alarm_id, _ in self.kept.keys() | self._arrived())

    def look(self) -> None:
        """Remember what the journal holds now; of a dead daemon's a copy is read, so that nothing is repaired."""
        if self.is_alive:
            self._read(self.journal)
            return
        with tempfile.TemporaryDirectory(dir=self.folder) as aside:
            for file in self.journal.parent.glob(f"{self.journal.name}*"):
                if not file.name.endswith(".ballast"):
                    shutil.copy(file, aside)
            self._read(Path(aside) / self.journal.name)

    def _read(self, path: Path) -> None:
        if path.exists():
            self.kept.update((entry.key, entry) for entry in look(path, 0.0))

    # --- the broker

    def let_in(self, *, daemon: bool) -> None:
        """Whom the broker knows from its next start, or reload, on."""
        self._passwords.unlink(missing_ok=True)
        for name, word in (("people", "people"), ("auricle", "right" if daemon else "another")):
            given = ("-b",) if self._passwords.exists() else ("-b", "-c")
            subprocess.run([sbin("mosquitto_passwd"), *given, self._passwords, name, word], check=True, timeout=20)
        self._passwords.chmod(0o600)

    def broker_up(self) -> None:
        """Start it; the daemon is held still until the subscriber is there, or the broker would throw alarms away."""
        if self.is_broker_up:
            return
        self.hold_still(signal.SIGSTOP)
        self.broker.start()
        self.ears.open()
        self.hold_still(signal.SIGCONT)
        self.is_broker_up = True

    def broker_down(self) -> None:
        """Kill -9."""
        if self.is_broker_up:
            self.broker.kill()
            self.ears.ended()
            self.is_broker_up = False

    def hold_still(self, number: signal.Signals) -> None:
        """SIGSTOP or SIGCONT to the daemon, if there is one."""
        if self.is_alive:
            self.daemon.process.send_signal(number)

    # --- the end of a lot

    def settle(self, within_s: float = ARRIVES_WITHIN_S, *, keeps_all: bool = True) -> Judgement:
        """All is well again: what is owed arrives, a last life hears a quiet room, and all that is kept is judged."""
        self.well_utc_s.append(time.time())
        self.broker_up()
        if not self.is_alive:
            self.start()
        self.leave(within_s)
        self.daemon = self._hearing(Sounds(self.folder).endless_room())  # which decides nothing on its way out
        self.start()
        self.leave(within_s, still_s=STILL_S)
        copies = self.ears.copies
        return judge(self.kept, copies, well_utc_s=self.well_utc_s, killed=self.killed, keeps_all=keeps_all)

    def leave(self, within_s: float = ARRIVES_WITHIN_S, *, still_s: float = 0.0) -> None:
        """What is owed by now arrives, and nothing more comes for a while; then the daemon is told to end.

        Args:
            within_s: is waited for at most.
            still_s: for which nothing may be decided.
        """
        deadline_s = time.monotonic() + within_s
        known, since_s = -1, time.monotonic()
        while time.monotonic() < deadline_s:
            self._look_patiently()
            if len(self.kept) != known:
                known, since_s = len(self.kept), time.monotonic()
            if not self.kept.keys() - self._arrived() and time.monotonic() - since_s >= still_s:
                break
            time.sleep(0.1)
        self.daemon.terminate()
        self.look()

    def _arrived(self) -> set[Key]:
        return {copy.key for copy in tuple(self.ears.copies)}

    def _look_patiently(self) -> None:
        """A journal that is being begun, or taken up, cannot be read for a moment."""
        wait_until(self._can_look, "a journal that can be read", 60.0)

    def _can_look(self) -> bool:
        with contextlib.suppress(JournalError):
            self.look()
            return self.journal.exists()
        return False


def _broker_lines(folder: Path, socket: Path, passwords: Path) -> tuple[str, ...]:
    return (
        "allow_anonymous false",
        f"password_file {passwords}",
        "persistence true",
        f"persistence_location {folder}/",
        "autosave_on_changes true",
        "autosave_interval 1",
        "max_inflight_messages 0",  # so that what is acknowledged to the daemon was sent to the subscriber
        "max_queued_messages 0",
        f"listener 0 {socket}",
    )


def _login(folder: Path) -> str:
    word = folder / "password"
    word.write_text("right\n")
    word.chmod(0o600)
    return f'username = "auricle"\npassword_file = "{word}"'


def sbin(name: str) -> str:
    """Path of a program that may lie in /usr/sbin."""
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin") or program(name)


def crying(folder: Path) -> Path:
    """An infant who cries for three seconds, again and again, with pauses of three to five: a WAV file."""
    sounds = Sounds(folder)
    parts = [sounds.room(1.0)]
    for number in range(10):
        parts += [sounds.crying(3.0), sounds.room(3.0 + 0.2 * number)]
    return sounds.write("crying.wav", parts)
