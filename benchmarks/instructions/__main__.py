"""How many instructions of a Cortex-A72 one window costs: the nursery's models beside stock YAMNet.

    make bench-arm64        (or: python -m benchmarks.instructions [--out build/arm64] [MODEL ...])

A Raspberry Pi 4's processor is emulated in the tree that `make test-arm64` unpacks; a plugin of the emulator counts
what is executed. A window costs the difference between six windows and two, divided by four, so starting and loading
cost nothing. Instructions are not time: they tell what features and networks ask of a processor without the wide units
of the newest machines. Needs root; installs debootstrap, qemu and gcc.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tests.arm64.compare import TREES, make_tree
from tests.system.debian import demand_debootstrap

if TYPE_CHECKING:
    from collections.abc import Sequence

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
YAMNET = ROOT.parent / "shared" / "peers" / "yamnet.tflite"
NURSERY = tuple(ROOT / "device" / "models" / f"{name}.tflite" for name in ("cry", "scream"))
EMULATOR = Path("/usr/bin/qemu-aarch64")
FEW, MANY = 2, 6
WORKS = {"features": "features", "models": "features and inference", "listener": "the whole listener"}
"""What is counted of the models, see `window_work`, and what the table calls it."""


def main() -> int:
    """Print the table."""
    given = _arguments()
    demand_debootstrap("make bench-arm64", qemu_aarch64_static="qemu-user-static", qemu_aarch64="qemu-user", gcc="gcc")
    tree = given.out.resolve() / "bookworm"
    make_tree(TREES["bookworm"], tree)
    counted = Counting(tree, given.out.resolve() / "instruction_count.so")
    models = tuple(given.model or NURSERY)
    yamnet = counted.window("yamnet", [YAMNET])
    named = ", ".join(path.stem for path in models)
    rows = {"YAMNet, stock": yamnet}
    for work, words in WORKS.items():
        rows[f"{named}: {words}"] = counted.window(work, models)
    print("| one window, hop 0.5 s | million instructions | of YAMNet's |\n|---|---|---|")
    for name, count in rows.items():
        print(f"| {name} | {count / 1e6:.2f} | {count / yamnet:.2f} |")
    return 0


class Counting:
    """Counts the instructions of emulated processes.

    Args:
        tree: the unpacked release.
        plugin: where the emulator's plugin is built.
    """

    def __init__(self, tree: Path, plugin: Path) -> None:
        self._tree, self._plugin = tree, plugin
        _run(["gcc", "-shared", "-fPIC", "-O2", "-Wall", "-o", str(plugin), str(HERE / "instruction_count.c")])
        shutil.copyfile(HERE / "window_work.py", tree / "opt" / "window_work.py")

    def window(self, what: str, files: Sequence[Path]) -> float:
        """Instructions of one window of some work; see `window_work`."""
        inside = []
        for file in files:
            shutil.copyfile(file, self._tree / "opt" / file.name)
            inside.append(f"/opt/{file.name}")
        few, many = (self._process(what, ",".join(inside), windows) for windows in (FEW, MANY))
        return (many - few) / (MANY - FEW)

    def _process(self, what: str, files: str, windows: int) -> int:
        """Instructions of one process, from its start to its end."""
        emulated = [str(EMULATOR), "-L", str(self._tree), "-plugin", str(self._plugin)]
        inner = ["-E", "PYTHONHOME=/usr", "-E", "PYTHONPATH=/opt/auricle:/opt/wheels"]
        work = [str(self._tree / "usr" / "bin" / "python3"), "/opt/window_work.py", what, files, str(windows)]
        told = _run([*emulated, *inner, *work], QEMU_CPU="cortex-a72", OMP_NUM_THREADS="1")
        found = re.search(r"^executed instructions: (\d+)$", told, re.MULTILINE)
        if found is None:
            sys.exit(f"the emulator's plugin counted nothing:\n{told[-2000:]}")
        return int(found[1])


def _run(command: Sequence[str], **variables: str) -> str:
    """Run a program in `/`, where an emulated path is that of the tree; what it wrote to stderr."""
    environment = {**os.environ, **variables}
    done = subprocess.run(command, check=False, cwd="/", env=environment, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{done.stdout[-2000:]}{done.stderr[-4000:]}")
    return done.stderr


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.instructions",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "arm64", help="where the tree is kept")
    parser.add_argument("model", type=Path, nargs="*", help="bundles of one feature spec (default: the nursery's)")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
