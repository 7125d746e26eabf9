"""A real daemon beside a bed whose models are signed files of their own, and signed updates for them."""

from __future__ import annotations

import dataclasses
import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import soundfile

from converter.signing import sign_bundle
from device.hearing.bundle.reader import read_bundle
from device.hearing.bundle.writer import write_bundle
from tests.signing_keys import KeyPair, write_key_pair
from tests.system.running_daemon import RunningDaemon

if TYPE_CHECKING:
    from collections.abc import Mapping

    from device.runtime.daemon_state import DaemonState

MOODY = Path(__file__).with_name("moody_daemon.py")


class Bedside:
    """A daemon that listens with signed bundles in files of its own.

    Args:
        folder: for everything.
        models: name in the configuration -> the bundle that updates are made of; version 1.0.0 is in its place.
    """

    def __init__(self, folder: Path, models: Mapping[str, Path]) -> None:
        self.folder = folder
        self.keys = write_key_pair(folder, "maker", bytes(range(32)))
        self._models = models
        for name in models:
            shutil.copy(self.update(name, "1.0.0"), self.target(name))
        sound = np.random.default_rng(1).normal(0.0, 0.01, 60 * 16000)
        soundfile.write(folder / "room.wav", sound, 16000)
        shipped = "".join(
            f"model.{name}.enabled = false\n" for name in ("cry", "cry-reason", "scream") if name not in models
        )
        tables = "".join(f'[model.{name}]\nbundle = "{name}.tflite"\n' for name in models)
        config = f'{shipped}{tables}[bundles]\npublic_key = "maker.pub"\n[journal]\nfile = "alarms.db"\n'
        command = [sys.executable, str(MOODY), str(folder / "room.wav")]
        self.daemon = RunningDaemon(folder, {"PYTHONPATH": os.pathsep.join(sys.path)}, config, command=command)

    def target(self, name: str) -> Path:
        """The file that the configuration names."""
        return self.folder / f"{name}.tflite"

    def update(self, name: str, version: str, keys: KeyPair | None = None, **changes: Any) -> Path:
        """A signed bundle of some version, changed in what is given."""
        plain, path = self.folder / "plain.tflite", self.folder / f"update-{name}-{version}.tflite"
        write_bundle(plain, dataclasses.replace(read_bundle(self._models[name]), version=version, **changes))
        sign_bundle(plain, (keys or self.keys).private, path)
        return path

    def install(self, file: Path, *options: str) -> tuple[int, str, str]:
        """`auricle models install` as an updater calls it -> (exit code, stdout, stderr)."""
        done = self.daemon.ask(
            "models", "install", str(file), "--config", str(self.daemon.config_path), "--watch", "3", *options
        )
        return done.returncode, done.stdout, done.stderr

    def reloads_asked(self) -> int:
        """How often a reload was asked for, over all starts of the daemon."""
        return sum("asks for a reload" in str(line) for line in self.daemon.lines())

    def state(self) -> DaemonState:
        """What the daemon says of itself."""
        return self.daemon.wait_until(self.daemon.status, "an answer", 20.0)
