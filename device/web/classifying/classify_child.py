"""The child process that hears one recording as `auricle classify --json` does; started by `classify_process`.

It gives up what it does not need before it reads the first byte of the recording, whose decoder and whose sender nobody
vouches for. To its standard output it writes lines of JSON: how far it is, then how many bytes the answer has, or why
there is none. The answer follows its line.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from device.runtime.bundle_trial.confinement import confine_resources, forbid_system_calls

if TYPE_CHECKING:
    from collections.abc import Sequence

    from device.messages import Heard
    from device.replay.replay_options import ReplayOptions

_BEHIND_THE_DAEMON = 10
"""Steps of `nice`."""

_TELLS_EVERY_S = 0.5

_FULL = {errno.ENOSPC, errno.EDQUOT}

_COPIES = 2
"""Of parts of a recording, at one time: the part that is heard, and one whose length is learned."""

_LAST_WINDOW_S = 10.0
"""A window may end so much after the recording, which is repeated where it is shorter."""


class TooLongError(Exception):
    """The recording lasts longer than is allowed; the message is for whoever sent it."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is wanted of this process, as its arguments say it.

    Attributes:
        cpu_s: of processor time, after which the kernel ends it.
        data_bytes: of memory that it may allocate.
        longest_s: seconds that the recording may last.
        config: a configuration file, absolute; empty for none.
        profile: instead of the file; empty for none.
        file: the recording.
        models: instead of those of the settings.
    """

    cpu_s: int
    data_bytes: int
    longest_s: int
    config: str
    profile: str
    file: str
    models: tuple[str, ...] = ()

    def arguments(self) -> list[str]:
        """As words of a command line."""
        numbers = map(str, (self.cpu_s, self.data_bytes, self.longest_s))
        return [*numbers, self.config, self.profile, self.file, *self.models]

    @classmethod
    def of(cls, arguments: Sequence[str]) -> Wanted:
        """What `arguments` says."""
        cpu_s, data_bytes, longest_s, config, profile, file, *models = arguments
        return cls(int(cpu_s), int(data_bytes), int(longest_s), config, profile, file, tuple(models))


def main(arguments: Sequence[str]) -> int:
    """Hear the recording; returns exit code 0, whatever became of it."""
    wanted = Wanted.of(arguments)
    confine_resources(
        cpu_s=wanted.cpu_s,
        data_bytes=wanted.data_bytes,
        file_bytes=_size_of(wanted.file),
        may_start_others=True,  # the models are tried
    )
    with contextlib.suppress(OSError):
        os.nice(_BEHIND_THE_DAEMON)
    refused, answer = _outcome(wanted)
    if refused:
        _tell(refused)
        return 0
    _tell({"answer_bytes": len(answer)})
    sys.stdout.buffer.write(answer)
    sys.stdout.buffer.flush()
    return 0


def _size_of(file: str) -> int:
    """Bytes of the recording, of which a part may have to be copied; 0 if it is missing, which is told later."""
    try:
        return Path(file).stat().st_size
    except OSError:
        return 0


def _outcome(wanted: Wanted) -> tuple[dict[str, str], bytes]:
    """(why it is refused, the answer), one of them empty."""
    from device.errors import AuricleError, RecordingError

    try:
        return {}, _answer(wanted)
    except RecordingError as error:
        is_full = isinstance(error.__cause__, OSError) and error.__cause__.errno in _FULL
        return {"refused": str(error), "about": "machine" if is_full else "recording"}, b""
    except TooLongError as error:
        return {"refused": str(error), "about": "length"}, b""
    except MemoryError:
        sentence = "hearing it takes more memory than is allowed here; send a shorter recording"
        return {"refused": sentence, "about": "length"}, b""
    except (AuricleError, OSError) as error:
        return {"refused": str(error), "about": "machine"}, b""
    except Exception as error:  # noqa: BLE001 - whatever a recording causes is an answer, and no traceback
        return {"refused": f"hearing it failed: {type(error).__name__}: {error}", "about": "machine"}, b""


def _answer(wanted: Wanted) -> bytes:
    """The document of `auricle classify --json`.

    Raises:
        RecordingError: nothing of the recording can be heard.
        TooLongError: it lasts longer than is allowed.
        AuricleError: a model cannot be opened.
    """
    from device.config.loading import load_config, locating, profile
    from device.replay.classify_command import answer_bytes, answer_of
    from device.replay.replay_options import ReplayOptions
    from device.runtime.model_loader import open_models
    from device.sources.decoding.spare_files import SPARE_FILES

    config = None if wanted.profile else wanted.config or None
    with locating(config):
        settings = profile(wanted.profile) if config is None else load_config(config)
        options = ReplayOptions(settings, models=wanted.models, workers=1, config=config)
        with open_models(options.settings, options.models) as models:
            SPARE_FILES.keep(Path.cwd(), _COPIES)  # in the private folder, as long as files may be opened
            forbid_system_calls()
            duration_s = _declared_s(options, wanted)
            progress = _Progress(duration_s, wanted)
            return answer_bytes(answer_of(options, models, wanted.file, progress.heard))


def _declared_s(options: ReplayOptions, wanted: Wanted) -> float | None:
    """Seconds that the recording says it lasts; None if it does not say.

    A header that is not known to be true refuses nothing: the recording may break off before.

    Raises:
        RecordingError: nothing of it can be heard.
        TooLongError: it surely lasts longer than is allowed.
    """
    from device.replay.one_recording import open_recording

    with open_recording(options, wanted.file) as recording:
        duration_s, is_certain = recording.duration_s, recording.length_is_certain
    if is_certain and duration_s is not None and duration_s > wanted.longest_s:
        raise TooLongError(
            f"{wanted.file} lasts {duration_s:.0f} s, and at most {wanted.longest_s} s are heard: send a part of it, "
            "or raise classify_max_s in [web]"
        )
    return duration_s


class _Progress:
    """Says how far the recording was heard, twice a second, and ends one that says too little of its length.

    Args:
        duration_s: that it declares; None if it does not.
        wanted: what is allowed.
    """

    def __init__(self, duration_s: float | None, wanted: Wanted) -> None:
        self._duration_s, self._wanted = duration_s, wanted
        self._heard_s, self._told_s = 0.0, 0.0

    def heard(self, heard: Heard) -> None:
        """What one block gave."""
        self._heard_s = max([self._heard_s, *(window.end_s for window in heard.scores)])
        if self._heard_s > self._wanted.longest_s + _LAST_WINDOW_S:
            raise TooLongError(
                f"{self._wanted.file} lasts longer than {self._wanted.longest_s} s: send a part of it, "
                "or raise classify_max_s in [web]"
            )
        if time.monotonic() - self._told_s >= _TELLS_EVERY_S:
            self._told_s = time.monotonic()
            _tell({"heard_s": round(self._heard_s, 3), "duration_s": self._duration_s})


def _tell(members: dict[str, Any]) -> None:
    print(json.dumps(members), flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
