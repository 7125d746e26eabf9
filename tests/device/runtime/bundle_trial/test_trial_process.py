"""A bundle's trial, in a real child process: what is sound passes, and whatever else happens is one sentence here."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from device.errors import BundleError, ServiceError, StoppedError
from device.hearing.bundle.reader import read_bundle
from device.runtime.bundle_trial.trial_child import refuse_slow
from device.runtime.bundle_trial.trial_process import CHILD, Trial, TrialLimits
from device.runtime.model_library import shipped_bundles
from device.runtime.model_loader import read_tried, tried_bundles
from tests.device.hearing.network import hostile

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).resolve().parents[4]
_WITHOUT_CHECK = """
import sys
import device.hearing.bundle.reader as reader
reader.read_graph = reader.check_network = lambda *_: None
from device.runtime.bundle_trial.trial_child import main
sys.exit(main(sys.argv[1:]))
"""
UNCHECKED = (*CHILD[: CHILD.index("-m")], "-c", _WITHOUT_CHECK)
"""A child that leaves out the check of the network's structure: the trial alone must hold."""

QUICK = TrialLimits(wall_s=20.0, cpu_s=1)


def _python(code: str) -> tuple[str, ...]:
    return sys.executable, "-c", code


def _refusal(path: Path, limits: TrialLimits = QUICK, command: tuple[str, ...] = CHILD) -> str:
    with pytest.raises(BundleError) as refused, Trial([path], limits, command=command) as trial:
        trial.result()
    sentence = str(refused.value)
    assert sentence.startswith(str(path))
    assert "\n" not in sentence
    return sentence


def test_sound_bundles_pass_in_one_process_and_are_known_by_their_hash(
    tiny_bundle_path: Path, tiny_low_bundle_path: Path
) -> None:
    paths = [*shipped_bundles().values(), tiny_bundle_path, tiny_low_bundle_path, tiny_bundle_path]
    with Trial(paths) as trial:
        assert trial.result() == {path: read_bundle(path).sha256 for path in paths}


WITHOUT_CHECK = {
    "signature outside its subgraphs": "was ended by SIGSEGV",
    "endless loop": "took more than 1 s of processor time",
    "name not UTF-8": "its trial failed: UnicodeDecodeError",
    "scalar extra output": "its trial failed: IndexError",
    "gigantic fill": "the network cannot be loaded",
    "tensor of 6 GB": "the network cannot be loaded",
}


@pytest.mark.parametrize(("name", "sentence"), WITHOUT_CHECK.items())
def test_what_was_reported_does_not_leave_the_child_even_if_no_check_comes_before(
    name: str, sentence: str, tmp_path: Path
) -> None:
    path = tmp_path / "bad.tflite"
    path.write_bytes(hostile.hostile(hostile.TINY_LOW.read_bytes(), hostile.REPORTED[name][0]))
    assert sentence in _refusal(path, command=UNCHECKED)


@pytest.mark.parametrize(("edit", "sentence"), hostile.REPORTED.values(), ids=hostile.REPORTED.keys())
def test_what_was_reported_is_refused_by_its_structure(
    edit: Callable[[Any], None], sentence: str, tmp_path: Path
) -> None:
    path = tmp_path / "bad.tflite"
    path.write_bytes(hostile.hostile(hostile.TINY_LOW.read_bytes(), edit))
    assert re.search(re.escape(sentence), _refusal(path))


def test_a_network_that_takes_too_long_or_too_much_memory_with_lawful_operations_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bad.tflite"
    path.write_bytes(hostile.hostile(hostile.TINY_LOW.read_bytes(), hostile.long_work))
    assert "took more than 1 s of processor time" in _refusal(path)
    path.write_bytes(hostile.hostile(hostile.TINY_LOW.read_bytes(), hostile.padded_to_6_gb))
    assert "the network cannot be loaded" in _refusal(path)


def test_a_network_slower_than_its_sound_is_refused() -> None:
    refuse_slow(1.9, 2.0)
    with pytest.raises(BundleError, match=r"takes 2\.1 s for a window of 2 s, too long for this machine"):
        refuse_slow(2.1, 2.0)


CHILDREN = {
    "silent": ("import time; time.sleep(60)", "did not end within 0.5 s"),
    "ended by a signal": ("import os; os.kill(os.getpid(), 11)", "was ended by SIGSEGV"),
    "ended": ("raise SystemExit(3)", "ended with exit code 3 and no report"),
    "no JSON": ("print('sound, trust me')", ""),
    "no object": ("print([1])", ""),
    "a hash that is no text": ("print('{\"sha256\": 1}')", ""),
    "neither": ('print(\'{"sha256": ""}\')', ""),
    "half a line": ("print('{\"sha256\": \"ab\"}', end='')", "ended with exit code 0 and no report"),
    "a flood": ("while True: print('x' * 65536)", ""),
}


@pytest.mark.parametrize(("code", "sentence"), CHILDREN.values(), ids=CHILDREN.keys())
def test_whatever_a_child_does_is_a_sentence(code: str, sentence: str, tiny_low_bundle_path: Path) -> None:
    limits = TrialLimits(wall_s=0.5 if "0.5" in sentence else 20.0)
    began_s = time.monotonic()
    with (
        pytest.raises(BundleError, match=sentence or "reported what no trial reports"),
        Trial([tiny_low_bundle_path], limits, command=_python(code)) as trial,
    ):
        trial.result()
    assert time.monotonic() - began_s < 15.0


def test_what_a_child_reports_cannot_move_the_cursor(tiny_low_bundle_path: Path) -> None:
    code = r"""print('{"error": "\\u001b[2Jbad\\n"}')"""
    with pytest.raises(BundleError) as refused, Trial([tiny_low_bundle_path], command=_python(code)) as trial:
        trial.result()
    assert str(refused.value) == "[2Jbad"


def test_a_child_and_what_it_started_are_ended_with_the_trial(tiny_low_bundle_path: Path, tmp_path: Path) -> None:
    told = tmp_path / "pid"
    code = (
        "import subprocess; started = subprocess.Popen(['sleep', '60'])\n"
        f"open({str(told)!r}, 'w').write(str(started.pid)); started.wait()"
    )
    with Trial([tiny_low_bundle_path], command=_python(code)) as trial:
        while not (told.exists() and told.read_text()):
            time.sleep(0.02)
        grandchild = int(told.read_text())
        child = trial._process.pid
    trial.close()
    for _ in range(100):
        if not _runs(grandchild):
            break
        time.sleep(0.05)
    assert not _runs(grandchild)
    assert not _runs(child)


def test_a_child_does_not_outlive_a_parent_that_is_killed(tmp_path: Path) -> None:
    path = tmp_path / "bad.tflite"
    path.write_bytes(hostile.hostile(hostile.TINY_LOW.read_bytes(), hostile.REPORTED["endless loop"][0]))
    code = (
        "import sys; from pathlib import Path\n"
        "from device.runtime.bundle_trial.trial_process import Trial\n"
        "from tests.device.runtime.bundle_trial.test_trial_process import UNCHECKED\n"
        f"trial = Trial([Path({str(path)!r})], command=UNCHECKED)\n"
        "print(trial._process.pid, flush=True)\n"
        "trial.result()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(ROOT)}
    ) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        time.sleep(1.5)  # until it has asked the kernel for that
        assert _runs(child)
        parent.send_signal(signal.SIGKILL)
        parent.wait()
    for _ in range(100):
        if not _runs(child):
            break
        time.sleep(0.05)
    assert not _runs(child)


def test_a_trial_that_nobody_needs_any_more_is_ended_with_its_child(tiny_low_bundle_path: Path) -> None:
    began_s = time.monotonic()
    with (
        pytest.raises(StoppedError),
        Trial(
            [tiny_low_bundle_path],
            command=_python("import time; time.sleep(60)"),
            is_stopped=lambda: time.monotonic() - began_s > 0.5,
        ) as trial,
    ):
        trial.result()
    assert time.monotonic() - began_s < 3.0
    assert trial._process.returncode == -signal.SIGKILL


def _runs(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_bundle_that_is_missing_is_refused_as_by_its_reader(tmp_path: Path) -> None:
    assert (
        _refusal(tmp_path / "none.tflite") == f"{tmp_path / 'none.tflite'}: cannot be read: No such file or directory"
    )


def test_without_a_process_there_is_no_trial(tiny_low_bundle_path: Path) -> None:
    with pytest.raises(ServiceError, match="cannot be tried in a process of their own: No such file"):
        Trial([tiny_low_bundle_path], command=("/no/such/program",))


def test_a_file_that_is_exchanged_after_its_trial_is_not_opened(
    tmp_path: Path, tiny_bundle_path: Path, tiny_low_bundle_path: Path
) -> None:
    path = Path(shutil.copy(tiny_low_bundle_path, tmp_path / "own.tflite"))
    sha256 = tried_bundles([path])[path]
    assert read_tried(path, sha256).name == "tiny-low"
    shutil.copy(tiny_bundle_path, path)
    with pytest.raises(BundleError, match="the file changed while it was tried; try again"):
        read_tried(path, sha256)
