"""The list of microphones, or why there is none."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from device.errors import MicrophoneError
from device.sources.microphone_list import list_microphones

if TYPE_CHECKING:
    from pathlib import Path

_SENTENCE = """
import os
from device.sources.capture_record import *
os.write(1, encode(CaptureRecord(ERROR, b'no PortAudio')))
"""


def test_a_list_that_fails_is_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "child.py"
    for script, says in (
        ("import sys; sys.exit('libasound is broken')", "libasound is broken"),
        (_SENTENCE, "no PortAudio"),
        ("import os; os.write(1, b'x' * 100)", "cannot be listed"),
    ):
        path.write_text(script)
        with pytest.raises(MicrophoneError, match=says):
            list_microphones([sys.executable, "-S", "-P", str(path)])
