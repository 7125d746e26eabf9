"""The capture process of streams, as a real process, and servers that send it anything."""

from __future__ import annotations

import contextlib
import io
import json
import os
import ssl
import subprocess
import sys
import threading
import time
import types
import wave
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Self, cast

import av
import numpy as np
import pytest

from device.errors import MicrophoneError
from device.sources.capture_process import capture_command
from device.sources.capture_record import ERROR, FRAME, OPENED, OVERFLOWED, Decoder
from device.sources.streams.stream_capture import StreamCapture
from tests.programs import program

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from device.sources.capture_record import CaptureRecord

WITHIN_S = 30.0
RATE_HZ = 16000


def _encoded(container: str, codec: str, seconds: float, *, rate_hz: int = RATE_HZ, first_s: float = 0.0) -> bytes:
    """A tone of 1 kHz, encoded; its time stamps begin at a second."""
    file = io.BytesIO()
    with av.open(file, "w", format=container) as output:
        stream: Any = output.add_stream(codec, rate=rate_hz, layout="mono")
        at_s = np.arange(round(seconds * rate_hz)) / rate_hz
        samples = (8000 * np.sin(2 * np.pi * 1000.0 * at_s)).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(samples[None, :], format="s16", layout="mono")
        frame.sample_rate, frame.pts = rate_hz, round(first_s * rate_hz)
        for part in (frame, None):
            for packet in stream.encode(part):
                output.mux(packet)
    return file.getvalue()


class Server:
    """An HTTP server that answers with what a function writes; `paths` counts who came for what."""

    def __init__(
        self, answer: Callable[[Callable[[bytes], Any]], None], *, status: int = 200, certificate: Path | None = None
    ) -> None:
        self.paths: list[str] = []
        paths = self.paths

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                paths.append(self.path)
                self.send_response(status)
                self.end_headers()
                with contextlib.suppress(OSError):
                    answer(self.wfile.write)

            def log_message(self, *_arguments: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), name="http")
        self._thread.start()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/sound"

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def serve() -> Iterator[Callable[..., Server]]:
    servers: list[Server] = []

    def started(answer: Callable[[Callable[[bytes], Any]], None] | bytes, **options: Any) -> Server:
        content = answer
        servers.append(Server((lambda write: write(content)) if isinstance(content, bytes) else content, **options))
        return servers[-1]

    yield started
    for server in servers:
        server.close()


class Child:
    """The capture process for an address; a context manager that kills it."""

    def __init__(self, address: str, ca_file: Path | None = None) -> None:
        command = capture_command(module="streams.stream_capture")
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment)
        authorities = None if ca_file is None else str(ca_file)
        options = {"address": address, "name": "http://shown/", "channel": None, "ca_file": authorities}
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(options).encode() + b"\n")
        self.process.stdin.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        with self.process:
            self.process.kill()

    def records(self, until: int = ERROR) -> list[CaptureRecord]:
        """What it sends up to a record of this kind, or its end."""
        assert self.process.stdout is not None
        decoder = Decoder()
        records: list[CaptureRecord] = []
        deadline_s = time.monotonic() + WITHIN_S
        while time.monotonic() < deadline_s and (data := os.read(self.process.stdout.fileno(), 1 << 16)):
            records += decoder.push(data)
            if any(record.kind == until for record in records):
                break
        return records


def _records(address: str, until: int = ERROR) -> list[CaptureRecord]:
    with Child(address) as child:
        return child.records(until)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate that vouches for itself, with its key."""
    path = tmp_path_factory.mktemp("tls") / "server.pem"
    names = "subjectAltName=IP:127.0.0.1"
    command = [
        program("openssl"),
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
    ]
    command += ["-keyout", str(path), "-out", str(path.with_suffix(".crt")), "-subj", "/CN=camera", "-addext", names]
    subprocess.run(command, check=True, capture_output=True)
    path.write_bytes(path.read_bytes() + path.with_suffix(".crt").read_bytes())
    return path


def _error(address: str) -> str:
    records = _records(address)
    assert records[-1].kind == ERROR, records[-1:]
    return records[-1].payload.decode()


@pytest.mark.parametrize(
    ("container", "codec"),
    [("adts", "aac"), ("mp3", "libmp3lame"), ("ogg", "libopus"), ("flac", "flac"), ("mpegts", "aac")],
)
def test_sound_over_http_becomes_numbered_frames_of_50_ms(
    serve: Callable[..., Server], container: str, codec: str
) -> None:
    rate_hz = 48000 if codec == "libopus" else RATE_HZ
    server = serve(_encoded(container, codec, 3.0, rate_hz=rate_hz))
    opened, *frames, last = _records(server.address)
    assert json.loads(opened.payload) == {"name": "http://shown/", "sample_rate_hz": rate_hz, "channels": 1}
    assert [record.number for record in frames] == list(range(len(frames)))
    assert {len(record.payload) for record in frames} == {4 * rate_hz // 20}
    assert 2.8 < 0.05 * len(frames) < 3.2
    sound = np.frombuffer(b"".join(record.payload for record in frames), "<f4")[-rate_hz:]
    assert abs(int(np.abs(np.fft.rfft(sound * np.hanning(rate_hz))).argmax()) - 1000) <= 1
    assert "the stream has ended" in last.payload.decode()


def test_time_stamps_that_jump_are_missing_sound(serve: Callable[..., Server]) -> None:
    server = serve(_encoded("mpegts", "aac", 1.0) + _encoded("mpegts", "aac", 1.0, first_s=5.0))
    records = _records(server.address)
    flags = [record.flags for record in records if record.kind == FRAME]
    assert flags.count(OVERFLOWED) == 1


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "sends nothing that can be heard"),
        (b"<html>Not here</html>" * 100, "sends nothing that can be heard"),
        (os.urandom(100_000), "sends nothing that can be heard"),
        (
            b"#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\nhttp://127.0.0.1:1/secret.ts\n",
            "sends nothing that can be heard",
        ),
        (b"ffconcat version 1.0\nfile /etc/passwd\n", "sends nothing that can be heard"),
    ],
    ids=["nothing", "page", "noise", "playlist", "list of files"],
)
def test_what_is_no_sound_is_a_sentence_and_a_list_opens_nothing_else(
    serve: Callable[..., Server], content: bytes, says: str
) -> None:
    assert says in _error(serve(content).address)


@pytest.mark.parametrize(("status", "says"), [(401, "refuses the login"), (404, "has nothing at this path")])
def test_a_servers_refusal_is_a_sentence(serve: Callable[..., Server], status: int, says: str) -> None:
    assert says in _error(serve(b"", status=status).address)


def test_a_certificate_is_verified_and_one_of_your_own_can_be_named(
    serve: Callable[..., Server], certificate: Path
) -> None:
    address = serve(_encoded("adts", "aac", 1.0), certificate=certificate).address.replace("http:", "https:")
    assert "nobody vouches for its certificate" in _error(address)
    with Child(address, certificate) as child:
        assert child.records(OPENED)[0].kind == OPENED


def test_sound_that_changes_its_rate_is_opened_again(serve: Callable[..., Server]) -> None:
    server = serve(_encoded("adts", "aac", 1.0) + _encoded("adts", "aac", 1.0, rate_hz=44100))
    assert "changes its sound, to 44100 Hz" in _error(server.address)


def test_sound_that_cannot_be_decoded_any_more_is_given_up(serve: Callable[..., Server]) -> None:
    def spoilt(write: Callable[[bytes], Any]) -> None:
        sound = _encoded("adts", "aac", 0.5)
        write(sound)
        header = sound[:3] + bytes([sound[3] & 0xFC, 0x20, 0x1F, 0xFC])  # a frame of 256 bytes
        while True:
            write(header + b"\xff" * 249)
            time.sleep(0.01)

    records = _records(serve(spoilt).address)
    assert "sends sound that cannot be decoded, as aac" in records[-1].payload.decode()


def _wav_header() -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setparams((1, 2, RATE_HZ, 1 << 30, "NONE", ""))
    return file.getvalue()[:40] + (1 << 31).to_bytes(4, "little")


def test_a_flood_is_no_live_sound(serve: Callable[..., Server]) -> None:
    def flood(write: Callable[[bytes], Any]) -> None:
        write(_wav_header())
        while True:
            write(bytes(1 << 16))

    assert "is no live sound" in _error(serve(flood).address)


class _Hours:
    """A source of a frame for each ten seconds of its own clock, and this machine's clock."""

    name = "http://camera/"

    def __init__(self, packets: int, fast: float) -> None:
        self._packets = packets
        layout = types.SimpleNamespace(nb_channels=1)
        samples = round(10 * 48_000 * (1 + fast))
        self._frame = types.SimpleNamespace(sample_rate=48_000, samples=samples, layout=layout, pts=None)
        self.now_ns = 0

    def packets(self) -> Iterator[Any]:
        for _ in range(self._packets):
            self.now_ns += 10_000_000_000
            yield None

    def decoded(self, _packet: Any) -> list[Any]:
        return [self._frame]

    def converter(self, _frame: Any) -> Any:
        return types.SimpleNamespace(resample=lambda _: [])


@pytest.mark.parametrize("fast", [-0.001, 0.0001, 0.001])
def test_a_camera_may_have_a_clock_of_its_own(fast: float) -> None:
    """At 100 ppm it had gained 30 s after 3.5 days, and was taken for a recording."""
    hours = _Hours(packets=10 * 8640, fast=fast)
    capture = StreamCapture(cast("Any", hours), None, lambda: hours.now_ns)
    assert [record.kind for record in capture.records()] == [OPENED]


def test_what_comes_one_percent_faster_is_no_live_sound() -> None:
    hours = _Hours(packets=400, fast=0.01)
    with pytest.raises(MicrophoneError, match="is no live sound"):
        list(StreamCapture(cast("Any", hours), None, lambda: hours.now_ns).records())


def test_what_would_fill_the_machine_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """FFmpeg takes memory as a container says; a library that takes it at once stands for its worst."""
    (tmp_path / "av.py").write_text(
        "import types\nlogging = types.SimpleNamespace(set_level=lambda level: None)\n"
        "class FFmpegError(Exception): pass\n"
        "def open(*_, **__): return bytearray(1 << 30)\n"
    )
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    assert "sends more at once than sound can be" in _error("http://127.0.0.1:9/")


def test_a_password_in_the_address_stands_in_no_sentence(serve: Callable[..., Server]) -> None:
    address = serve(b"", status=401).address.replace("//", "//anna:hunter2@")
    assert "hunter2" not in _error(address)


def test_without_pyav_the_sentence_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "av.py").write_text("raise ModuleNotFoundError('av')\n")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    assert "pip install 'auricle[formats]'" in _error("http://127.0.0.1:9/")


def test_it_ends_with_its_parent_while_a_server_says_nothing(serve: Callable[..., Server]) -> None:
    server = serve(lambda _write: time.sleep(WITHIN_S))
    with Child(server.address) as child:
        assert child.process.stdin is not None
        child.process.stdin.close()
        assert child.process.wait(WITHIN_S) == 0


def test_it_opens_at_the_first_frame(serve: Callable[..., Server]) -> None:
    server = serve(_encoded("adts", "aac", 1.0))
    first = _records(server.address, OPENED)[0]
    assert first.kind == OPENED
