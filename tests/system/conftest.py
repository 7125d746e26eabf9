"""Real parts for system tests: PulseAudio and JACK as sound cards, an MQTT broker, and the socket of a service manager.

Each has its own folder and socket, so that tests may run in parallel. Only JACK, which shares memory with every other
JACK, is used by one test at a time. The processes of a test inherit its environment, and so capture from its sound
card and no other.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.programs import program

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_UP_WITHIN_S = 20.0
_SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - the folder of JACK's shared memory
# Includes nothing else: the configuration of this machine may load plugins that a Pi does not have.
_ALSA_CONF = """
pcm.{name} {{ type pulse server "unix:{socket}" device "{name}.monitor" fallback ""
    hint {{ show on description "a microphone" }} }}
pcm.default {{ type pulse server "unix:{socket}" device "{name}.monitor" fallback "" }}
"""
# One name for all, and so one JACK at a time: killed servers stay in the machine's table, which holds eight.
_JACK_SERVER = "auricle-test"
_JACK_LOCK = Path(tempfile.gettempdir(), f"auricle-jack-{os.getuid()}.lock")
_JACK_CONF = """
pcm.{name} {{ type jack capture_ports {{ 0 "system:capture_1" }} playback_ports {{ 0 "system:playback_1" }}
    hint {{ show on description "a microphone" }} }}
pcm.default {{ type jack capture_ports {{ 0 "system:capture_1" }} playback_ports {{ 0 "system:playback_1" }} }}
"""


def wait_until(holds: Callable[[], object], what: str, within_s: float = _UP_WITHIN_S) -> None:
    """Wait for something that another process does; the test fails if it does not happen in time."""
    deadline_s = time.monotonic() + within_s
    while not holds():
        if time.monotonic() > deadline_s:
            pytest.fail(f"{what} did not happen within {within_s:g} s")
        time.sleep(0.02)


def _ended(process: subprocess.Popen[bytes] | None) -> None:
    """Kill a process that a test started, whatever its state, and reap it."""
    if process is not None and process.poll() is None:
        process.kill()
        process.wait(timeout=_UP_WITHIN_S)


class PulseCard:
    """A private PulseAudio; its null sink's monitor is PortAudio's ALSA device `name`, and its default device.

    Runs in real time; bit-exact if the played file, the sink and the capture share one rate.

    Args:
        folder: for socket, configuration and log; no other server uses it.
        rate_hz: of the sink; mono, 16 bit.
        name: of the sound card.

    Attributes:
        environment: variables with which a process captures from this card.
    """

    def __init__(self, folder: Path, *, rate_hz: int = 16000, name: str = "fakemic") -> None:
        self.name = name
        self.rate_hz = rate_hz
        self._folder = folder
        self._socket = folder / "native"
        self._server: subprocess.Popen[bytes] | None = None
        self._players: list[subprocess.Popen[bytes]] = []
        conf = folder / "asound.conf"
        conf.write_text(_ALSA_CONF.format(name=name, socket=self._socket))
        self.environment = {"ALSA_CONFIG_PATH": str(conf), "PULSE_SERVER": f"unix:{self._socket}"}

    def __repr__(self) -> str:
        return f"PulseCard({self.name!r}, {self.rate_hz} Hz, {'up' if self._server else 'down'})"

    def start(self) -> None:
        """Start the server with the card plugged in; returns when it answers."""
        home = self._folder / "home"
        home.mkdir(exist_ok=True)
        self._socket.unlink(missing_ok=True)
        command = [
            program("pulseaudio"), "-n", "--daemonize=no", "--exit-idle-time=-1", "--use-pid-file=no",
            "--realtime=no", "--high-priority=no", "--disable-shm=yes",
            "-L", f"module-native-protocol-unix auth-anonymous=1 socket={self._socket}", "-L", " ".join(self._sink()),
        ]  # fmt: skip
        private = {**os.environ, "HOME": str(home), "XDG_RUNTIME_DIR": str(home)}
        with (self._folder / "log").open("ab") as log:
            self._server = subprocess.Popen(command, env=private, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        wait_until(self._answers, "PulseAudio answering")

    def stop(self) -> None:
        """End server and players; idempotent."""
        for player in self._players:
            _ended(player)
        self._players.clear()
        _ended(self._server)
        self._server = None

    kill = stop
    """The server ends as in a crash (SIGKILL)."""

    def freeze(self) -> None:
        """The server hangs (SIGSTOP): it delivers no samples and reports no error."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """The hung server continues; it delivers the samples that waited in a burst."""
        self._signal(signal.SIGCONT)

    def unplug(self) -> None:
        """Pull the card out while the server lives."""
        self._pactl("unload-module", "module-null-sink")

    def plug(self) -> None:
        """Put the card back."""
        self._pactl("load-module", *self._sink())

    def mute(self, *, muted: bool) -> None:
        """Mute the microphone, which then delivers digital zeros, or unmute it."""
        self._pactl("set-source-mute", f"{self.name}.monitor", "1" if muted else "0")

    def play(self, path: Path, *, latency_ms: int = 50) -> subprocess.Popen[bytes]:
        """Start playing a WAV file into the microphone; the server buffers `latency_ms` of it in advance."""
        command = [program("paplay"), f"--device={self.name}", f"--latency-msec={latency_ms}", str(path)]
        player = subprocess.Popen(command, env={**os.environ, **self.environment}, stderr=subprocess.DEVNULL)
        self._players.append(player)
        return player

    def _sink(self) -> list[str]:
        return [
            "module-null-sink", f"sink_name={self.name}", f"rate={self.rate_hz}", "channels=1", "format=s16le",
            "norewinds=1",
        ]  # fmt: skip

    def _signal(self, number: signal.Signals) -> None:
        assert self._server is not None
        self._server.send_signal(number)

    def _answers(self) -> bool:
        asked = [program("pactl"), "get-default-sink"]
        environment = {**os.environ, **self.environment}
        return subprocess.run(asked, env=environment, capture_output=True, check=False, timeout=10).returncode == 0

    def _pactl(self, *arguments: str) -> None:
        environment = {**os.environ, **self.environment}
        subprocess.run([program("pactl"), *arguments], env=environment, capture_output=True, check=True, timeout=10)


class JackCard:
    """A JACK with its dummy driver: it overflows, because it never waits, and blocks its clients when it is killed.

    It is PortAudio's ALSA device `name`, and its default device: PortAudio's JACK backend has no blocking reads.

    Args:
        folder: for configuration and log; no other server uses it.
        rate_hz: of the card; mono.
        period: frames per cycle.
        name: of the sound card.

    Attributes:
        environment: variables with which a process captures from this card.
    """

    def __init__(self, folder: Path, *, rate_hz: int = 16000, period: int = 256, name: str = "jackmic") -> None:
        self.name = name
        self.rate_hz = rate_hz
        self._period = period
        self._folder = folder
        self._server: subprocess.Popen[bytes] | None = None
        conf = folder / "jack.conf"
        conf.write_text(_JACK_CONF.format(name=name))
        self.environment = {
            "ALSA_CONFIG_PATH": str(conf),
            "JACK_DEFAULT_SERVER": _JACK_SERVER,
            "JACK_NO_START_SERVER": "1",
        }

    def __repr__(self) -> str:
        return f"JackCard({_JACK_SERVER!r}, {self.rate_hz} Hz, {'up' if self._server else 'down'})"

    def start(self) -> None:
        """Start the server; returns when it answers."""
        # A lock that a killed client left in JACK's database would keep every later server from starting.
        shutil.rmtree(_SHARED_MEMORY / f"jack_db-{os.getuid()}", ignore_errors=True)
        command = [
            program("jackd"), "-r", "--port-max", "128", "-n", _JACK_SERVER, "-d", "dummy",
            "-r", str(self.rate_hz), "-p", str(self._period), "-C", "1", "-P", "1",
        ]  # fmt: skip
        with (self._folder / "jack.log").open("ab") as log:
            self._server = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        wait_until(self._is_up, "JACK answering")

    def stop(self) -> None:
        """End the server, which removes its shared memory if it ends in order; idempotent."""
        if self._server is not None:
            self._server.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._server.wait(timeout=3.0)
        self.kill()

    def kill(self) -> None:
        """Kill the server (SIGKILL); its clients' `close()` then hangs. Idempotent."""
        _ended(self._server)
        self._server = None
        for left in _SHARED_MEMORY.glob(f"*{_JACK_SERVER}*"):
            with contextlib.suppress(OSError):
                shutil.rmtree(left) if left.is_dir() else left.unlink()

    def _is_up(self) -> bool:
        return any(_SHARED_MEMORY.glob(f"jack_{_JACK_SERVER}_*"))


class Mosquitto:
    """A private MQTT broker on a port of one address; it keeps its port over restarts.

    Args:
        folder: for configuration, log and saved state; no other broker uses it.
        lines: of its configuration, beside its port; anybody may log in unless they forbid it.
        address: at which it listens.

    Attributes:
        port: on which it listens.
    """

    def __init__(self, folder: Path, *lines: str, address: str = "127.0.0.1") -> None:
        self._address = address
        self._family = socket.AF_INET6 if ":" in address else socket.AF_INET
        with socket.socket(self._family) as probe:
            probe.bind((address, 0))
            self.port: int = probe.getsockname()[1]
        self._folder = folder
        self._conf = folder / "mosquitto.conf"
        self._process: subprocess.Popen[bytes] | None = None
        self.configure(*lines)

    def __repr__(self) -> str:
        return f"Mosquitto({self.port}, {'up' if self._process else 'down'})"

    @property
    def log(self) -> str:
        """Its log so far."""
        return (self._folder / "log").read_text(errors="replace")

    def configure(self, *lines: str) -> None:
        """Write other lines of configuration; they apply from the next start on."""
        anybody = () if any(line.startswith("allow_anonymous") for line in lines) else ("allow_anonymous true",)
        # Without per_listener_settings, as there is one listener. Started by root, it would change to another user.
        self._conf.write_text("\n".join(["user root", f"listener {self.port} {self._address}", *anybody, *lines, ""]))

    def start(self) -> None:
        """Start it; returns when it listens."""
        with (self._folder / "log").open("ab") as log:
            command = [program("mosquitto"), "-v", "-c", str(self._conf)]
            self._process = subprocess.Popen(command, cwd=self._folder, stdout=log, stderr=log)
        wait_until(self._listens, "mosquitto listening")

    def kill(self) -> None:
        """Kill it, as in a crash (SIGKILL); idempotent."""
        _ended(self._process)
        self._process = None

    def signal(self, number: signal.Signals) -> None:
        """SIGSTOP: it hangs. SIGCONT: it continues. SIGHUP: it reads passwords and rights again. SIGUSR1: it saves."""
        assert self._process is not None
        self._process.send_signal(number)

    def _listens(self) -> bool:
        if self._process is None or self._process.poll() is not None:
            pytest.fail(f"mosquitto does not run: {self.log}")
        with socket.socket(self._family) as probe:
            probe.settimeout(1.0)
            return probe.connect_ex((self._address, self.port)) == 0


class NotifySocket:
    """The socket on which a service manager receives a daemon's messages (`sd_notify(3)`).

    Attributes:
        environment: variables with which a daemon sends here.
        received: (monotonic seconds, one `NAME=value` line) of all messages, oldest first; `collect` adds to it.
    """

    def __init__(self, folder: Path) -> None:
        path = folder / "notify"
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        self._socket.setblocking(False)
        self.environment = {"NOTIFY_SOCKET": str(path)}
        self.received: list[tuple[float, str]] = []

    def close(self) -> None:
        """Receive no more."""
        self._socket.close()

    def collect(self) -> list[str]:
        """Receive what has arrived; returns all lines so far."""
        with contextlib.suppress(BlockingIOError):
            while True:
                at_s, message = time.monotonic(), self._socket.recv(65536).decode()
                self.received += [(at_s, line) for line in message.splitlines()]
        return [line for _, line in self.received]

    def wait_for(self, line: str, within_s: float = _UP_WITHIN_S) -> None:
        """Wait for a line such as `READY=1`; the test fails if it does not arrive."""
        wait_until(lambda: line in self.collect(), f"the message {line}", within_s)


@pytest.fixture
def private_folder() -> Iterator[Path]:
    """A folder whose path is short enough for a socket's name (108 bytes)."""
    with tempfile.TemporaryDirectory(prefix="auricle-") as folder:
        yield Path(folder)


@pytest.fixture(scope="class")
def folder() -> Iterator[Path]:
    """A folder for the tests of a class, with a path short enough for a socket's name (108 bytes)."""
    with tempfile.TemporaryDirectory(prefix="auricle-") as path:
        yield Path(path)


@pytest.fixture(scope="class")
def card(folder: Path) -> Iterator[PulseCard]:
    """A running PulseAudio for the tests of a class: a sound card of 16 kHz."""
    card = PulseCard(folder)
    try:
        card.start()
        yield card
    finally:
        card.stop()


@pytest.fixture
def broker(private_folder: Path) -> Iterator[Mosquitto]:
    """A running MQTT broker to which anybody may log in."""
    running = Mosquitto(private_folder)
    try:
        running.start()
        yield running
    finally:
        running.kill()


@pytest.fixture
def pulse(private_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[PulseCard]:
    """A running PulseAudio: a sound card of 16 kHz from which this test's processes capture."""
    card = PulseCard(private_folder)
    for name, value in card.environment.items():
        monkeypatch.setenv(name, value)
    try:
        card.start()
        yield card
    finally:
        card.stop()


@pytest.fixture
def jack(private_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[JackCard]:
    """A running JACK: a sound card of 16 kHz from which this test's processes capture; one test at a time has it."""
    card = JackCard(private_folder)
    for name, value in card.environment.items():
        monkeypatch.setenv(name, value)
    with _JACK_LOCK.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            card.start()
            yield card
        finally:
            card.stop()


@pytest.fixture
def notify(private_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[NotifySocket]:
    """The socket of a service manager, to which this test's processes report that they are ready and alive."""
    manager = NotifySocket(private_folder)
    monkeypatch.setenv("NOTIFY_SOCKET", manager.environment["NOTIFY_SOCKET"])
    yield manager
    manager.close()
