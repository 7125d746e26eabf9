"""The TensorFlow Lite runtime: which one is installed, and a network loaded by it without its chatter.

LiteRT, or the older tflite-runtime on machines without LiteRT (32-bit ARM).
"""

from __future__ import annotations

import contextlib
import importlib
import os
import re
import sys
import threading
from dataclasses import dataclass
from importlib import metadata
from typing import TYPE_CHECKING, Any

from device.errors import BundleError, MissingExtraError

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True, slots=True)
class Runtime:
    """A TensorFlow Lite runtime, and how far its int8 arithmetic may be from the converter's.

    Attributes:
        module: that holds its interpreter.
        distribution: that installs it.
        score_tolerance: of a probability.
    """

    module: str
    distribution: str
    score_tolerance: float

    @property
    def title(self) -> str:
        """Name and version, e.g. `ai-edge-litert 2.3.0`; a copy without metadata has no version."""
        try:
            version = metadata.version(self.distribution)
        except metadata.PackageNotFoundError:
            version = "of unknown version"
        return f"{self.distribution} {version}"


_RUNTIMES = (
    Runtime("ai_edge_litert.interpreter", "ai-edge-litert", 0.02),
    Runtime("tflite_runtime.interpreter", "tflite-runtime", 0.1),
)


def installed_runtime() -> Runtime:
    """The first runtime that can be imported; importing takes time.

    Raises:
        MissingExtraError: no runtime is installed.
    """
    cause = None
    for kind in _RUNTIMES:
        try:
            importlib.import_module(kind.module)
        except ImportError as error:
            cause = cause or error
        else:
            return kind
    raise MissingExtraError(
        "no TensorFlow Lite runtime can be imported; install the extra: pip install 'auricle[device]'"
    ) from cause


def interpreter_of(network: bytes, where: str, threads: int, *, accelerated: bool) -> Any:
    """The runtime's interpreter of a network, its tensors allocated.

    Args:
        network: the TensorFlow Lite flatbuffer.
        where: begins an error's sentence, such as `model cry: the network`.
        threads: that the runtime may use, at least 1.
        accelerated: with XNNPACK, if the runtime has it for int8; otherwise with the reference kernels.

    Raises:
        BundleError: the network cannot be loaded.
        MissingExtraError: no runtime is installed.
    """
    module = importlib.import_module(installed_runtime().module)
    kernels = module.OpResolverType
    kind = kernels.AUTO if accelerated else kernels.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    try:
        with _LOADING, _without_info_lines():
            interpreter = module.Interpreter(
                model_content=network, num_threads=threads, experimental_op_resolver_type=kind
            )
            interpreter.allocate_tensors()
    except (RuntimeError, ValueError) as error:
        raise BundleError(f"{where} cannot be loaded: {first_line(error)}") from None
    return interpreter


def first_line(error: BaseException) -> str:
    """What a runtime says first; it adds lines of addresses."""
    return next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)


_LOADING = threading.Lock()
"""Held while descriptor 2 is redirected: two loaders at once would restore it wrongly."""

_INFO_LINE = re.compile(rb"INFO: .*(TensorFlow Lite|XNNPACK|delegate)")


@contextlib.contextmanager
def _without_info_lines() -> Iterator[None]:
    """Drop the runtime's `INFO:` lines; it writes them to descriptor 2 and has no option to turn them off.

    Everything else that is written meanwhile, by any thread, is passed on afterwards.
    """
    if sys.platform != "linux" or (stderr := _duplicate_of_stderr()) is None:
        yield
        return
    with os.fdopen(os.memfd_create("stderr"), "w+b") as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
            held.seek(0)
            for line in held:
                if not _INFO_LINE.match(line):
                    os.write(2, line)


def _duplicate_of_stderr() -> int | None:
    """A second descriptor for standard error; None for a daemon that runs without one."""
    try:
        return os.dup(2)
    except OSError:
        return None
