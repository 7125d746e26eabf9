"""The daemon under test with its journal, the broker and the subscriber of one batch."""

from __future__ import annotations

import contextlib
import shutil
import signal
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Self

from benchmarks.chaos.chaos_broker import DAEMON_NAME, DAEMON_PASSWORD, ChaosBroker
from benchmarks.chaos.judgement import Judgement, id_prefix, judge
from device.alarms.journal.reading import read_history
from device.errors import JournalError
from tests.system.conftest import NotifySocket, wait_until
from tests.system.running_daemon import AURICLE, RunningDaemon, Sounds

if TYPE_CHECKING:
    from collections.abc import Mapping

    from device.alarms.journal.entries import Entry, Key

SPEED = 20
"""Times as fast as real: four alarms begin and end in a second."""

ARRIVES_WITHIN_S = 60.0
"""After the last fault is over; the longest wait of a client that was refused is 30 s."""

STILL_S = 2.0
"""Of a quiet room, after which no earlier alarm changes any more: 40 s at this pace."""


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
    """A daemon, a broker and a subscriber in a folder of their own; a context manager that kills all of them.

    Args:
        folder: with a short path, for sockets' names.
        sound: the recording that the daemon plays in a loop.
        environment: further variables of the daemon.
        journal: path of the daemon's journal; None for one in the folder.
        console: descriptor that becomes the daemon's stdout; None for a file.

    Attributes:
        journalled: all entries that the journal was ever seen to hold.
        killed_ids: prefixes of alarm ids of daemons that were killed.
        recovered_utc_s: when each fault was over.
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
        self.journalled: dict[Key, Entry] = {}
        self.killed_ids: set[str] = set()
        self.recovered_utc_s: list[float] = []
        self._console = console
        self.broker = ChaosBroker(folder)
        self._ready = NotifySocket(folder)
        self._environment = {**(environment or {}), **self._ready.environment}
        self.daemon = self._daemon_playing(sound)

    def __repr__(self) -> str:
        return f"Rig({self.folder}, {self.broker!r}, {len(self.journalled)} journalled)"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.daemon.kill()
        self.broker.kill()
        self._ready.close()

    # --- the daemon

    def _daemon_playing(self, sound: Path) -> RunningDaemon:
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

    def start(self, *, wait_until_ready: bool = True) -> None:
        """Start a daemon; returns when it says that it is ready, if that is to be awaited."""
        self._ready.collect()
        self._ready.received.clear()
        self.daemon.start(self._console)
        if wait_until_ready:
            self._ready.wait_for("READY=1", 60.0)

    def kill(self) -> None:
        """Kill it (SIGKILL) and read the journal that it leaves behind."""
        self.daemon.kill()
        self.read_journal()
        self.killed_ids.update(id_prefix(alarm_id) for alarm_id, _ in self.journalled.keys() | self._received_keys())

    def read_journal(self) -> None:
        """Remember what the journal holds now; a dead daemon's is read from a copy, so that nothing is repaired."""
        if self.is_alive:
            self._read(self.journal)
            return
        with tempfile.TemporaryDirectory(dir=self.folder) as copy_folder:
            for file in self.journal.parent.glob(f"{self.journal.name}*"):
                if not file.name.endswith(".ballast"):
                    shutil.copy(file, copy_folder)
            self._read(Path(copy_folder) / self.journal.name)

    def _read(self, path: Path) -> None:
        if path.exists():
            self.journalled.update((entry.key, entry) for entry in read_history(path, 0.0))

    # --- the broker

    def start_broker(self) -> None:
        """Start it; the daemon is stopped until the subscriber is there, or the broker would discard alarms."""
        if self.broker.is_up:
            return
        self._signal_daemon(signal.SIGSTOP)
        self.broker.start()
        self._signal_daemon(signal.SIGCONT)

    def kill_broker(self) -> None:
        """Kill it (SIGKILL); idempotent."""
        self.broker.kill()

    def _signal_daemon(self, number: signal.Signals) -> None:
        if self.is_alive:
            self.daemon.process.send_signal(number)

    # --- the end of a batch

    def recover_and_judge(self, within_s: float = ARRIVES_WITHIN_S, *, journal_keeps_all: bool = True) -> Judgement:
        """End all faults, wait for what is owed, run a last daemon on a quiet room, and judge the result."""
        self.recovered_utc_s.append(time.time())
        self.start_broker()
        if not self.is_alive:
            self.start()
        self.deliver_and_stop(within_s)
        self.daemon = self._daemon_playing(Sounds(self.folder).endless_room())  # no alarm changes when it stops
        self.start()
        self.deliver_and_stop(within_s, still_s=STILL_S)
        return judge(
            self.journalled,
            self.broker.subscriber.copies,
            recovered_utc_s=self.recovered_utc_s,
            killed_ids=self.killed_ids,
            journal_keeps_all=journal_keeps_all,
        )

    def deliver_and_stop(self, within_s: float = ARRIVES_WITHIN_S, *, still_s: float = 0.0) -> None:
        """Wait until all that is journalled has arrived and nothing new is decided, then stop the daemon (SIGTERM).

        Args:
            within_s: how long to wait at most.
            still_s: how long nothing new may have been journalled.
        """
        deadline_s = time.monotonic() + within_s
        known, since_s = -1, time.monotonic()
        while time.monotonic() < deadline_s:
            self._wait_for_journal()
            if len(self.journalled) != known:
                known, since_s = len(self.journalled), time.monotonic()
            if not self.journalled.keys() - self._received_keys() and time.monotonic() - since_s >= still_s:
                break
            time.sleep(0.1)
        self.daemon.terminate()
        self.read_journal()

    def _received_keys(self) -> set[Key]:
        return {copy.key for copy in tuple(self.broker.subscriber.copies)}

    def _wait_for_journal(self) -> None:
        """Read the journal; one that is being created or recovered cannot be read for a moment."""
        wait_until(self._try_read_journal, "a journal that can be read", 60.0)

    def _try_read_journal(self) -> bool:
        with contextlib.suppress(JournalError):
            self.read_journal()
            return self.journal.exists()
        return False


def _login(folder: Path) -> str:
    password_file = folder / "password"
    password_file.write_text(f"{DAEMON_PASSWORD}\n")
    password_file.chmod(0o600)
    return f'username = "{DAEMON_NAME}"\npassword_file = "{password_file}"'


def write_crying(folder: Path) -> Path:
    """Write a WAV file: an infant cries ten times for three seconds, with pauses of three to five."""
    sounds = Sounds(folder)
    parts = [sounds.room(1.0)]
    for number in range(10):
        parts += [sounds.crying(3.0), sounds.room(3.0 + 0.2 * number)]
    return sounds.write("crying.wav", parts)
