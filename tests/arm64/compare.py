"""Replay recordings in emulated 64-bit ARM trees, and compare with this machine: what `make test-arm64` runs.

    python -m tests.arm64.compare [--tree bookworm] [--out build/arm64] [--only shipped|systems]
                                  [--bundles build/converted | --form transfer/vgg16 | --model BUNDLE] [--keep]
                                  [RECORDING ...]

The shipped models are replayed, and then a bundle of each published system through `auricle replay --model`. Bundles
are made with random weights, or are those that `make reports` converted.

For each release of the distribution a tree is unpacked once below `--out`: the Python that this release
ships, and the locked wheels for aarch64. A replay in it under qemu must tell the same labels, phases and
times as a replay here, and scores within 0.02. Needs root; installs debootstrap and qemu. Uses the mirror that this
machine's apt is configured with and the registry that its package installer is configured with.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import platform
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from device.demo.demo_command import write_scene
from device.demo.scene import SEED, bedside
from tests.arm64.system_bundles import (
    converted_bundles,
    default_forms,
    made_bundles,
    missing_systems,
    without_bundle,
)
from tests.system.debian import demand_debootstrap, mirror

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

CHECKOUT = Path(__file__).resolve().parents[2]
REAL_CRY = CHECKOUT.parent / "shared" / "data" / "babycry" / "cry" / "Louise_01.m4a_0.ogg"
WITHIN = 0.02
VARIES_BY = 0.05
"""Scores that a network gives whatever it hears prove nothing."""

COMPARED = ("model", "label", "phase", "start_s", "end_s", "decided_s", "reason")
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
EMULATOR = "qemu-aarch64-static"
PYTHON = "/usr/bin/emulated-python3"

# `auricle` as on a device, but that the trial of its models may take minutes, as in the emulator or on a busy machine.
AURICLE = """import sys
from device.runtime import model_loader
from device.runtime.bundle_trial.trial_process import TrialLimits
model_loader.LIMITS = TrialLimits(wall_s=3600.0, cpu_s=400)
from device.__main__ import main
sys.exit(main())
"""

# A replay names its results through /proc. Only there, too, the runtime looks for the processor.
_ENTER = """set -e
mount -t proc proc "$1/mnt"
mount --bind "$1/proc/cpuinfo" "$1/mnt/cpuinfo"
mount --rbind "$1/mnt" "$1/proc"
exec chroot "$@"
"""
MADE = ".made"
ANSWERS = ("events.jsonl", "scores.csv")

# The CPU line of a Raspberry Pi 4: without it the runtime detects no processor and does not use its fast kernels.
CPUINFO = "\n".join(
    f"processor\t: {core}\nBogoMIPS\t: 108.00\nFeatures\t: fp asimd evtstrm crc32 cpuid\nCPU implementer\t: 0x41\n"
    "CPU architecture: 8\nCPU variant\t: 0x0\nCPU part\t: 0xd08\nCPU revision\t: 3\n"
    for core in range(4)
)


@dataclass(frozen=True, slots=True)
class Tree:
    """A release of the distribution, the Python it ships and the newest wheels its C library can load."""

    name: str
    python: str
    wheels: str


TREES = {
    "bookworm": Tree("bookworm", "3.11", "aarch64-manylinux_2_36"),
    "trixie": Tree("trixie", "3.13", "aarch64-manylinux_2_40"),  # has 2.41; no platform beyond 2.40 is named yet
}


@dataclass(frozen=True, slots=True)
class Answer:
    """The results of one replay: its events, and (recording, model, label, start_s) -> score for each window."""

    events: tuple[tuple[object, ...], ...]
    scores: Mapping[tuple[str, ...], float]
    took_s: float


@dataclass(frozen=True, slots=True)
class Case:
    """What is replayed on both machines.

    Attributes:
        name: in words.
        bundle: of the model; None for the models that run by default.
    """

    name: str
    bundle: Path | None = None


class RunError(SystemExit):
    """A program failed: ends the process with what it wrote last, where nobody catches it."""


def main() -> int:
    """Compare all trees; the exit code is 1 if one differs."""
    given = _arguments()
    demand_debootstrap("make test-arm64", qemu_aarch64_static="qemu-user-static")
    out: Path = given.out.resolve()
    recordings = given.recording or list(default_recordings(out))
    complaints = _all_compared(given, recordings, out)
    _say("\n".join(complaints or ["EQUAL"]))
    return 1 if complaints else 0


def _all_compared(given: argparse.Namespace, recordings: Sequence[Path], out: Path) -> list[str]:
    cases, complaints = _cases(given, out)
    here = {}
    for case in cases:
        here[case] = replayed_here(case, recordings, out / "here")
        _say(f"{platform.machine()}, Python {platform.python_version()}: {case.name}: {_summary(here[case])}")
    for name in given.tree or TREES:
        complaints += _tree_compared(TREES[name], recordings, here, out / name)
    return complaints


def _cases(given: argparse.Namespace, out: Path) -> tuple[list[Case], list[str]]:
    """What is replayed, and a complaint for each published system that cannot be."""
    if given.model:
        return [Case(file.stem, file.resolve()) for file in given.model], []
    cases = [] if given.only == "systems" else [Case("models by default")]
    if given.only == "shipped":
        return cases, []
    if given.bundles is None:
        bundles = list(made_bundles(given.form or default_forms(), out / "systems", keep=given.keep))
    else:
        bundles = converted_bundles(given.bundles)
        for line in without_bundle(given.bundles):
            _say(line)
    cases += [Case(f"{bundle.name} ({bundle.of})", bundle.file) for bundle in bundles]
    return cases, [] if given.form else list(missing_systems(bundles))


def _tree_compared(tree: Tree, recordings: Sequence[Path], here: Mapping[Case, Answer], folder: Path) -> Iterator[str]:
    began = time.monotonic()
    make_tree(tree, folder)
    _say(f"{tree.name}, aarch64, Python {tree.python}: tree in {time.monotonic() - began:.0f} s")
    for case, answer in here.items():
        try:
            there = replayed_there(case, recordings, folder)
        except RunError as error:
            yield f"{tree.name}: {case.name}: {error}"
            continue
        _say(f"{tree.name}: {case.name}: {_summary(there)}, scores within {furthest(answer, there):.4f}")
        for complaint in differences(answer, there, must_hear=case.bundle is None):
            yield f"{tree.name}: {case.name}: {complaint}"


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _summary(answer: Answer) -> str:
    return f"{len(answer.events)} events, {len(answer.scores)} scores, {answer.took_s:.1f} s"


# --- the comparison


def differences(here: Answer, there: Answer, *, must_hear: bool = True) -> Iterator[str]:
    """A sentence for each way in which two machines disagree.

    Args:
        here: of this machine.
        there: of the other one.
        must_hear: whether the recordings hold what the models are made for; otherwise scores that vary are enough.
    """
    if must_hear and not here.events:
        yield "nothing was heard here, so nothing can be compared"
    if not must_hear and _variation(here) < VARIES_BY:
        yield f"no score here varies by {VARIES_BY} or more, so nothing can be compared"
    if there.events != here.events:
        yield f"events differ: {there.events}, here {here.events}"
    if there.scores.keys() != here.scores.keys():
        yield f"windows differ: {sorted(there.scores.keys() ^ here.scores.keys())[:5]} are on one side alone"
    elif furthest(here, there) > WITHIN:
        yield f"scores are up to {furthest(here, there)} apart, must be within {WITHIN}"


def furthest(here: Answer, there: Answer) -> float:
    """The largest difference of a score, over the windows that both scored."""
    both = here.scores.keys() & there.scores.keys()
    return max((abs(here.scores[window] - there.scores[window]) for window in both), default=0.0)


def _variation(answer: Answer) -> float:
    """The widest range of the scores of one label."""
    of_label: dict[tuple[str, ...], list[float]] = {}
    for (_, model, label, *_), score in answer.scores.items():
        of_label.setdefault((model, label), []).append(score)
    return max((max(scores) - min(scores) for scores in of_label.values()), default=0.0)


def read_answer(folder: Path, took_s: float) -> Answer:
    """Read what a replay wrote into a folder."""
    lines = [json.loads(line) for line in (folder / "events.jsonl").read_text("utf-8").splitlines()]
    events = tuple((Path(line["source"]).name, *(line[name] for name in COMPARED)) for line in lines)
    with (folder / "scores.csv").open(encoding="utf-8", newline="") as table:
        return Answer(events, dict(_scores(csv.DictReader(table))), took_s)


def _scores(rows: csv.DictReader[str]) -> Iterator[tuple[tuple[str, ...], float]]:
    for row in rows:
        window = (Path(row["source"]).name, *(row[name] for name in ("model", "label", "start_s", "end_s")))
        yield window, float(row["probability"])


# --- the replays


def default_recordings(out: Path) -> Iterator[Path]:
    """The demo's scene, and a real cry if the recordings lie beside the checkout."""
    out.mkdir(parents=True, exist_ok=True)
    write_scene(out / "scene.wav", bedside(np.random.default_rng(SEED)))
    yield out / "scene.wav"
    if REAL_CRY.is_file():
        yield REAL_CRY


def replayed_here(case: Case, recordings: Sequence[Path], folder: Path) -> Answer:
    """Replay on this machine."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    began = time.monotonic()
    _run(sys.executable, "-c", AURICLE, *_replay(folder, recordings, case.bundle))
    return read_answer(folder, time.monotonic() - began)


def replayed_there(case: Case, recordings: Sequence[Path], tree: Path) -> Answer:
    """Replay in a tree, under emulation."""
    work = tree / "work"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    for recording in recordings:
        shutil.copyfile(recording, work / recording.name)
    inside = [Path("/work") / recording.name for recording in recordings]
    bundle = None
    if case.bundle is not None:
        bundle = Path("/work") / case.bundle.name
        shutil.copyfile(case.bundle, work / case.bundle.name)
    began = time.monotonic()
    replay = (PYTHON, "-c", AURICLE, *_replay(Path("/work"), inside, bundle))
    (tree / "mnt").mkdir(exist_ok=True)
    _run("unshare", "--mount", "sh", "-c", _ENTER, "sh", tree, *replay, PYTHONPATH="/opt/auricle:/opt/wheels")
    return read_answer(work, time.monotonic() - began)


def _replay(folder: Path, recordings: Sequence[Path], bundle: Path | None) -> list[str | Path]:
    events, scores = (folder / name for name in ANSWERS)
    model: list[str | Path] = [] if bundle is None else ["--model", bundle]
    return ["replay", *model, "--events", events, "--scores", scores, *recordings]


# --- the trees


def make_tree(tree: Tree, folder: Path) -> None:
    """Unpack a release once; the locked wheels again when the lock changed, and Auricle always."""
    stamp = folder / MADE
    if not stamp.is_file():
        shutil.rmtree(folder, ignore_errors=True)
        folder.parent.mkdir(parents=True, exist_ok=True)
        _unpack_release(tree, folder)
        stamp.touch()
    lay_emulated_python(
        folder / PYTHON.lstrip("/"), emulator=f"/usr/bin/{EMULATOR}", python="/usr/bin/python3", name=PYTHON
    )
    lock = (CHECKOUT / "requirements.txt").read_text("utf-8")
    if stamp.read_text("utf-8") != lock:
        shutil.rmtree(folder / "opt" / "wheels", ignore_errors=True)
        locked = ("--only-binary", ":all:", "--require-hashes", "-r", CHECKOUT / "requirements.txt")
        _install(tree, folder / "opt" / "wheels", *locked)
        stamp.write_text(lock, "utf-8")
    shutil.rmtree(folder / "opt" / "auricle", ignore_errors=True)
    _install(tree, folder / "opt" / "auricle", "--no-deps", "--reinstall-package", "auricle", CHECKOUT)


def lay_emulated_python(path: Path, *, emulator: str, python: str, name: str) -> None:
    """Write a program that runs Python in the emulator, and that Python takes for its own `sys.executable`.

    A replay starts a second Python, which tries the models. The kernel finds the emulator in the program's first line,
    so nothing must be registered with it. Emulating the default processor would take ten times as long.

    Args:
        path: of the program.
        emulator: its path, as a process in the tree names it.
        python: likewise.
        name: likewise, of the program itself.
    """
    options = (emulator, "-cpu", "cortex-a72", "-0", name, python)
    path.write_text(
        f"#!{emulator} {python}\nimport os, sys\nos.execv({emulator!r}, [*{options!r}, *sys.argv[1:]])\n", "utf-8"
    )
    path.chmod(0o755)


def _unpack_release(tree: Tree, folder: Path) -> None:
    """The release's Python and PortAudio; unpacked only, as nothing of it needs to be configured."""
    options = ("--arch=arm64", "--foreign", "--variant=minbase", "--include=python3,libportaudio2")
    _run("debootstrap", *options, f"--keyring={KEYRING}", tree.name, folder, mirror())
    for package in sorted((folder / "var" / "cache" / "apt" / "archives").glob("*.deb")):
        _run("dpkg-deb", "--extract", package, folder)
        package.unlink()
    shutil.copy2(f"/usr/bin/{EMULATOR}", folder / "usr" / "bin" / EMULATOR)
    (folder / "proc" / "cpuinfo").write_text(CPUINFO, "utf-8")
    cpus = folder / "sys" / "devices" / "system" / "cpu"
    cpus.mkdir(parents=True)
    for name in ("possible", "present"):
        (cpus / name).write_text("0-3\n", "utf-8")


def _install(tree: Tree, target: Path, *what: str | Path) -> None:
    """Install wheels for the tree's platform into a folder; runs in `/`, so that no project's settings apply."""
    uv = Path(sys.executable).with_name("uv")
    platform_named = ("--python-version", tree.python, "--python-platform", tree.wheels)
    _run(uv, "pip", "install", "--quiet", *platform_named, "--target", target, *what, folder="/")


def _run(*command: str | Path, folder: str | Path = CHECKOUT, **variables: str) -> None:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", **variables}
    done = subprocess.run(command, check=False, cwd=folder, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise RunError(f"{' '.join(map(str, command))} failed:\n{done.stdout[-2000:]}{done.stderr[-4000:]}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--tree", choices=TREES, action="append", help="only this release; repeat")
    parser.add_argument("--out", type=Path, default=CHECKOUT / "build" / "arm64", help="where trees are kept")
    parser.add_argument("--only", choices=("shipped", "systems"), help="not both")
    parser.add_argument("--bundles", type=Path, metavar="DIR", help="what make reports converted: build/converted")
    parser.add_argument("--form", metavar="SYSTEM/FORM", action="append", help="make a bundle of this alone; repeat")
    parser.add_argument("--model", type=Path, metavar="BUNDLE", action="append", help="this bundle alone; repeat")
    parser.add_argument("--keep", action="store_true", help="take the bundles that an earlier call made")
    parser.add_argument("recording", type=Path, nargs="*", help="default: the demo's scene and a real cry")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
