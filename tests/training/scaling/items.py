"""Functions of a module's top level, which worker processes can import."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path

import numpy as np

from device.errors import RecordingError


def square(number: int) -> int:
    return number * number


def product(seed: int) -> bytes:
    """A product of matrices whose last bits depend on how many threads sum it."""
    rng = np.random.default_rng(seed)
    return np.asarray(rng.standard_normal((200, 300)) @ rng.standard_normal((300, 200))).tobytes()


def threads(_item: int) -> list[str]:
    return [os.environ["OMP_NUM_THREADS"], os.environ["TF_NUM_INTRAOP_THREADS"]]


def fail_from_two(number: int) -> int:
    """The second item fails late, later ones at once: what is met first is not what comes first."""
    if number == 2:
        time.sleep(0.3)
    if number >= 2:
        raise RecordingError(f"item {number} is bad")
    return number


class _UnpicklableError(Exception):
    def __init__(self, one: str, two: str) -> None:
        super().__init__(f"{one} and {two}")


def fail_unpicklably(_number: int) -> int:
    raise _UnpicklableError("one", "two")


def no_result(_number: int) -> object:
    return threading.Lock()


def die_once(marker: str, number: int) -> int:
    """The process is killed at item 3, but only once."""
    if number == 3 and not Path(marker).exists():
        Path(marker).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return number * number


def die_always(number: int) -> int:
    if number == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def note_and_wait(folder: str, number: int) -> int:
    """Say which process computes, then compute for very long."""
    (Path(folder) / f"{os.getpid()}.pid").touch()
    time.sleep(600)
    return number


def note_and_square(folder: str, number: int) -> int:
    """Say which process computed what, in a fifth of a second."""
    (Path(folder) / f"{number}-{os.getpid()}").touch()
    time.sleep(0.2)
    return number * number
