"""`auricle calibrate`: measures a room, and says what to expect of the night in it; changes no configuration."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from device.errors import ConfigError
from device.runtime.command_line import add_settings_options, chosen_settings

if TYPE_CHECKING:
    import argparse

    from device.calibration.room_measure import RoomMeasure
    from device.config.settings import Settings

REPORT, FIGURES, FRAGMENT = "room.txt", "room.json", "room.toml"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `auricle calibrate`."""
    add_settings_options(parser)
    parser.add_argument("--room", metavar="RECORDING", help="a recording of the room as it is, instead of listening")
    parser.add_argument("--played", metavar="RECORDING", help="a recording of the room while the signal was played")
    parser.add_argument("--signal", metavar="OUT.wav", help="write the signal to play, and do nothing else")
    parser.add_argument(
        "--out", metavar="DIR", help=f"write {REPORT}, {FIGURES} and {FRAGMENT} there (default: print the report)"
    )


def run(arguments: argparse.Namespace) -> int:
    """Measure; returns the exit code: 0, or 1 if a cry would be missed or the microphone did not hear.

    Raises:
        AuricleError: an option, a model or a recording is not valid.
        OSError: a file cannot be written.
    """
    if arguments.signal is not None:
        return _write_signal(arguments.signal)
    _refuse_outputs(arguments)
    if arguments.room is None and arguments.played is None:
        raise ConfigError("give --room RECORDING, --played RECORDING, or both")
    return _report(_measured_recordings(arguments), arguments.out)


def _write_signal(path: str) -> int:
    from device.report.output_trial import try_outputs
    from device.report.result_files import is_stdout, write_whole
    from device.synthesis.room_signal import room_signal, signal_wav
    from device.synthesis.voice import SAMPLE_RATE_HZ

    try_outputs({"--signal": [path]}, [])
    write_whole(path, signal_wav())
    if not is_stdout(path):
        print(f"{path}: {len(room_signal()) / SAMPLE_RATE_HZ:.0f} s, six pips and a cry; play it at the cot")
    return 0


def _refuse_outputs(arguments: argparse.Namespace) -> None:
    """Refuse a folder that cannot be written, before ten minutes are spent."""
    from device.report.output_trial import try_outputs

    if arguments.out is not None:
        folder = Path(arguments.out)
        folder.mkdir(parents=True, exist_ok=True)
        inputs = [each for each in (arguments.room, arguments.played, arguments.config) if each is not None]
        try_outputs({"--out": [folder / name for name in (REPORT, FIGURES, FRAGMENT)]}, inputs)


def _measured_recordings(arguments: argparse.Namespace) -> RoomMeasure:
    from device.calibration.opened_models import room_models
    from device.calibration.room_measure import measure_room
    from device.config.loading import locating
    from device.runtime.model_loader import open_models
    from device.tools.calibrate.recorded_room import heard_recording

    with locating(arguments.config):
        settings: Settings = chosen_settings(arguments)
        with open_models(settings) as models:
            room, played = (
                None if source is None else heard_recording(settings, models, source)
                for source in (arguments.room, arguments.played)
            )
            return measure_room(room, played, room_models(settings, models))


def _report(measure: RoomMeasure, out: str | None) -> int:
    """Print the report and the fragment, or write them with the figures."""
    from device.calibration.room_findings import room_findings
    from device.calibration.room_report import json_text, room_text, room_toml
    from device.report.result_files import encode, write_whole

    texts = {REPORT: room_text(measure), FIGURES: json_text(measure), FRAGMENT: room_toml(measure)}
    shown = texts[REPORT]
    if out is None:
        shown += f"\n{texts[FRAGMENT]}"
    else:
        for name, text in texts.items():
            write_whole(Path(out) / name, encode(text))
        shown += f"\nRead: {Path(out) / REPORT}, {Path(out) / FIGURES}\nCopy from: {Path(out) / FRAGMENT}\n"
    sys.stdout.flush()
    sys.stdout.buffer.write(encode(shown))
    return 1 if any(finding.outcome == "failure" for finding in room_findings(measure)) else 0
