"""TensorFlow and Keras: imported late, with the TensorFlow backend, and kept silent.

Both write to stdout and stderr, from native code too. `quietly` captures their output and, on an error,
attaches it to the exception, where `--debug` shows it.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
import tempfile
import warnings
from importlib import metadata
from typing import TYPE_CHECKING, Any

from device.errors import MissingExtraError

if TYPE_CHECKING:
    from collections.abc import Iterator

_TOOLS = ("tensorflow", "tensorflow-cpu", "keras", "ai-edge-litert", "numpy")
_TAIL_BYTES = 4000


def keras() -> Any:
    """The module keras.

    Raises:
        MissingExtraError: it is not installed, or runs on another backend than TensorFlow.
    """
    module = _imported("keras")
    if module.backend.backend() != "tensorflow":
        raise MissingExtraError(
            f"keras runs on {module.backend.backend()}; the converter needs KERAS_BACKEND=tensorflow"
        )
    return module


def tensorflow() -> Any:
    """The module tensorflow.

    Raises:
        MissingExtraError: it is not installed.
    """
    return _imported("tensorflow")


def versions() -> dict[str, str]:
    """The installed tools and their versions."""
    found = {}
    for name in _TOOLS:
        with contextlib.suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(name)
    return found


@contextlib.contextmanager
def quietly() -> Iterator[None]:
    """Capture what is written to stdout and stderr, by native code too, and ignore Python's warnings."""
    sys.stdout.flush()
    sys.stderr.flush()
    saved = [os.dup(1), os.dup(2)]
    with contextlib.ExitStack() as stack:
        captured = stack.enter_context(tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace"))
        stack.enter_context(contextlib.redirect_stdout(captured))  # Python's stream need not be descriptor 1
        stack.enter_context(contextlib.redirect_stderr(captured))
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")
        for descriptor in (1, 2):
            os.dup2(captured.fileno(), descriptor)
        try:
            yield
        except Exception as error:
            captured.flush()
            error.add_note(_tail(captured.fileno()))
            raise
        finally:
            for descriptor, original in enumerate(saved, start=1):
                os.dup2(original, descriptor)
                os.close(original)


def _imported(name: str) -> Any:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")  # conversion gains nothing from a GPU, its log a lot
    try:
        with quietly():
            return importlib.import_module(name)
    except ImportError as error:
        raise MissingExtraError(
            f"{name} is not installed; install the extra: pip install 'auricle[converter]'"
        ) from error


def _tail(descriptor: int) -> str:
    size = os.fstat(descriptor).st_size
    return os.pread(descriptor, _TAIL_BYTES, max(0, size - _TAIL_BYTES)).decode(errors="replace")
