"""No sound reaches disk or network unless configured: a known waveform is searched for in all output of the daemon.

An infant cries under seeded noise, so that no two places of the sound are alike, played bit by bit into the
daemon's microphone. strace sees every call by which a process of the daemon writes or sends, and the bytes. The one
pipe by which the capture process hands sound to the daemon may carry it, and what leads to the sound server, its
connection and its shared memory; nothing else, no file left behind and no other shared writable memory, as 16 bit or
float, at any offset. That it was played and heard, and that this search finds it, is shown by the pipe itself.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import signal
import stat
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import numpy as np
import pytest
import soundfile

from tests.programs import program
from tests.system.operation.running_page import RunningPage
from tests.system.running_daemon import AURICLE, CRY_WITHIN_S, RATE_HZ, UP_WITHIN_S, RunningDaemon, Sounds

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

    from tests.system.conftest import Mosquitto, PulseCard

    Int16 = npt.NDArray[np.int16]

pytestmark = pytest.mark.system

SEED = 20250228
NOISE_LEVEL = 300
"""Of 32768: every sample has one of 601 values, chosen by the seed."""

SLOWED_DOWN = 4
"""strace stops each traced call, so that the daemon is several times as slow."""

RUN_SAMPLES = 16
"""This many samples in a row are the sound; by chance they occur once in 10^40 bytes."""

AFTER_S = 3.0
WRITING_CALLS = (
    "write", "writev", "pwrite64", "pwritev", "pwritev2", "sendto", "sendmsg", "sendmmsg", "sendfile", "splice", "tee",
    "vmsplice", "copy_file_range", "process_vm_writev", "io_uring_setup", "msgsnd", "mq_timedsend",
)  # fmt: skip
UNSEEN_CALLS = ("sendfile", "splice", "tee", "vmsplice", "copy_file_range", "process_vm_writev", "io_uring_setup")
"""They move bytes that strace does not show; the daemon does not use them."""

SOUND_SERVERS_MEMORY = "/memfd:pulseaudio (deleted)"
"""Where the sound server passes sound to the capture process: never on disk, shared with no other process."""

CONFIG = """
[microphone]
device = "fakemic"
sample_rate_hz = {rate_hz}

[mqtt]
host = "127.0.0.1"
port = {port}
"""
LISTEN_IN = "[web]\nlisten_in = true\n"
CLIPS = f"""
[clips]
enabled = true
before_s = 2.0
after_s = {AFTER_S}
"""


# --- the waveform


class Needle:
    """A waveform that can be found in any bytes.

    Args:
        samples: int16 (n,).
    """

    def __init__(self, samples: Int16) -> None:
        floats = (samples / np.float32(32768)).astype("<f4")
        self._forms = {"int16": samples.astype("<i2").tobytes(), "float32": floats.tobytes()}
        self._keys = {name: _keys(form, _WIDTHS[name]) for name, form in self._forms.items()}

    def found_in(self, hay: bytes) -> list[str]:
        """The forms in which a run of the waveform occurs in some bytes; empty if it does not occur."""
        return [name for name in self._forms if self._is_in(name, hay)]

    def _is_in(self, name: str, hay: bytes) -> bool:
        """Whether a run of any place of the waveform is at any place; one holds aligned words at every offset."""
        form, keys, length = self._forms[name], self._keys[name], (RUN_SAMPLES - 4) * _WIDTHS[name]
        for offset in range(min(8, max(0, len(hay) - 7))):
            words = np.frombuffer(hay, "<u8", (len(hay) - offset) // 8, offset)
            for start in offset + 8 * np.flatnonzero(_is_among(words, keys)):
                run = hay[start : start + length]
                if len(run) == length and run in form:
                    return True
        return False


_WIDTHS = {"int16": 2, "float32": 4}


def _is_among(words: npt.NDArray[np.uint64], keys: npt.NDArray[np.uint64]) -> npt.NDArray[np.bool_]:
    """Which words are keys; those are sorted already, and `np.isin` would sort them again for each short write."""
    places = np.minimum(np.searchsorted(keys, words), len(keys) - 1)
    return np.asarray(keys[places] == words, np.bool_)


def _keys(form: bytes, width: int) -> npt.NDArray[np.uint64]:
    """Every eight bytes of a waveform that begin with a sample."""
    raw = np.frombuffer(form, np.uint8)
    starts = np.arange(0, len(raw) - 8, width)[:, np.newaxis]
    return np.unique(raw[starts + np.arange(8)].copy().view(np.dtype("<u8")).ravel())


def _crying(sounds: Sounds) -> Int16:
    """Seven seconds of a room with an infant who cries, under noise that only the seed knows: int16 (n,)."""
    sound = np.concatenate([sounds.room(1.0), sounds.crying(6.0)])
    noise = np.random.default_rng(SEED).integers(-NOISE_LEVEL, NOISE_LEVEL + 1, len(sound))
    samples: Int16 = np.clip(np.rint(sound * 32767) + noise, -32768, 32767).astype(np.int16)
    return samples


def test_a_waveform_is_found_at_any_offset_in_either_form_and_not_where_it_is_not() -> None:
    rng = np.random.default_rng(SEED)
    samples = rng.integers(-1000, 1001, 20_000).astype(np.int16)
    needle, other = Needle(samples), rng.integers(0, 256, 100_000).astype(np.uint8).tobytes()
    assert all(needle.found_in(other[:length]) == [] for length in [*range(20), len(other)])
    for offset in range(9):
        start = 1000 + 13 * offset
        part = samples[start : start + RUN_SAMPLES + 4]
        as_float = (part / np.float32(32768)).astype("<f4").tobytes()
        assert needle.found_in(other[: 500 + offset] + part.tobytes() + other) == ["int16"]
        assert needle.found_in(other[: 500 + offset] + as_float + other) == ["float32"]
    assert needle.found_in(np.sort(samples).tobytes()) == []


# --- system calls


@dataclass(slots=True)
class Traced:
    """All bytes that the processes of a daemon wrote and sent.

    Attributes:
        sent: destination -> all bytes that went there, in their order.
        exempt: destinations that may carry sound: the capture pipe, the sound server.
        pipe: the capture pipe.
        unseen: calls whose bytes strace does not show.
    """

    sent: dict[str, bytearray] = field(default_factory=dict)
    exempt: set[str] = field(default_factory=set)
    pipe: str = ""
    unseen: list[str] = field(default_factory=list)

    def others(self) -> Iterator[tuple[str, bytes]]:
        """Destinations that must not carry sound, and the bytes sent there."""
        return ((where, bytes(data)) for where, data in self.sent.items() if where not in self.exempt)


_CALL = re.compile(r"^(?P<process>\d+) +(?P<name>\w+)\((?P<said>.*)$")
_TO = re.compile(r"^(?P<number>\d+)<(?P<where>[^>]*(?:->[^>]*)?)>")
_TEXT = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')


def _bytes_of(text: str) -> bytes:
    return bytes.fromhex(text.replace("\\x", ""))


def _named(where: str) -> str:
    """A destination as strace names it, with its escapes undone."""
    return re.sub(r"\\x([0-9a-f]{2})", lambda found: chr(int(found[1], 16)), where)


def _traced(path: Path, sound_server: Path) -> Traced:
    """Parse the output of strace."""
    found, capture, pipes = Traced(), set[str](), set[str]()
    with path.open(encoding="ascii") as lines:
        for line in lines:
            call = _CALL.match(line)
            if call is None:  # a signal, an end, or the rest of a call whose bytes were shown where it began
                continue
            texts = [_bytes_of(text) for text in _TEXT.findall(call["said"])]
            if call["name"] == "execve" and b"device.sources.capture" in texts:
                capture.add(call["process"])
            to = _TO.match(call["said"])
            where = _named(to["where"]) if to else "nowhere"
            if call["name"] == "connect" and os.fsencode(sound_server) in texts:
                found.exempt.add(where)
            elif call["name"] in UNSEEN_CALLS:
                found.unseen.append(line[:200])
            elif call["name"] in WRITING_CALLS:
                found.sent.setdefault(where, bytearray()).extend(b"".join(texts))
                if call["process"] in capture and where.startswith("pipe:"):
                    pipes.add(where)
    found.pipe = max(pipes, key=lambda pipe: len(found.sent[pipe]), default="")  # the other one carries text
    found.exempt.add(found.pipe)
    return found


def _strace(trace: Path) -> list[str]:
    """The command that runs another one, and writes what it and its children write and send to a file."""
    calls = ",".join([*WRITING_CALLS, "connect", "execve"])
    return [
        program("strace"), "-f", "--seccomp-bpf", "-yy", "-xx", "-s", "100000000", "-e", "signal=none",
        "-e", f"trace={calls}", "-o", str(trace),
    ]  # fmt: skip


def _executed(trace: Path) -> list[int]:
    """Process ids of a traced command and its children, itself first; threads are left out."""
    with trace.open(encoding="ascii") as lines:
        executed = [call["process"] for line in lines if (call := _CALL.match(line)) and call["name"] == "execve"]
    return [int(process) for process in dict.fromkeys(executed)]


# --- the daemon


class Watched:
    """A daemon under strace, what its processes share, and what it leaves behind.

    Args:
        folder: of the test; the daemon's own lies within.
        card: from which it captures.
        config: TOML.
    """

    def __init__(self, folder: Path, card: PulseCard, config: str) -> None:
        self.own = folder / "daemon"
        self.own.mkdir()
        self._trace = folder / "trace"
        private = {"HOME": str(self.own), "TMPDIR": str(self.own), **card.environment}
        self.daemon = RunningDaemon(self.own, private, config, command=[*_strace(self._trace), str(AURICLE), "listen"])
        self._sound_server = Path(card.environment["PULSE_SERVER"].removeprefix("unix:"))
        self.shared: dict[str, set[bytes]] = {}

    def look_at_shared_memory(self) -> None:
        """Read all memory that a process of the daemon can write and something else can read: files that are mapped."""
        for process in self._processes():
            try:
                maps = Path(f"/proc/{process}/maps").read_text().splitlines()
            except OSError:  # it ended meanwhile
                continue
            for line in maps:
                where, rights, *_ = line.split()
                if rights[1] == "w" and rights[3] == "s" and SOUND_SERVERS_MEMORY not in line:
                    self.shared.setdefault(f"{process} {line}", set()).add(_memory(process, where))

    def stop(self) -> Traced:
        """Stop the daemon (SIGTERM); returns its traced calls from the first to the last."""
        os.kill(self._processes()[0], signal.SIGTERM)
        assert self.daemon.process.wait(SLOWED_DOWN * UP_WITHIN_S) == 0
        return _traced(self._trace, self._sound_server)

    def left_behind(self) -> Iterator[tuple[Path, bytes]]:
        """Every file in the daemon's folders."""
        for path in sorted(self.own.rglob("*")):
            if stat.S_ISREG(path.lstat().st_mode):
                yield path, path.read_bytes()

    def _processes(self) -> list[int]:
        return _executed(self._trace)


def _memory(process: int, where: str) -> bytes:
    begin, end = (int(address, 16) for address in where.split("-"))
    try:
        with Path(f"/proc/{process}/mem").open("rb", buffering=0) as memory:
            memory.seek(begin)
            return memory.read(end - begin)
    except OSError:  # a device's, or gone meanwhile
        return b""


def _decoded(data: bytes) -> bytes:
    """The samples of a sound file in 16 bits; empty if it is none."""
    try:
        samples, _ = soundfile.read(io.BytesIO(data), dtype="int16")
    except soundfile.LibsndfileError:
        return b""
    decoded: bytes = samples.tobytes()
    return decoded


def _heard(watched: Watched, card: PulseCard, sound: Path) -> Traced:
    """Play the sound, wait for its alert and what follows, and end the daemon."""
    watched.daemon.wait_until_it_captures()
    player = card.play(sound)
    watched.daemon.wait_for_a_cry(within_s=SLOWED_DOWN * CRY_WITHIN_S)
    ends_s = time.monotonic() + soundfile.info(sound).duration + AFTER_S
    while player.poll() is None or time.monotonic() < ends_s:
        watched.look_at_shared_memory()
        time.sleep(0.2)
    return watched.stop()


@pytest.fixture
def needle_and_sound(private_folder: Path) -> tuple[Needle, Path]:
    """The waveform, and the file that is played."""
    samples = _crying(Sounds(private_folder))
    path = private_folder / "known.wav"
    soundfile.write(path, samples, RATE_HZ, subtype="PCM_16")
    return Needle(samples), path


def _assert_was_heard(traced: Traced, needle: Needle) -> None:
    """The capture pipe carried the waveform: it was played, and the search finds it there."""
    assert traced.pipe
    assert needle.found_in(bytes(traced.sent[traced.pipe])) == ["float32"]
    assert traced.unseen == []


def test_by_default_no_sound_reaches_disk_network_or_shared_memory(
    private_folder: Path, pulse: PulseCard, broker: Mosquitto, needle_and_sound: tuple[Needle, Path]
) -> None:
    needle, sound = needle_and_sound
    watched = Watched(private_folder, pulse, CONFIG.format(rate_hz=RATE_HZ, port=broker.port))
    with watched.daemon:
        traced = _heard(watched, pulse, sound)
    _assert_was_heard(traced, needle)
    assert {where: found for where, data in traced.others() if (found := needle.found_in(data))} == {}
    shared = {where: b"".join(looks) for where, looks in watched.shared.items()}
    assert {where: found for where, data in shared.items() if (found := needle.found_in(data))} == {}
    left = list(watched.left_behind())
    assert any(path.name == "heard.jsonl" for path, _ in left)
    assert [path for path, data in left if needle.found_in(data) or _decoded(data)] == []


def test_a_clip_that_was_asked_for_is_found_on_disk_and_nowhere_else(
    private_folder: Path, pulse: PulseCard, broker: Mosquitto, needle_and_sound: tuple[Needle, Path]
) -> None:
    needle, sound = needle_and_sound
    watched = Watched(private_folder, pulse, CONFIG.format(rate_hz=RATE_HZ, port=broker.port) + CLIPS)
    with watched.daemon:
        traced = _heard(watched, pulse, sound)
    _assert_was_heard(traced, needle)
    clips = [path for path, data in watched.left_behind() if needle.found_in(_decoded(data))]
    assert clips
    assert {path.suffix for path in clips} == {".flac"}
    sockets = {where: data for where, data in traced.others() if not where.startswith(("/", "pipe:"))}
    assert {where: found for where, data in sockets.items() if (found := needle.found_in(data))} == {}


# --- the page


class WatchedPage(RunningPage):
    """The page of a watched daemon, under strace itself.

    Args:
        folder: for the trace.
        daemon: whose page it is.
    """

    def __init__(self, folder: Path, daemon: RunningDaemon) -> None:
        self._trace = folder / "page-trace"
        super().__init__(daemon, _strace(self._trace))

    def stop(self) -> Traced:
        """Stop it (SIGTERM); returns its traced calls."""
        os.kill(_executed(self._trace)[0], signal.SIGTERM)
        self.process.wait(SLOWED_DOWN * UP_WITHIN_S)
        return _traced(self._trace, self._trace)

    def kill(self) -> None:
        """End what is traced: without its tracer it would go on."""
        if self._trace.exists() and self.process.poll() is None:
            self.stop()


def _looked_at(page: WatchedPage, watched: Watched, card: PulseCard, sound: Path) -> tuple[Traced, Traced, bytes]:
    """Play the sound while the page is open and somebody asks to listen; what daemon and page wrote, and the answer."""
    browser = page.logged_in("anna", page.new_password("anna", "--listen-in"))
    listened = bytearray()
    with ThreadPoolExecutor(2) as pool:
        looking = pool.submit(_look, browser)
        listening = pool.submit(_listen, browser, listened)
        of_daemon = _heard(watched, card, sound)
        listening.result(UP_WITHIN_S)
        of_page = page.stop()
        looking.result(UP_WITHIN_S)
    return of_daemon, of_page, bytes(listened)


def _by_kind(*traces: Traced) -> dict[str, bytes]:
    """Kind of destination, as `TCP`, or path of a file -> all bytes; of sockets there are hundreds, all short."""
    found: dict[str, bytearray] = {}
    for where, data in (each for traced in traces for each in traced.others()):
        found.setdefault(where.partition(":")[0], bytearray()).extend(data)
    return {kind: bytes(data) for kind, data in found.items()}


def _look(browser: httpx.Client) -> None:
    """Have the page open, as a phone at the bed."""
    with contextlib.suppress(httpx.HTTPError), browser.stream("GET", "live") as answer:
        for _ in answer.iter_raw():
            pass


def _listen(browser: httpx.Client, listened: bytearray) -> None:
    with contextlib.suppress(httpx.HTTPError), browser.stream("GET", "api/sound") as answer:
        for piece in answer.iter_raw():
            listened += piece


@pytest.mark.timeout(900)  # two processes are traced, and the machine may be busy
@pytest.mark.parametrize("listens_in", [False, True])
def test_the_page_lets_sound_out_only_to_who_listens_in_where_that_is_on_and_writes_none(
    private_folder: Path,
    pulse: PulseCard,
    broker: Mosquitto,
    needle_and_sound: tuple[Needle, Path],
    listens_in: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    needle, sound = needle_and_sound
    config = CONFIG.format(rate_hz=RATE_HZ, port=broker.port)
    watched = Watched(private_folder, pulse, config + LISTEN_IN * listens_in)
    with watched.daemon:
        watched.daemon.wait_until_it_captures()
        with WatchedPage(private_folder, watched.daemon) as page:
            of_daemon, of_page, listened = _looked_at(page, watched, pulse, sound)
    _assert_was_heard(of_daemon, needle)
    carried = sorted(kind for kind, data in _by_kind(of_daemon, of_page).items() if needle.found_in(data))
    assert carried == (["TCP", "UNIX-STREAM"] if listens_in else [])
    assert of_page.sent
    assert bool(needle.found_in(listened)) == listens_in
    assert [path for path, data in watched.left_behind() if needle.found_in(data) or _decoded(data)] == []
