"""`auricle check` and a real sound server: what a microphone gives is judged as a person would."""

from __future__ import annotations

import io
import re
import wave
from typing import TYPE_CHECKING

import numpy as np
import pytest

from device.upkeep.check.run import Order, Surroundings, check

if TYPE_CHECKING:
    from pathlib import Path
    from subprocess import Popen
    from typing import Protocol

    class Card(Protocol):
        """A sound card of `conftest`, as far as these tests need it."""

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
    code = check(Order(config=_config(folder, card)), out, Surroundings(environment=environment))
    return code, next(line for line in out.getvalue().splitlines() if line.split()[1] == "microphone")


def _play_noise(folder: Path, card: Card, amplitude: float) -> None:
    """Half a minute of it."""
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
