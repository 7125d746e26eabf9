"""`auricle models install`, with a real daemon: what it takes runs, what it cannot stand is taken back."""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import os
import shutil
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from device.__main__ import main
from device.errors import ServiceError
from device.hearing.bundle.reader import read_bundle
from device.hearing.bundle.reference import WINDOWS, Reference, in_bytes
from device.hearing.bundle.writer import write_bundle
from device.hearing.classifier import case_features
from device.tools.models.bundle_swap import BundleSwap
from tests.device.tools.models.installing_bedside import Bedside
from tests.signing_keys import write_key_pair

if TYPE_CHECKING:
    from collections.abc import Iterator

SHIPPED = Path(__file__).resolve().parents[3] / "data" / "tiny-tone.tflite"


@pytest.fixture(scope="module")
def bedside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bedside]:
    made = Bedside(tmp_path_factory.mktemp("bedside"), {"tone": SHIPPED})
    with made.daemon as daemon:
        daemon.wait_until_it_runs()
        yield made


def test_a_new_model_is_taken_without_a_restart_and_noted_in_log_and_journal(bedside: Bedside) -> None:
    before, file = bedside.state(), bedside.update("tone", "1.1.0")
    code, out, err = bedside.install(file)
    assert (code, err) == (0, "")
    assert [line.split(":")[0] for line in out.splitlines()] == [
        "verified",
        "in its place",
        "the daemon runs it",
        "the daemon ran it for 3 s; the old one is let go",
    ]
    after = bedside.state()
    assert (after.pid, after.started_utc_s, after.reloads) == (before.pid, before.started_utc_s, before.reloads + 1)
    assert after.models == ("tone 1.1.0",)
    sha256 = read_bundle(file).sha256
    assert after.bundles == (sha256,)
    assert bedside.target("tone").read_bytes() == file.read_bytes()
    assert not list(bedside.folder.glob(".tone*"))
    noted = f"tiny-tone 1.1.0 ({sha256[:12]}) was installed"
    assert any(line.get("detail", "").endswith(f"asks for a reload: {noted}") for line in bedside.daemon.lines())
    with contextlib.closing(sqlite3.connect(f"file:{bedside.folder / 'alarms.db'}?mode=ro", uri=True)) as journal:
        ((value,),) = journal.execute("SELECT value FROM notes WHERE key = 'model_update'").fetchall()
    assert value.endswith(noted)


def test_the_same_model_again_changes_nothing(bedside: Bedside) -> None:
    reloads = bedside.state().reloads
    shutil.copy(bedside.target("tone"), bedside.folder / "again.tflite")
    code, out, _ = bedside.install(bedside.folder / "again.tflite")
    assert code == 0
    assert out.endswith(f"{bedside.target('tone')} is this bundle already\n")
    assert bedside.state().reloads == reloads


def test_a_model_that_fails_its_golden_vectors_in_the_daemon_is_taken_back(bedside: Bedside) -> None:
    before, running = bedside.target("tone").read_bytes(), bedside.state().bundles
    code, _, err = bedside.install(bedside.update("tone", "2.0.0"))
    assert code == 2
    assert "was installed and taken back, the one before is in its place: the daemon refused it: " in err
    assert "golden case" in err
    assert err.count("\n") == 1
    assert bedside.target("tone").read_bytes() == before
    bedside.daemon.wait_until(lambda: bedside.state().reloads >= 3, "the second reload", 20.0)
    assert bedside.state().bundles == running
    assert bedside.state().reload_refused == ""
    taken = [line for line in bedside.daemon.lines() if " was taken back: the daemon refused it" in str(line)]
    assert len(taken) == 1


def test_a_model_that_crashes_the_daemon_is_taken_back(bedside: Bedside) -> None:
    before, running = bedside.target("tone").read_bytes(), bedside.state()
    code, out, err = bedside.install(bedside.update("tone", "3.0.0"))
    assert code == 2
    assert "the daemon runs it" in out
    assert "the daemon crashed with it and was started anew" in err
    assert bedside.target("tone").read_bytes() == before
    bedside.daemon.wait_until(lambda: bedside.state().bundles == running.bundles, "the old model", 30.0)
    assert bedside.state().started_utc_s > running.started_utc_s


def test_what_does_not_hold_never_reaches_the_place(bedside: Bedside, tmp_path: Path) -> None:
    before, running, asked = bedside.target("tone").read_bytes(), bedside.state().bundles, bedside.reloads_asked()
    stranger = write_key_pair(tmp_path, "stranger", bytes(range(1, 33)))
    damaged = tmp_path / "damaged.tflite"
    damaged.write_bytes(before[:5000] + b"\xff" + before[5001:])
    for file, why in (
        (SHIPPED, "not signed"),
        (bedside.update("tone", "1.2.0", stranger), "signed with key"),
        (damaged, "does not fit"),
        (tmp_path / "gone.tflite", "cannot be read"),
    ):
        code, out, err = bedside.install(file)
        assert (code, out) == (2, "")
        assert why in err
    assert bedside.target("tone").read_bytes() == before
    assert (bedside.state().bundles, bedside.reloads_asked()) == (running, asked)


# --- without a daemon


def _config(folder: Path, models: str) -> Path:
    path = folder / "anna.toml"
    path.write_text(f"model.cry.enabled = false\nmodel.scream.enabled = false\n{models}", encoding="utf-8")
    return path


def test_without_a_daemon_the_next_start_takes_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = _config(tmp_path, '[model.tone]\nbundle = "tone.tflite"\n')
    assert main(["models", "install", str(SHIPPED), "--config", str(config), "--offline"]) == 0
    assert capsys.readouterr().out.endswith("no daemon was asked: the next start or reload takes it\n")
    assert (tmp_path / "tone.tflite").read_bytes() == SHIPPED.read_bytes()
    assert (tmp_path / "tone.tflite").stat().st_mode & 0o777 == 0o644


def test_which_file_is_meant_is_never_guessed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    two = '[model.a]\nbundle = "a.tflite"\n[model.b]\nbundle = "b.tflite"\n'
    for models, options, why in (
        (two, [], "several models have files: give --model a or b"),
        (two, ["--model", "c"], 'no model with a file is named "c": give --model a or b'),
        ('[model.a]\nbundle = "cry"\n', [], "no model has a file of its own"),
        ('[model.a]\nbundle = "a.tflite"\n[model.a.label.bark]\non = 0.5\n', [], "has no label 'bark'"),
    ):
        config = _config(tmp_path, models)
        assert main(["models", "install", str(SHIPPED), "--config", str(config), "--offline", *options]) == 2
        assert why in capsys.readouterr().err
    assert not list(tmp_path.glob("*.tflite"))


# --- the file


def test_an_interrupted_installation_leaves_what_is_gone_back_to(tmp_path: Path) -> None:
    target = tmp_path / "a.tflite"
    target.write_bytes(b"old")
    target.chmod(0o640)
    with BundleSwap(target) as swap:
        swap.put(b"new")  # and the machine lost its power here
    with BundleSwap(target) as swap:
        swap.put(b"newer")
        assert target.read_bytes() == b"newer"
        assert target.stat().st_mode & 0o777 == 0o640
        assert swap.take_back()
    assert target.read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["a.tflite"]


def test_a_network_that_carries_its_past_is_refused_at_another_hop(
    tmp_path: Path, carrying_bundle_paths: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    config = _config(tmp_path, '[model.a]\nbundle = "a.tflite"\n[listen]\nhop_s = 1.0\n')
    assert main(["models", "install", str(carrying_bundle_paths[0]), "--config", str(config), "--offline"]) == 2
    assert "model a: hop_s is 1, must be 0.5: its network knows windows so far apart" in capsys.readouterr().err
    assert not list(tmp_path.glob("*.tflite"))


def test_a_model_that_disagrees_with_its_reference_scores_is_refused(
    tmp_path: Path, carrying_bundle_paths: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    """Its golden vectors hold."""
    bundle = read_bundle(carrying_bundle_paths[0])
    kept, ranges = in_bytes([np.stack([case_features(bundle, case)[0] for case in bundle.golden])])
    sure, half = np.ones((WINDOWS, 1), np.float32), np.full(1, 0.5, np.float32)
    moved = dataclasses.replace(bundle, reference=Reference(kept, ranges, sure, half, bundle.label_names))
    write_bundle(tmp_path / "moved", moved)
    config = _config(tmp_path, '[model.a]\nbundle = "a.tflite"\n')
    assert main(["models", "install", str(tmp_path / "moved"), "--config", str(config), "--offline"]) == 2
    assert "moved: cry: mean difference between float and int8 is 0." in capsys.readouterr().err
    assert not list(tmp_path.glob("*.tflite"))


def test_a_first_model_that_is_taken_back_leaves_nothing(tmp_path: Path) -> None:
    with BundleSwap(tmp_path / "a.tflite") as swap:
        swap.put(b"new")
        assert not swap.take_back()
    assert list(tmp_path.iterdir()) == []


def test_a_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "real.tflite").write_bytes(b"old")
    (tmp_path / "link.tflite").symlink_to("real.tflite")
    with BundleSwap(tmp_path / "link.tflite") as swap:
        swap.put(b"new")
        swap.confirm()
    assert (tmp_path / "link.tflite").is_symlink()
    assert (tmp_path / "real.tflite").read_bytes() == b"new"


def test_two_installations_do_not_meet(tmp_path: Path) -> None:
    folder = os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(folder, fcntl.LOCK_EX)
    with pytest.raises(ServiceError, match="another installation works in"):
        BundleSwap(tmp_path / "a.tflite")
    os.close(folder)
    BundleSwap(tmp_path / "a.tflite").__exit__()
