"""The command line: chooses, delegates, and turns every error of ours into one line and exit code 2.

Imports late: `auricle --version` needs nothing that a replay needs.
"""

from __future__ import annotations

import argparse
import os
import sys
import traceback
from importlib import metadata
from typing import TYPE_CHECKING, NoReturn

from device.errors import AuricleError, ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from device.config.settings import Settings

_BAD_INPUT = 2
_INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `auricle`; returns its exit code: 0, 1 where a demo failed, 2 for bad input, 130 after Ctrl-C."""
    parser = _parser()
    given = parser.parse_args(arguments)
    try:
        code: int = given.run(given)
        sys.stdout.flush()
    except (AuricleError, OSError) as error:
        return _refuse(error, debug=given.debug)
    except KeyboardInterrupt:
        return _INTERRUPTED
    return code


def _refuse(error: AuricleError | OSError, *, debug: bool) -> int:
    if isinstance(error, BrokenPipeError):  # whoever read our results has heard enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    if debug:
        traceback.print_exception(error)
    print(f"auricle: {' '.join(str(error).split())}", file=sys.stderr)
    return _BAD_INPUT


class _Parser(argparse.ArgumentParser):
    """argparse's own refusals, in our form: one line."""

    def error(self, message: str) -> NoReturn:
        """Refuse the command line."""
        self.exit(_BAD_INPUT, f"{self.prog}: {message}; see {self.prog} --help\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="auricle", description="Listens at the bedside: what was heard, and when.")
    parser.add_argument("--version", action="version", version=f"auricle {metadata.version('auricle')}")
    parser.add_argument("--debug", action="store_true", help="print the traceback of an error")
    verbs = parser.add_subparsers(title="verbs", required=True, metavar="VERB", parser_class=_Parser)
    _add_listen(verbs.add_parser("listen", help="hear a microphone, day and night"))
    _add_status(verbs.add_parser("status", help="what the daemons that run here hear"))
    _add_history(verbs.add_parser("history", help="the alarms of the night, and who saw them"))
    _add_devices(verbs.add_parser("devices", help="list the microphones, or meter one"))
    _add_check(verbs.add_parser("check", help="try everything a daemon needs, and say what to do"))
    _add_replay(verbs.add_parser("replay", help="hear recordings, faster than real time"))
    _add_models(verbs.add_parser("models", help="list the models at hand, or verify one"))
    _add_config(verbs.add_parser("config", help="print an example configuration, or check one"))
    _add_install(verbs.add_parser("install", help="lay the daemon down on this machine, or go back a version"))
    _add_uninstall(verbs.add_parser("uninstall", help="take the daemon away from this machine"))
    _add_demo(verbs.add_parser("demo", help="hear a synthesized bedside minute"))
    _add_pins_low(verbs.add_parser("pins-low", help="drive the configured pins low: what a killed daemon left high"))
    return parser


def _add_settings(parser: argparse.ArgumentParser) -> None:
    chosen = parser.add_mutually_exclusive_group()
    chosen.add_argument("--profile", metavar="NAME", help="a built-in profile (default: nursery)")
    chosen.add_argument("--config", metavar="FILE", help="a TOML file; see auricle config --example")


# --- listen


def _add_listen(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(run=_listen)
    _add_settings(parser)
    parser.add_argument("--instance", metavar="NAME", help="name of this daemon (default: that of the file)")
    played = parser.add_argument_group("without a microphone")
    played.add_argument("--source", metavar="FILE_OR_DIR", nargs="+", default=[], help="hear recordings instead")
    played.add_argument("--speed", metavar="N", type=_speed, default=1.0, help="times as fast (default: 1)")
    played.add_argument("--loop", action="store_true", help="hear them over and over")
    played.add_argument("--shed", action="store_true", help="fall behind as with a microphone: hear less, never late")


def _listen(given: argparse.Namespace) -> int:
    from device.config.profiles import DEFAULT_PROFILE
    from device.daemon.app import listen
    from device.daemon.options import ListenOptions

    if not given.source and (given.speed != 1.0 or given.loop or given.shed):
        raise ConfigError("--speed, --loop and --shed are for recordings; name some with --source")
    order = ListenOptions(
        config=given.config,
        profile=given.profile or DEFAULT_PROFILE,
        instance=given.instance,
        recordings=tuple(given.source),
        speed=given.speed,
        loops=given.loop,
        sheds=given.shed,
    )
    return listen(order)


def _speed(text: str) -> float:
    try:
        speed = float(text)
    except ValueError:
        speed = 0.0
    if 0.01 <= speed <= 1e6:
        return speed
    raise argparse.ArgumentTypeError(f"{text!r} is not a speed, 0.01 to 1000000 times the recordings'")


# --- status


def _add_status(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(run=_status)
    parser.add_argument("--instance", metavar="NAME", help="one daemon (default: all that run here)")
    parser.add_argument("--json", action="store_true", help="as JSON, one object a line")


def _status(given: argparse.Namespace) -> int:
    from device.tools.status import show_status

    return show_status(given.instance, as_json=given.json, out=sys.stdout)


# --- history


def _add_history(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(run=_history)
    chosen = parser.add_mutually_exclusive_group()
    chosen.add_argument("--instance", metavar="NAME", help="one daemon (default: all that keep a journal here)")
    chosen.add_argument("--config", metavar="FILE", help="the daemon of this configuration, and its time zone")
    parser.add_argument("--since", metavar="WHEN", help="22:00, or 2026-11-21T22:00 (default: 24 hours ago)")
    parser.add_argument("--csv", action="store_true", help="every change of every alarm, as CSV")


def _history(given: argparse.Namespace) -> int:
    from device.tools.history import HistoryOptions, show_history

    order = HistoryOptions(instance=given.instance, config=given.config, since=given.since, as_csv=given.csv)
    return show_history(order, sys.stdout)


# --- pins-low


def _add_pins_low(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(run=_pins_low)
    parser.add_argument("--config", metavar="FILE", required=True, help="the daemon's TOML file")
    parser.add_argument("--instance", metavar="NAME", help="name of the daemon (default: that of the file)")


def _pins_low(given: argparse.Namespace) -> int:
    from device.config.loading import load_config
    from device.config.profiles import DEFAULT_PROFILE
    from device.errors import ServiceError
    from device.runtime.paths import instance_name, runtime_folder
    from device.sinks.gpio.pins import drive_low

    instance = instance_name(given.instance, config=given.config, profile=DEFAULT_PROFILE)
    problem = drive_low(load_config(given.config).gpio, work_folder=runtime_folder(instance))
    if problem is not None:
        raise ServiceError(problem)
    return 0


# --- devices


def _add_devices(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(run=_devices)
    parser.add_argument(
        "--meter", metavar="DEVICE", nargs="?", const="default", help="show the level of one (default: the default one)"
    )
    parser.add_argument("--seconds", metavar="N", type=_seconds, help="end the meter by itself (default: Ctrl-C)")


def _devices(given: argparse.Namespace) -> int:
    from device.config.settings import MicrophoneSettings
    from device.tools.devices import list_devices, meter

    if given.meter is not None:
        meter(MicrophoneSettings(device=given.meter), sys.stdout, seconds=given.seconds)
        return 0
    if given.seconds is not None:
        raise ConfigError("--seconds ends the level meter; give it with --meter")
    for line in list_devices():
        print(line)
    return 0


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if 0.1 <= seconds <= 1e6:
        return seconds
    raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds, 0.1 to 1000000")


# --- check


def _add_check(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(run=_check)
    _add_settings(parser)
    parser.add_argument("--instance", metavar="NAME", help="name of the daemon (default: that of the file)")


def _check(given: argparse.Namespace) -> int:
    from device.config.profiles import DEFAULT_PROFILE
    from device.tools.check.checklist import Order, check

    order = Order(config=given.config, profile=given.profile or DEFAULT_PROFILE, instance=given.instance)
    return check(order, sys.stdout)


# --- replay


def _add_replay(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(run=_replay)
    _add_settings(parser)
    parser.add_argument("--model", metavar="BUNDLE", action="append", default=[], help="a model to use instead; repeat")
    parser.add_argument("--events", metavar="OUT.jsonl", help="events, one JSON object a line")
    parser.add_argument("--scores", metavar="OUT.csv", help="every window's probabilities")
    parser.add_argument("--labels", metavar="OUT", help="Audacity label track; a folder for several recordings")
    parser.add_argument("--report", metavar="OUT", help="HTML page; a folder for several recordings")
    parser.add_argument("--explain", metavar="SECOND", type=float, help="why there was, or was no, alert then")
    parser.add_argument("--realtime", action="store_true", help="take as long as the recording lasts")
    parser.add_argument("--channel", metavar="N", type=_channel, help="hear one channel, the first is 1 (default: mix)")
    parser.add_argument("--workers", metavar="N", type=_workers, help="processes, for many recordings")
    parser.add_argument("path", metavar="FILE_OR_DIR", nargs="+", help="WAV, FLAC or OGG, or folders of them")


def _replay(given: argparse.Namespace) -> int:
    from device.replay.arguments import ReplayOptions
    from device.replay.batch import replay

    order = ReplayOptions(
        settings=_settings(given.profile, given.config),
        models=tuple(given.model),
        events=given.events,
        scores=given.scores,
        labels=given.labels,
        report=given.report,
        explain_s=given.explain,
        realtime=given.realtime,
        channel=given.channel,
        workers=given.workers,
    )
    return replay(order, given.path)


def _settings(profile_name: str | None, config_path: str | None) -> Settings:
    from device.config.loading import load_config, profile
    from device.config.profiles import DEFAULT_PROFILE

    return load_config(config_path) if config_path else profile(profile_name or DEFAULT_PROFILE)


def _channel(text: str) -> int:
    """The first channel is 1 for people, 0 inside."""
    return _whole(text, 1, 1024, "a channel, the first is 1") - 1


def _workers(text: str) -> int:
    return _whole(text, 1, 256, "a number of processes")


def _whole(text: str, least: int, most: int, what: str) -> int:
    if text.isascii() and text.isdigit() and least <= int(text) <= most:
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is not {what}, {least} to {most}")


# --- models


def _add_models(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(run=_list_models)
    verbs = parser.add_subparsers(metavar="VERB", parser_class=_Parser)
    verify = verbs.add_parser("verify", help="repeat every check on a bundle, on this machine")
    verify.add_argument("bundle", metavar="BUNDLE", help="a shipped model's name, or a .tflite file")
    verify.set_defaults(run=_verify_model)


def _list_models(_given: argparse.Namespace) -> int:
    from device.runtime.model_library import describe_shipped

    for line in describe_shipped():
        print(line)
    return 0


def _verify_model(given: argparse.Namespace) -> int:
    from device.runtime.model_library import verify

    for line in verify(given.bundle):
        print(line)
    return 0


# --- config


def _add_config(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(run=_config)
    chosen = parser.add_mutually_exclusive_group(required=True)
    chosen.add_argument("--example", action="store_true", help="print a commented example with every key")
    chosen.add_argument("--check", metavar="FILE", help="say whether a file holds")


def _config(given: argparse.Namespace) -> int:
    from device.config.example import example_config
    from device.config.loading import load_config

    if given.example:
        print(example_config(), end="")
        return 0
    load_config(given.check)
    print(f"{given.check} holds")
    return 0


# --- install, uninstall


def _add_install(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(run=_install)
    parser.add_argument("--profile", metavar="NAME", help="of a first configuration (default: nursery)")
    parser.add_argument("--instance", metavar="NAME", help="name of the daemon (default: that of the profile)")
    parser.add_argument(
        "--from", metavar="PATH", dest="origin", help="wheel or checkout (default: where this one is from)"
    )
    parser.add_argument("--no-start", action="store_true", help="lay it down, but do not start it")
    parser.add_argument("--rollback", action="store_true", help="go back to the version before; again, and forward")
    _add_staging(parser)


def _add_uninstall(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(run=_uninstall)
    parser.add_argument("--purge", action="store_true", help="configurations and logs too")
    _add_staging(parser)


def _add_staging(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--root", metavar="DIR", default="/", help="the file system to change (default: this machine's)"
    )
    parser.add_argument("--dry-run", action="store_true", help="say what would be done")


def _install(given: argparse.Namespace) -> int:
    from pathlib import Path

    from device.config.profiles import DEFAULT_PROFILE
    from device.tools.install.install_command import InstallOptions, install, rollback

    root = Path(given.root)
    if given.rollback:
        if given.profile or given.instance or given.origin or given.no_start:
            raise ConfigError("--rollback goes back to what was there; it takes only --root and --dry-run")
        return rollback(root=root, dry_run=given.dry_run)
    order = InstallOptions(
        profile=given.profile or DEFAULT_PROFILE,
        instance=given.instance,
        origin=Path(given.origin) if given.origin else None,
        start=not given.no_start,
    )
    return install(order, root=root, dry_run=given.dry_run)


def _uninstall(given: argparse.Namespace) -> int:
    from pathlib import Path

    from device.tools.install.install_command import uninstall

    return uninstall(root=Path(given.root), purge=given.purge, dry_run=given.dry_run)


# --- demo


def _add_demo(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(run=_demo)
    parser.add_argument("--out", metavar="DIR", default="auricle-demo", help="where scene, events and page are written")


def _demo(given: argparse.Namespace) -> int:
    from pathlib import Path

    from device.demo.demo_command import run

    return run(Path(given.out), _settings("nursery", None))


if __name__ == "__main__":
    sys.exit(main())
