"""`auricle demo`: synthesizes a minute at a bedside, replays it as any recording, and judges the result."""

from __future__ import annotations

import io
import os
import sys
import wave
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import numpy as np

from device.config.loading import profile
from device.demo.comparison import comparison_lines, judge
from device.demo.scene import SEED, Scene, bedside, short_night
from device.errors import ConfigError, RecordingError
from device.messages import DECIDED_ROLES
from device.quantity import quantity
from device.replay.batch import stream_ids
from device.replay.one_recording import replay_recording
from device.replay.recording_result import RecordingResult, RecordingTask
from device.replay.replay_options import ReplayOptions
from device.replay.result_writers import RowWriter, fault_line
from device.report.result_files import encode, made_folders, write_whole
from device.report.tables import EventLines, ScoreTable
from device.runtime.command_line import whole_number
from device.runtime.model_loader import open_models
from device.runtime.stderr_lines import print_notice

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator
    from collections.abc import Set as AbstractSet

    from device.config.settings import Settings
    from device.messages import Heard, Scores

SCENE, EVENTS, SCORES, REPORT = "scene.wav", "events.jsonl", "scores.csv", "report.html"
_FULL_SCALE_16_BIT = 32_767


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `auricle demo`."""
    parser.add_argument("--out", metavar="DIR", default="auricle-demo", help="where scene, events and page are written")
    parser.add_argument(
        "--recordings", metavar="DIR", help="write labelled recordings to learn from instead: a folder for each infant"
    )
    parser.add_argument("--infants", type=_infants, default=6, metavar="N", help="of --recordings (default: 6)")


def _infants(text: str) -> int:
    return whole_number(text, 0, 1_000_000, "a number of infants")  # that there is one is seen where they are made


def run(arguments: argparse.Namespace) -> int:
    """Run `auricle demo`; returns its exit code. Raises what `run_demo` and `write_recordings` raise."""
    if arguments.recordings is not None:
        return write_recordings(Path(arguments.recordings), arguments.infants)
    return run_demo(Path(arguments.out), profile("nursery"))


def run_demo(out_dir: Path, settings: Settings, *, models: tuple[str, ...] = (), seed: int = SEED) -> int:
    """Synthesize the scene, replay it, print its contents beside the events; writes four files into `out_dir`.

    Args:
        out_dir: for scene.wav, events.jsonl, scores.csv and report.html; created if it is missing.
        settings: of the replay.
        models: shipped names or bundle files to use instead of the settings' own; empty for those.
        seed: of the scene; each seed gives another infant, other talkers and another room.

    Returns:
        The exit code: 0, or 1 if the cry was missed or anything else raised an alert.

    Raises:
        AuricleError: a model is not valid.
        OSError: a file cannot be written.
    """
    scene = bedside(np.random.default_rng(seed))
    with made_folders(out_dir):
        write_scene(out_dir / SCENE, scene)
        result, scores = _replay_scene(out_dir, ReplayOptions(settings, models))
    passed, findings = judge(scene.items, result.events)
    lines = [*comparison_lines(scene.items, result.events, scores, plain=is_plain(sys.stdout)), ""]
    lines += [*findings, *_file_lines(out_dir), "PASSED" if passed else "FAILED"]
    sys.stdout.flush()
    sys.stdout.buffer.write(encode("\n".join(lines) + "\n"))
    return 0 if passed else 1


def write_recordings(folder: Path, infants: int, *, seed: int = SEED) -> int:
    """Write `infant-1/night.wav`, `infant-1/night.txt` and so on: twenty seconds each, its cries in an Audacity track.

    Args:
        folder: created if it is missing.
        infants: one recording of each.
        seed: of all of them; equal seeds give equal recordings.

    Raises:
        ConfigError: there are no infants.
        OSError: a file cannot be written.
    """
    if infants < 1:
        raise ConfigError(f"--infants is {infants}, must be at least 1")
    for number, rng in enumerate(np.random.default_rng(seed).spawn(infants), start=1):
        scene, inner = short_night(rng), folder / f"infant-{number}"
        lines = [f"{item.start_s:.6f}\t{item.end_s:.6f}\t{item.label}\n" for item in scene.items if item.label]
        with made_folders(inner):
            write_scene(inner / "night.wav", scene)
            write_whole(inner / "night.txt", "".join(lines).encode())
    print(f"{quantity(infants, 'recording', 'recordings')} with a label track each: {folder}")
    return 0


def write_scene(path: Path, scene: Scene) -> None:
    """Write the scene as a WAV file of 16 bits: all of it, or on failure nothing. Raises OSError."""
    content = io.BytesIO()
    with wave.open(content, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(scene.sample_rate_hz)
        file.writeframes(np.round(scene.samples * _FULL_SCALE_16_BIT).astype("<i2").tobytes())
    write_whole(path, content.getvalue())


def is_plain(stream: TextIO) -> bool:
    """Whether to write only ASCII: the stream is no terminal, NO_COLOR is set, or its encoding is not UTF-8."""
    if not stream.isatty() or os.environ.get("NO_COLOR"):
        return True
    return (stream.encoding or "").lower().replace("-", "") != "utf8"


def _replay_scene(out_dir: Path, options: ReplayOptions) -> tuple[RecordingResult, list[Scores]]:
    """Replay the scene as `auricle replay` would; returns its result, and the scores of labels that raise events."""
    source = str(out_dir / SCENE)
    scores: list[Scores] = []
    task = RecordingTask(source, stream_ids([source])[0], page=str(out_dir / REPORT))
    with ExitStack() as closing:
        models = closing.enter_context(open_models(options.settings, options.models))
        events = closing.enter_context(EventLines(out_dir / EVENTS))
        table = closing.enter_context(ScoreTable(out_dir / SCORES))
        rows = RowWriter(source, models.priorities, {"events": events.write_text, "scores": table.write_text})
        decided = {
            (one.name, label.name) for one in models.listening for label in one.labels if label.role in DECIDED_ROLES
        }

        def write(heard: Heard) -> None:
            rows.write(heard)
            scores.extend(_decided_scores(one, decided) for one in heard.scores)

        result = replay_recording(options, models, task, write)
    if result.error is not None:
        raise RecordingError(result.error)
    if result.faults:
        print_notice(fault_line(result))
    return result, scores


def _decided_scores(scores: Scores, decided: AbstractSet[tuple[str, str]]) -> Scores:
    probabilities = {name: value for name, value in scores.probabilities.items() if (scores.model, name) in decided}
    return replace(scores, probabilities=probabilities)


def _file_lines(out_dir: Path) -> Iterator[str]:
    yield ""
    yield f"Listen: {out_dir / SCENE}"
    yield f"Look:   {out_dir / REPORT}"
    yield f"Read:   {out_dir / EVENTS}, {out_dir / SCORES}"
    yield ""
