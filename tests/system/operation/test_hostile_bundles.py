"""A bundle that means harm, its hashes made to fit, against a real daemon: at its start, on a reload, and by hand."""

from __future__ import annotations

import re
import shutil
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import soundfile

from tests.device.hearing.network import hostile
from tests.system.running_daemon import AURICLE, RunningDaemon

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

RATE_HZ = 16000
REFUSED_WITHIN_S = 60.0

pytestmark = pytest.mark.system

CASES = pytest.mark.parametrize(("edit", "sentence"), hostile.REPORTED.values(), ids=hostile.REPORTED.keys())


def _config(bundle: Path) -> str:
    return f'[model.tone]\nbundle = "{bundle}"\n[log]\nfile = "auto"\n'


def _tone(folder: Path) -> Path:
    """A tone of 1 kHz that comes and goes, which the sound bundle raises alarms at."""
    seconds = np.arange(12 * RATE_HZ) / RATE_HZ
    loud = np.where((seconds % 12) < 6, 0.5, 0.0) * np.sin(2 * np.pi * 1000 * seconds)
    noise = np.random.default_rng(0).normal(0, 0.001, len(seconds))
    path = folder / "tone.wav"
    soundfile.write(path, (loud + noise).astype(np.float32), RATE_HZ, subtype="PCM_16")
    return path


def _daemon(folder: Path, bundle: Path) -> RunningDaemon:
    command = [str(AURICLE), "listen", "--source", str(_tone(folder)), "--loop", "--speed", "3"]
    return RunningDaemon(folder, {}, _config(bundle), command=command)


def _bad(folder: Path, edit: Callable[[Any], None]) -> Path:
    path = folder / "bad.tflite"
    path.write_bytes(hostile.hostile(hostile.TINY_TONE.read_bytes(), edit))
    return path


@CASES
def test_a_start_with_it_ends_with_one_sentence_and_exit_code_2(
    edit: Callable[[Any], None], sentence: str, private_folder: Path
) -> None:
    with _daemon(private_folder, _bad(private_folder, edit)) as daemon:
        assert daemon.process.wait(REFUSED_WITHIN_S) == 2
    lines = [line for line in daemon.printed().splitlines() if line.startswith("auricle: ")]
    assert len(lines) == 1
    assert sentence.replace("18 tensors", "23 tensors") in lines[0]
    assert "Traceback" not in daemon.printed()


@CASES
def test_verifying_it_by_hand_is_one_sentence_and_exit_code_2(
    edit: Callable[[Any], None], sentence: str, private_folder: Path
) -> None:
    path = _bad(private_folder, edit)
    daemon = _daemon(private_folder, path)
    done = daemon.ask("models", "verify", str(path))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"auricle: {path}: the network")
    assert sentence.replace("18 tensors", "23 tensors") in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.fixture(scope="class")
def listening() -> Iterator[RunningDaemon]:
    """A daemon that hears the tone with the sound bundle."""
    with tempfile.TemporaryDirectory(prefix="auricle-") as name:
        folder = Path(name)
        good = Path(shutil.copy(hostile.TINY_TONE, folder / "good.tflite"))
        with _daemon(folder, good) as daemon:
            daemon.wait_until_it_runs()
            daemon.wait_for({"label": "tone", "phase": "begin"}, within_s=30.0)
            yield daemon


class TestReload:
    """SIGHUP to a daemon that hears: it stays, says why, and the old model goes on."""

    @CASES
    def test_it_is_refused_and_the_old_model_goes_on(
        self, edit: Callable[[Any], None], sentence: str, listening: RunningDaemon
    ) -> None:
        folder = listening.config_path.parent
        listening.configure(_config(_bad(folder, edit)))
        before = len(listening.lines())
        listening.reload()
        told = listening.wait_for({"happening": "reload_refused"}, after=before, within_s=REFUSED_WITHIN_S)
        assert sentence.replace("18 tensors", "23 tensors") in told["detail"]
        assert told["detail"].endswith("what was configured before is kept")
        self._still_hears(listening)

    def test_one_that_is_lawful_and_takes_all_time_and_memory_is_refused_too(self, listening: RunningDaemon) -> None:
        folder = listening.config_path.parent
        listening.configure(_config(_bad(folder, hostile.padded_to_6_gb)))
        before = len(listening.lines())
        listening.reload()
        told = listening.wait_for({"happening": "reload_refused"}, after=before, within_s=REFUSED_WITHIN_S)
        assert "bad.tflite: model tiny-tone: the network cannot be loaded" in told["detail"]
        self._still_hears(listening)

    def test_a_sound_one_is_taken_after_all_of_them(self, listening: RunningDaemon) -> None:
        listening.configure(_config(listening.config_path.parent / "good.tflite"))
        before = len(listening.lines())
        listening.reload()
        listening.wait_for({"happening": "reloaded"}, after=before, within_s=REFUSED_WITHIN_S)
        self._still_hears(listening)

    @staticmethod
    def _still_hears(daemon: RunningDaemon) -> None:
        """Its windows go on being scored, and the tone is heard again."""
        state = daemon.status()
        assert state is not None
        scored, before = state.windows_scored, len(daemon.lines())
        daemon.wait_for({"label": "tone", "phase": "begin"}, after=before, within_s=40.0)
        state = daemon.status()
        assert state is not None
        assert state.windows_scored > scored
        assert daemon.process.poll() is None
        assert "Traceback" not in daemon.printed()


def test_a_stop_does_not_wait_for_a_trial(private_folder: Path) -> None:
    """The child is ended with the daemon, and nothing of it is left."""
    good = private_folder / "good.tflite"
    shutil.copy(hostile.TINY_TONE, good)
    with _daemon(private_folder, good) as daemon:
        daemon.wait_until_it_runs()
        daemon.configure(_config(_bad(private_folder, hostile.long_work)))
        daemon.reload()
        daemon.wait_until(daemon.children, "a trial", 30.0)
        code, took_s = daemon.terminate()
        assert (code, took_s < 5.0) == (0, True)
    time.sleep(0.5)
    assert not re.search("Traceback", daemon.printed())
