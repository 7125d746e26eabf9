"""Streams from a real RTSP server, which is killed, hangs and comes back, and a daemon that hears an infant in them."""

from __future__ import annotations

import signal
import socket
import subprocess
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Self
from urllib.parse import quote

import numpy as np
import pytest
import soundfile

from device.config.microphone.microphone_settings import MicrophoneSettings
from device.messages import AudioBlock, NoAudio
from device.runtime.secrets.microphone_login import open_microphone
from tests.programs import program
from tests.system.running_daemon import AURICLE, RunningDaemon, Sounds

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

pytestmark = pytest.mark.system

# Debian's own, which has its package python3-gi.
_PYTHON = "/usr/bin/python3"
_USER, _PASSWORD = "camera", "s3cret/p@ss:w#rd"
_UP_WITHIN_S = 20.0
_LOST_WITHIN_S = 10.0
"""3 s until it is a fault, and a busy machine."""
_STATED_WITHIN_S = 2.0
"""A state every half second, and a busy machine."""
_BACK_WITHIN_S = 20.0
"""5 s of backoff, 3 s of a server that prepares its sound, and a busy machine."""


class RtspServer:
    """GStreamer's RTSP server; a context manager that ends it.

    Args:
        folder: for what it prints.
        sound: WAV that each of its paths plays from its start, once somebody comes.
    """

    def __init__(self, folder: Path, sound: Path) -> None:
        self._folder = folder
        self._sound = sound
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = int(free.getsockname()[1])
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.kill()

    def address(self, path: str) -> str:
        return f"rtsp://127.0.0.1:{self.port}/{path}"

    def start(self) -> None:
        """Start it, and wait until it serves."""
        script = Path(__file__).with_name("rtsp_server.py")
        command = [_PYTHON, str(script), str(self.port), _USER, str(self._sound)]
        printed = (self._folder / "rtsp.out").open("wb")
        with printed:
            self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=printed, stderr=printed)
        assert self._process.stdin is not None
        self._process.stdin.write(_PASSWORD.encode())
        self._process.stdin.close()
        deadline_s = time.monotonic() + _UP_WITHIN_S
        while b"up" not in (text := (self._folder / "rtsp.out").read_bytes()):
            assert time.monotonic() < deadline_s, text
            assert self._process.poll() is None, text
            time.sleep(0.02)

    def signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def kill(self) -> None:
        """End it as in a crash; idempotent."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(_UP_WITHIN_S)
            self._process = None


def _password_file(folder: Path, password: str = _PASSWORD) -> Path:
    path = folder / f"password-{len(password)}"
    path.write_text(f"{password}\n")
    path.chmod(0o600)
    return path


# --- the daemon


def _config(server: RtspServer, password: Path) -> str:
    return f"""
[microphone]
device = "{server.address("aac")}"
username = "{_USER}"
password_file = "{password}"

[alarms]
latch = "off"
"""


def test_a_cry_in_a_stream_is_an_alert_and_a_server_that_hangs_or_dies_is_a_fault_until_it_is_back(
    private_folder: Path,
) -> None:
    """One story, in the order of the night: each of its parts takes seconds of real time."""
    sounds = Sounds(private_folder)
    sound = sounds.write("night.wav", [sounds.room(1.0), sounds.crying(60.0)])
    secrets = private_folder / "secrets"
    secrets.mkdir()
    with RtspServer(private_folder, sound) as server:
        config = _config(server, _password_file(secrets))
        with RunningDaemon(private_folder, {}, config) as daemon:
            daemon.wait_for_a_cry(within_s=_UP_WITHIN_S + _BACK_WITHIN_S)
            command_lines = _command_lines(daemon)
            server.signal(signal.SIGSTOP)
            seen = _wait_for_fault(daemon, 0, begins=True, within_s=_LOST_WITHIN_S)
            assert daemon.events()[-1]["phase"] == "begin"  # nobody says that the crying stopped
            server.signal(signal.SIGCONT)
            seen = _wait_for_fault(daemon, seen, begins=False, within_s=_BACK_WITHIN_S)
            server.kill()
            seen = _wait_for_fault(daemon, seen, begins=True, within_s=_LOST_WITHIN_S)
            daemon.wait_until(lambda: _is_deaf(daemon), "the next state, which says so", _STATED_WITHIN_S)
            told = [daemon.ask(verb).stdout for verb in ("status", "history")]
            server.start()
            seen = _wait_for_fault(daemon, seen, begins=False, within_s=_BACK_WITHIN_S)
            daemon.wait_until(lambda: _heard_again(daemon, seen), "another cry", _BACK_WITHIN_S)
            code, _ = daemon.terminate()
    assert code == 0, daemon
    assert next(event["reason"] for event in daemon.events() if event["phase"] == "end") == "no_audio"
    assert "hears NOTHING: no sound comes from the microphone" in told[0]
    assert "cry" in told[1]
    assert _holders(private_folder, secrets, [*command_lines, *map(str.encode, told)]) == []


def _wait_for_fault(daemon: RunningDaemon, after: int, *, begins: bool, within_s: float) -> int:
    """Wait for the begin or the end of the fault, beyond the first lines of the log; the number of lines up to it."""
    found = daemon.wait_for({"fault": "microphone", "begins": begins}, after=after, within_s=within_s)
    return daemon.lines().index(found) + 1


def _is_deaf(daemon: RunningDaemon) -> bool:
    state = daemon.status()
    return state is not None and not state.hearing


def _heard_again(daemon: RunningDaemon, after: int) -> bool:
    return any(line.get("label") == "cry" and line["phase"] in {"begin", "reopen"} for line in daemon.lines()[after:])


def _holders(folder: Path, secrets: Path, texts: list[bytes]) -> list[str]:
    """What holds the password, as it is or as an address has it: files but the one it comes from, and texts."""
    forms = [_PASSWORD.encode(), quote(_PASSWORD, safe="").encode(), quote(_PASSWORD).encode()]
    files = {
        str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file() and secrets not in path.parents
    }
    assert any("heard.jsonl" in name for name in files)
    assert any("alarms.db" in name for name in files)
    found = files | {f"text {number}": text for number, text in enumerate(texts)}
    return [name for name, content in found.items() if any(form in content for form in forms)]


def _command_lines(daemon: RunningDaemon) -> list[bytes]:
    lines = [Path(f"/proc/{one}/cmdline").read_bytes() for one in (daemon.process.pid, *daemon.children())]
    assert any(b"stream_capture" in line for line in lines)
    return lines


# --- standard input


def test_a_program_that_pipes_sound_is_heard_like_a_microphone_and_its_end_is_an_alarm_and_an_error(
    private_folder: Path,
) -> None:
    sound = Sounds(private_folder).endless_cry()
    command = [program("sox"), str(sound), "-t", "wav", "-"]
    daemon = RunningDaemon(private_folder, {}, "", command=[str(AURICLE), "listen", "--source", "-"])
    piping = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    try:
        assert piping.stdout is not None
        daemon.start(stdin=piping.stdout.fileno())
        piping.stdout.close()
        daemon.wait_for_a_cry(within_s=_UP_WITHIN_S + _BACK_WITHIN_S)
        seen = len(daemon.lines())
        piping.kill()
        assert daemon.process.wait(_BACK_WITHIN_S) == 1
    finally:
        piping.kill()
        piping.wait(_UP_WITHIN_S)
        daemon.kill()
    faults = [line for line in daemon.lines()[seen:] if line["kind"] == "fault" and line["begins"]]
    assert [(line["fault"], line["detail"]) for line in faults] == [("microphone", "standard input has ended")]
    assert [event["reason"] for event in daemon.events() if event["phase"] == "end"][-1] == "no_audio"
    assert daemon.printed().endswith("auricle: the source failed: standard input has ended\n")


# --- what else a server may send


class Hearer:
    """Hears one stream in a thread, for as long as a test wants."""

    def __init__(self, device: str, password: Path | None, **settings: object) -> None:
        username = None if password is None else _USER
        file = None if password is None else str(password)
        self.messages: list[AudioBlock | NoAudio] = []
        chosen = MicrophoneSettings(device=device, username=username, password_file=file, **settings)  # type: ignore[arg-type]
        self._microphone = open_microphone(chosen)
        self._thread = threading.Thread(target=self._hear, name="hearer")
        self._thread.start()

    def close(self) -> None:
        self._microphone.close()
        self._thread.join(10.0)
        assert not self._thread.is_alive()

    def sound(self) -> list[AudioBlock]:
        return [message for message in self.messages if isinstance(message, AudioBlock)]

    def wait_for_sound(self, seconds: float) -> npt.NDArray[np.float32]:
        """Wait for sound, and return the last part of it."""
        deadline_s = time.monotonic() + _BACK_WITHIN_S
        while sum(len(block.samples) / block.sample_rate_hz for block in self.sound()) < seconds + 1.0:
            assert time.monotonic() < deadline_s, self.messages[-1:]
            time.sleep(0.02)
        samples = np.concatenate([block.samples for block in self.sound()])
        return samples[-round(seconds * self.sound()[-1].sample_rate_hz) :]

    def wait_for_reason(self, words: str) -> None:
        deadline_s = time.monotonic() + _BACK_WITHIN_S
        while not any(words in message.reason for message in self.messages if isinstance(message, NoAudio)):
            assert time.monotonic() < deadline_s, self.messages[-1:]
            time.sleep(0.02)

    def _hear(self) -> None:
        for message in self._microphone.blocks():
            self.messages.append(message)


@pytest.fixture(scope="module")
def tone_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RtspServer]:
    """Serves a tone of 1 kHz at -12 dBFS."""
    folder = tmp_path_factory.mktemp("tone")
    at_s = np.arange(60 * 16000) / 16000
    soundfile.write(folder / "tone.wav", 0.25 * np.sin(2 * np.pi * 1000.0 * at_s), 16000, subtype="PCM_16")
    with RtspServer(folder, folder / "tone.wav") as server:
        yield server


def test_every_usual_encoding_is_heard_as_it_was_sent_and_pictures_beside_it_change_nothing(
    tone_server: RtspServer, tmp_path: Path
) -> None:
    password = _password_file(tmp_path)
    rates_hz = {"opus": 48000, "pcm": 44100, "alaw": 8000, "film": 8000}
    heard = {path: Hearer(tone_server.address(path), password) for path in rates_hz}
    try:
        for path, rate_hz in rates_hz.items():
            samples = heard[path].wait_for_sound(1.0)
            assert heard[path].sound()[-1].sample_rate_hz == rate_hz
            spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
            assert abs(int(spectrum.argmax()) - 1000) <= 2, path  # 1 s: a bin is 1 Hz
            assert 0.22 < float(np.sqrt(2.0 * np.mean(samples**2))) < 0.28, path
    finally:
        for one in heard.values():
            one.close()


def test_what_cannot_be_heard_is_one_sentence_each(tone_server: RtspServer, tmp_path: Path) -> None:
    password = _password_file(tmp_path)
    wrong = _password_file(tmp_path, "wrong")
    cases = {
        "sends pictures, but no sound": Hearer(tone_server.address("pictures"), password),
        "refuses the login": Hearer(tone_server.address("pcm"), wrong),
        "refuses the login:": Hearer(tone_server.address("pcm"), None),
        "has nothing at this path": Hearer(tone_server.address("nothing"), password),
        "has no channel 2: it has 1": Hearer(tone_server.address("alaw"), password, channel=1),
        "refuses the connection": Hearer("rtsp://127.0.0.1:9/x", password),
    }
    try:
        for words, hearer in cases.items():
            hearer.wait_for_reason(words)
    finally:
        for hearer in cases.values():
            hearer.close()
    said = [message.reason for one in cases.values() for message in one.messages if isinstance(message, NoAudio)]
    assert not any(_PASSWORD in reason or quote(_PASSWORD, safe="") in reason for reason in said)
