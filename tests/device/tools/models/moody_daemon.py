"""A real daemon that cannot stand some models: `python moody_daemon.py RECORDING --config FILE`.

Version 2.0.0 does not reproduce its golden vectors there; version 3.0.0 crashes it a second after it was loaded, and it
is then started anew, as systemd would.
"""

from __future__ import annotations

import dataclasses
import os
import sys
import threading
from typing import TYPE_CHECKING

from device.__main__ import main
from device.hearing.classifier import Classifier

if TYPE_CHECKING:
    from device.hearing.bundle.contents import Bundle
    from device.hearing.inference.backbone import Backbones

_open = Classifier.open


def _start_anew() -> None:
    os.execv(sys.executable, [sys.executable, *sys.argv])  # noqa: S606 - this very program


def _moody(bundle: Bundle, *, threads: int = 1, backbones: Backbones | None = None, further: bool = True) -> Classifier:
    if bundle.version == "2.0.0":
        golden = tuple(dataclasses.replace(case, probabilities=1 - case.probabilities) for case in bundle.golden)
        bundle = dataclasses.replace(bundle, golden=golden)
    if bundle.version == "3.0.0":
        threading.Timer(1.0, _start_anew).start()
    return _open(bundle, threads=threads, backbones=backbones, further=further)


if __name__ == "__main__":
    Classifier.open = _moody  # type: ignore[method-assign]
    recording, *rest = sys.argv[1:]
    sys.exit(main(["listen", "--source", recording, "--loop", *rest]))
