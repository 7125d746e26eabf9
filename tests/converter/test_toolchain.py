"""TensorFlow is found, or the extra that brings it is named; what it says is kept aside."""

from __future__ import annotations

import os
import sys
import warnings

import pytest

from converter import toolchain
from device.errors import MissingExtraError


def test_a_missing_library_names_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    with pytest.raises(MissingExtraError, match=r"tensorflow is not installed; .* 'auricle\[converter\]'"):
        toolchain.tensorflow()


def test_what_is_said_quietly_is_not_heard(capfd: pytest.CaptureFixture[str]) -> None:
    with toolchain.quietly():
        os.write(1, b"to stdout\n")
        os.write(2, b"to stderr\n")
        sys.stdout.write("to Python's stdout")
        warnings.warn("a warning", stacklevel=1)
    os.write(1, b"afterwards\n")
    said = capfd.readouterr()
    assert (said.out, said.err) == ("afterwards\n", "")


def test_what_was_said_comes_with_an_error() -> None:
    def fail() -> None:
        with toolchain.quietly():
            os.write(2, b"the reason\n")
            raise ValueError("failed")

    with pytest.raises(ValueError, match="failed") as caught:
        fail()
    assert caught.value.__notes__ == ["the reason\n"]


def test_versions_are_those_installed() -> None:
    import numpy as np

    assert toolchain.versions()["numpy"] == np.__version__
