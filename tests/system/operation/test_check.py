"""`auricle check` with a real sound server and a real broker: its verdicts are those of a person who looks."""

from __future__ import annotations

import io
import re
import signal
import subprocess
import time
import wave
from typing import TYPE_CHECKING

import numpy as np
import pytest

from device.config.settings import MqttSettings
from device.sinks.mqtt.client import Mqtt
from device.sinks.mqtt.ownership import Owner
from device.sinks.payloads import Topics, availability
from device.tools.check import broker_check
from device.tools.check.broker_check import check_broker
from device.tools.check.checklist import CheckedSystem, CheckOptions, check
from tests.programs import program
from tests.system.conftest import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path
    from subprocess import Popen
    from typing import Any, Protocol

    from device.commands import Command
    from device.config.settings import MqttProtocol
    from device.findings import Finding
    from device.sinks.payloads import Message
    from tests.system.conftest import Mosquitto

    class Card(Protocol):
        """The parts of a sound card of `conftest` that these tests use."""

        name: str

        def play(self, path: Path, *, latency_ms: int = 50) -> Popen[bytes]: ...

        def mute(self, *, muted: bool) -> None: ...

        def stop(self) -> None: ...


pytestmark = pytest.mark.system

_RATE_HZ = 16000


def _config(folder: Path, card: Card) -> str:
    path = folder / "anna.toml"
    path.write_text(f'[microphone]\ndevice = "{card.name}"\nsample_rate_hz = {_RATE_HZ}\n')
    return str(path)


def _microphone_line(folder: Path, card: Card) -> tuple[int, str]:
    environment = {"HOME": str(folder), "XDG_RUNTIME_DIR": str(folder)}
    out = io.StringIO()
    code = check(CheckOptions(config=_config(folder, card)), out, CheckedSystem(environment=environment))
    return code, next(line for line in out.getvalue().splitlines() if line.split()[1] == "microphone")


def _play_noise(folder: Path, card: Card, amplitude: float) -> None:
    """Play half a minute of noise."""
    samples = amplitude * np.random.default_rng(3).standard_normal(30 * _RATE_HZ)
    with wave.open(str(folder / "noise.wav"), "wb") as file:
        file.setparams((1, 2, _RATE_HZ, 0, "NONE", ""))
        file.writeframes((np.clip(samples, -1.0, 1.0) * 32767).astype("<i2").tobytes())
    card.play(folder / "noise.wav", latency_ms=1000)  # no pause is put in on a busy machine


def test_a_room_is_heard_at_its_level(pulse: Card, private_folder: Path) -> None:
    _play_noise(private_folder, pulse, 0.05)
    _, line = _microphone_line(private_folder, pulse)
    assert line.startswith("ok"), line
    level = re.search(r"(-[0-9.]+) dBFS, peak", line)
    assert level is not None
    assert float(level[1]) == pytest.approx(20 * np.log10(0.05), abs=0.5)


def test_clipping_is_a_warning(pulse: Card, private_folder: Path) -> None:
    _play_noise(private_folder, pulse, 1.0)
    _, line = _microphone_line(private_folder, pulse)
    assert line.startswith("WARNING"), line
    assert re.search(r" 3[12] % of the samples clipped", line), line  # 100 erfc(1 / sqrt 2)


def test_a_muted_microphone_is_a_failure(pulse: Card, private_folder: Path) -> None:
    _play_noise(private_folder, pulse, 0.05)
    pulse.mute(muted=True)
    code, line = _microphone_line(private_folder, pulse)
    assert code == 1
    assert "no signal, only zeros" in line


def test_a_sound_server_that_is_gone_is_a_failure_with_its_reason(pulse: Card, private_folder: Path) -> None:
    pulse.stop()
    code, line = _microphone_line(private_folder, pulse)
    assert code == 1
    assert line.startswith("FAILURE"), line
    assert "is not heard: " in line


# --- the broker

both = pytest.mark.parametrize("protocol", ["5", "3.1.1"])
_TOPICS = Topics("auricle", "anna")
_PASSWORD = "right-one"  # noqa: S105 - of a broker that lives as long as a test


def _found(broker: Mosquitto, **said: Any) -> Finding:
    return check_broker(MqttSettings(host="127.0.0.1", port=broker.port, **said), "anna", None, {})


def _run(name: str, *arguments: str | Path) -> None:
    subprocess.run([program(name), *arguments], check=True, capture_output=True)


def _with_login(broker: Mosquitto, folder: Path, *rights: str) -> Path:
    """Configure a broker that requires a password; returns the file of that password. No rights mean all rights."""
    _run("mosquitto_passwd", "-b", "-c", folder / "passwords", "auricle", _PASSWORD)
    lines = ["allow_anonymous false", f"password_file {folder / 'passwords'}"]
    if rights:
        (folder / "rights").write_text("\n".join(["user auricle", *rights, ""]))
        (folder / "rights").chmod(0o600)
        lines.append(f"acl_file {folder / 'rights'}")
    broker.kill()
    broker.configure(*lines)
    broker.start()
    return _closed_file(folder / "password", _PASSWORD)


def _closed_file(path: Path, text: str) -> Path:
    path.write_text(text + "\n")
    path.chmod(0o600)
    return path


@both
def test_a_broker_that_takes_what_is_written_is_well_and_nothing_stays_there(
    broker: Mosquitto, protocol: MqttProtocol
) -> None:
    finding = _found(broker, protocol=protocol)
    assert finding.outcome == "ok", finding
    assert "comes back" in finding.summary
    left = "Received DISCONNECT from auricle-anna-check"
    # The broker writes its log late.
    wait_until(lambda: left in broker.log, "the client leaving in order, without a last will")
    retained = subprocess.run(
        [program("mosquitto_sub"), "-p", str(broker.port), "-t", "#", "-W", "1"],
        capture_output=True,
        check=False,
    )
    assert retained.stdout == b""


def test_the_line_is_printed_among_the_others(
    broker: Mosquitto, private_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALSA_CONFIG_PATH", str(private_folder / "none"))
    config = private_folder / "anna.toml"
    config.write_text(f'[mqtt]\nhost = "127.0.0.1"\nport = {broker.port}\n')
    out = io.StringIO()
    check(
        CheckOptions(config=str(config)),
        out,
        CheckedSystem(environment={"HOME": str(private_folder), "XDG_RUNTIME_DIR": str(private_folder)}),
    )
    line = next(line for line in out.getvalue().splitlines() if line.split()[1] == "broker")
    assert re.match(r"ok +broker +127\.0\.0\.1:\d+ lets us in, without TLS", line), line


class _Owes:
    """A daemon that owes nothing."""

    def connected(self) -> Iterable[Message]:
        return [availability(_TOPICS, online=True)]

    def acknowledged(self, key: tuple[str, int]) -> None:
        raise AssertionError(key)

    def commanded(self, command: Command) -> None:
        raise AssertionError(command)


def test_a_check_throws_no_running_daemon_out_and_asks_nothing_of_it(broker: Mosquitto) -> None:
    daemon = Mqtt(
        MqttSettings(host="127.0.0.1", port=broker.port),
        client_id="auricle-anna",
        will=availability(_TOPICS, online=False),
        owner=Owner("device", "run", "host"),
        owner_topic=_TOPICS.owner,
        password=None,
        handler=_Owes(),
        commands=_TOPICS.commands,
    )
    daemon.start()
    try:
        for _ in range(3):
            assert _found(broker).outcome == "ok"
        assert daemon.link.is_up
        assert (daemon.counts.connected, daemon.counts.rejected) == (1, 0)
    finally:
        assert daemon.close(5.0)


@both
def test_a_login_is_told_as_right_or_refused(broker: Mosquitto, private_folder: Path, protocol: MqttProtocol) -> None:
    right = _with_login(broker, private_folder)
    wrong = _closed_file(private_folder / "wrong", "wrong-one")
    finding = _found(broker, protocol=protocol, username="auricle", password_file=str(right))
    assert finding.outcome == "ok", finding
    assert "lets us in as auricle" in finding.summary
    finding = _found(broker, protocol=protocol, username="auricle", password_file=str(wrong))
    assert finding.outcome == "failure"
    assert "refuses the login" in finding.summary
    assert "wrong-one" not in f"{finding}"
    finding = _found(broker, protocol=protocol, username="auricle")
    assert "no password was found" in finding.summary
    assert "credential" in finding.cure


@both
@pytest.mark.parametrize(
    ("rights", "outcomes"),
    [
        (["topic readwrite auricle/anna/#"], {"5": "ok", "3.1.1": "ok"}),
        (["topic readwrite auricle/berta/#"], {"5": "failure", "3.1.1": "failure"}),
        (["topic read auricle/anna/#"], {"5": "failure", "3.1.1": "failure"}),
        (["topic write auricle/anna/#"], {"5": "warning", "3.1.1": "failure"}),
    ],
)
def test_what_a_broker_does_not_allow_is_told_with_what_to_allow(
    broker: Mosquitto,
    private_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    protocol: MqttProtocol,
    rights: list[str],
    outcomes: dict[str, str],
) -> None:
    monkeypatch.setattr(broker_check, "ANSWERS_WITHIN_S", 1.5)
    password = _with_login(broker, private_folder, *rights)
    finding = _found(broker, protocol=protocol, username="auricle", password_file=str(password))
    assert finding.outcome == outcomes[protocol], finding
    assert (finding.outcome == "ok") == (not finding.cure)
    if finding.cure:
        assert "allow auricle to read and write auricle/anna/#" in finding.cure


def test_a_certificate_that_expired_or_is_not_vouched_for_is_told(broker: Mosquitto, private_folder: Path) -> None:
    new_key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
    for name in ("authority", "stranger"):
        made = ("-keyout", private_folder / f"{name}.key", "-out", private_folder / f"{name}.pem")
        _run("openssl", "req", "-x509", *new_key, *made, "-subj", f"/CN={name}", "-days", "90")
    own, authority, stranger = (private_folder / name for name in ("own.ext", "authority.pem", "stranger.pem"))
    own.write_text("subjectAltName=IP:127.0.0.1\n")
    cases = [
        (60, authority, "ok", "its certificate expires on"),
        (2, authority, "warning", "the certificate of the broker at 127.0.0.1:"),
        (2, stranger, "failure", "not vouched for"),
        (0, authority, "failure", "has expired"),
    ]
    for days, trusted, outcome, words in cases:
        request = ("-keyout", private_folder / "own.key", "-out", private_folder / "own.csr")
        _run("openssl", "req", *new_key, *request, "-subj", "/CN=broker")
        signed = ("-CA", authority, "-CAkey", private_folder / "authority.key", "-CAcreateserial", "-extfile", own)
        asked = ("-in", private_folder / "own.csr", "-out", private_folder / "own.pem", "-days", str(days))
        _run("openssl", "x509", "-req", *asked, *signed)
        if days == 0:  # OpenSSL 3.5 refuses a negative number
            time.sleep(1.1)
        broker.kill()
        broker.configure(f"certfile {private_folder / 'own.pem'}", f"keyfile {private_folder / 'own.key'}")
        broker.start()
        finding = _found(broker, tls=True, ca_file=str(trusted))
        assert finding.outcome == outcome, finding
        assert words in finding.summary


def test_a_broker_that_hangs_is_told_in_time(broker: Mosquitto, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(broker_check, "ANSWERS_WITHIN_S", 0.3)
    broker.signal(signal.SIGSTOP)
    finding = _found(broker)
    broker.signal(signal.SIGCONT)
    assert finding.outcome == "failure"
    assert "does not answer" in finding.summary
