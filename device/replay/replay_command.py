"""`auricle replay`: its options on the command line, and the replay that they ask for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from device.config.loading import locating
from device.replay.batch import replay
from device.replay.replay_options import ReplayOptions
from device.runtime.command_line import add_settings_options, bounded_number, chosen_settings, whole_number

if TYPE_CHECKING:
    import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `auricle replay`."""
    add_settings_options(parser)
    parser.add_argument("--model", metavar="BUNDLE", action="append", default=[], help="a model to use instead; repeat")
    parser.add_argument("--events", metavar="OUT.jsonl", help="events, one JSON object a line")
    parser.add_argument("--scores", metavar="OUT.csv", help="every window's probabilities")
    parser.add_argument("--labels", metavar="OUT", help="Audacity label track; a folder for several recordings")
    parser.add_argument("--report", metavar="OUT", help="HTML page; a folder for several recordings")
    parser.add_argument("--explain", metavar="SECOND", type=_second, help="why there was, or was no, alert then")
    parser.add_argument("--realtime", action="store_true", help="take as long as the recording lasts")
    parser.add_argument("--channel", metavar="N", type=_channel, help="hear one channel, the first is 1 (default: mix)")
    parser.add_argument("--workers", metavar="N", type=_workers, help="processes, for many recordings")
    parser.add_argument(
        "path", metavar="FILE_OR_DIR", nargs="+", help="sound files, folders of them; - for standard input"
    )


def run(arguments: argparse.Namespace) -> int:
    """Replay the recordings; returns the exit code: 0, or 2 if an input was bad. Raises AuricleError, OSError."""
    with locating(arguments.config):
        return replay(_options(arguments), arguments.path)


def _options(arguments: argparse.Namespace) -> ReplayOptions:
    return ReplayOptions(
        settings=chosen_settings(arguments),
        models=tuple(arguments.model),
        events=arguments.events,
        scores=arguments.scores,
        labels=arguments.labels,
        report=arguments.report,
        explain_s=arguments.explain,
        realtime=arguments.realtime,
        channel=arguments.channel,
        workers=arguments.workers,
        config=arguments.config,
    )


def _channel(text: str) -> int:
    """The first channel is 1 for people, 0 inside."""
    return whole_number(text, 1, 1024, "a channel, the first is 1") - 1


def _workers(text: str) -> int:
    return whole_number(text, 1, 256, "a number of processes")


def _second(text: str) -> float:
    return bounded_number(text, 0.0, 1e9, "no second of the recordings, 0 to 1000000000")
