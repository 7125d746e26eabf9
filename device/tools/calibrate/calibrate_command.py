"""`auricle calibrate`: measures a room, and says what to expect of the night in it; changes no configuration."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from device.errors import ConfigError
from device.runtime.command_line import add_settings_options, bounded_number, chosen_settings
from device.runtime.stderr_lines import print_notice

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping

    from device.calibration.room_measure import RoomMeasure
    from device.config.settings import Settings

REPORT, FIGURES, FRAGMENT = "room.txt", "room.json", "room.toml"

_MINUTES = 10.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `auricle calibrate`."""
    add_settings_options(parser)
    parser.add_argument("--instance", metavar="NAME", help="name of the daemon (default: that of the file)")
    parser.add_argument(
        "--minutes", metavar="N", type=_minutes, help=f"how long the room alone is heard (default: {_MINUTES:g})"
    )
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
        return _listen(arguments)
    if arguments.minutes is not None:
        raise ConfigError("--minutes is for listening; a recording is heard to its end")
    return _reported(_measured_recordings(arguments), arguments.out)


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
    from device.report.result_files import made_folders

    if arguments.out is not None:
        folder = Path(arguments.out)
        inputs = [each for each in (arguments.room, arguments.played, arguments.config) if each is not None]
        with made_folders(folder):
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
                None if source is None else heard_recording(settings, models, source, hears_pips=hears_pips)
                for source, hears_pips in ((arguments.room, False), (arguments.played, True))
            )
            return measure_room(room, played, room_models(settings, models))


def _listen(arguments: argparse.Namespace) -> int:
    """Measure by the microphone: through the daemon of the instance if it runs, else by ourselves."""
    from device.config.profiles import DEFAULT_PROFILE
    from device.runtime.paths import instance_name, status_socket, status_sockets
    from device.tools.calibrate.daemon_room import DaemonRoom
    from device.tools.calibrate.progress_line import ProgressLine

    profile = arguments.profile or DEFAULT_PROFILE
    instance = instance_name(arguments.instance, config=arguments.config, profile=profile)
    seconds = 60.0 * (arguments.minutes or _MINUTES)
    status = status_sockets().get(instance) or status_socket(instance)
    if _runs(status):
        print_notice(f"the daemon {instance} holds the microphone and measures: an alarm may ring while the cry plays")
        result = DaemonRoom(status, ProgressLine()).measure(seconds)
        return _report({REPORT: result["report"], FRAGMENT: result["fragment"]}, result["figures"], arguments.out)
    return _reported(_measured_live(arguments, seconds), arguments.out)


def _runs(status: Path) -> bool:
    """Whether a daemon serves this socket. Raises ServiceError if this user may not ask it, or if it hangs."""
    from device.runtime.sockets.status_socket import is_served, read_status

    if not is_served(status):
        return False
    read_status(status)
    return True


def _measured_live(arguments: argparse.Namespace, seconds: float) -> RoomMeasure:
    from device.calibration.opened_models import room_models
    from device.calibration.room_measure import measure_room
    from device.config.loading import locating
    from device.errors import MicrophoneError
    from device.runtime.model_loader import open_models
    from device.runtime.secrets.microphone_login import open_microphone
    from device.tools.calibrate.live_room import LiveRoom
    from device.tools.calibrate.progress_line import PLAYED, ROOM, ProgressLine

    with locating(arguments.config):
        settings = chosen_settings(arguments)
        with open_models(settings) as models, open_microphone(settings.microphone) as microphone:
            progress = ProgressLine()
            live = LiveRoom(settings, models, microphone, progress)
            progress.say(ROOM)
            room = live.room(seconds)
            progress.say(PLAYED)
            played = live.played()
            if room is None and played is None:
                raise MicrophoneError("nothing was measured: it was interrupted before there was any sound")
            return measure_room(room, played, room_models(settings, models))


def _reported(measure: RoomMeasure, out: str | None) -> int:
    from device.calibration.room_report import room_json, room_text, room_toml

    return _report({REPORT: room_text(measure), FRAGMENT: room_toml(measure)}, room_json(measure), out)


def _report(texts: Mapping[str, str], figures: Mapping[str, Any], out: str | None) -> int:
    """Print the report and the fragment, or write them with the figures."""
    from device.calibration.room_report import json_text
    from device.report.result_files import encode, made_folders, write_whole

    shown = texts[REPORT]
    if out is None:
        shown += f"\n{texts[FRAGMENT]}"
    else:
        with made_folders(out):
            for name, text in {**texts, FIGURES: json_text(figures)}.items():
                write_whole(Path(out) / name, encode(text))
        shown += f"\nRead: {Path(out) / REPORT}, {Path(out) / FIGURES}\nCopy from: {Path(out) / FRAGMENT}\n"
    sys.stdout.flush()
    sys.stdout.buffer.write(encode(shown))
    return 1 if any(finding["outcome"] == "failure" for finding in figures["findings"]) else 0


def _minutes(text: str) -> float:
    return bounded_number(text, 0.1, 60, "not a number of minutes, 0.1 to 60")
