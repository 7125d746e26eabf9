"""The command line: chooses a verb, delegates to its module, and turns every error of ours into one line, exit code 2.

Each verb's module owns `add_arguments(parser)` and `run(arguments)`. It is imported only if its verb is given:
`auricle --version` and `auricle --help` need no library.
"""

from __future__ import annotations

import argparse
import errno
import importlib
import os
import sys
import traceback
from importlib import metadata
from typing import TYPE_CHECKING, NamedTuple, NoReturn

from device.errors import AuricleError
from device.printable import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

_BAD_INPUT = 2
_CURES = {
    errno.ENOSPC: "; free space there, or name a file on another disk",
    errno.EDQUOT: "; your quota there is used up: name a file on another disk",
    errno.EIO: "; the disk fails: name a file on another one",
}
_INTERRUPTED = 130


class Verb(NamedTuple):
    """A verb of the command line.

    Attributes:
        module: that runs it.
        help: its line in `auricle --help`.
        add_arguments: the module's function that adds its options.
    """

    module: str
    help: str
    add_arguments: str = "add_arguments"


VERBS = {
    "listen": Verb("device.daemon.listen_command", "hear a microphone, day and night"),
    "status": Verb("device.tools.status", "what the daemons that run here hear"),
    "acknowledge": Verb(
        "device.tools.send_command", "say that an alarm was seen, or all of them", "add_acknowledge_arguments"
    ),
    "pause": Verb("device.tools.send_command", "let nothing sound for some minutes", "add_pause_arguments"),
    "resume": Verb("device.tools.send_command", "let signals sound again", "add_resume_arguments"),
    "self-test": Verb("device.tools.send_command", "try the way from sound to broker", "add_self_test_arguments"),
    "mode": Verb(
        "device.tools.send_command", "let a label raise alarms, be only logged, or be off", "add_mode_arguments"
    ),
    "web": Verb("device.web.web_command", "the page on the phone, and who may open it"),
    "ward": Verb("device.ward.ward_command", "the beds of a broker: which hear, and which alarms wait"),
    "push": Verb("device.push.push_command", "send alarms to phones, or a test message"),
    "history": Verb("device.tools.history.history_command", "the alarms of the night, and who saw them"),
    "devices": Verb("device.tools.devices", "list the microphones, or meter one"),
    "check": Verb("device.tools.check.check_command", "try everything a daemon needs, and say what to do"),
    "calibrate": Verb(
        "device.tools.calibrate.calibrate_command", "measure a room before it is trusted, and say what to expect"
    ),
    "replay": Verb("device.replay.replay_command", "hear recordings, faster than real time"),
    "classify": Verb("device.replay.classify_command", "hear one recording, and answer with one JSON document"),
    "evaluate": Verb("device.tools.evaluate.evaluate_command", "hear labelled nights, and say what was found"),
    "models": Verb("device.tools.models.models_command", "list the models at hand, verify one, or install a new one"),
    "config": Verb("device.tools.configuration", "print an example configuration, or check one"),
    "install": Verb(
        "device.tools.install.install_command", "lay the daemon down on this machine, or go back a version"
    ),
    "uninstall": Verb("device.tools.install.uninstall_command", "take the daemon away from this machine"),
    "demo": Verb("device.demo.demo_command", "hear a synthesized bedside minute"),
    "mqtt": Verb("device.tools.mqtt_forget", "clear what a broker keeps of an instance that runs no more"),
    "pins-low": Verb("device.tools.pins_low", "drive the configured pins low: what a killed daemon left high"),
}


def main(words: Sequence[str] | None = None) -> int:
    """Run `auricle`; returns its exit code: that of the verb, 2 for bad input, 130 after Ctrl-C.

    Args:
        words: of the command line, without the program's name; None for those of this process.
    """
    words = sys.argv[1:] if words is None else words
    try:
        return _run(_parser(words).parse_args(words))
    except KeyboardInterrupt:
        return _INTERRUPTED


def _run(arguments: argparse.Namespace) -> int:
    try:
        code = int(importlib.import_module(VERBS[arguments.verb].module).run(arguments))
        sys.stdout.flush()
    except (AuricleError, OSError) as error:
        return _report(error, debug=arguments.debug)
    return code


def _report(error: AuricleError | OSError, *, debug: bool) -> int:
    """Print an error as one line; returns the exit code."""
    if isinstance(error, BrokenPipeError):  # the reader of our results has closed its end early: no error
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    if debug:
        traceback.print_exception(error)
    print(f"auricle: {printable(_sentence(error))}", file=sys.stderr)
    return _BAD_INPUT


def _sentence(error: AuricleError | OSError) -> str:
    """What failed, and what would help if the system's own words do not say it."""
    if isinstance(error, AuricleError) or not error.strerror:
        return str(error)
    where = "" if error.filename is None else f"{os.fsdecode(error.filename)}: "
    cure = _CURES.get(error.errno or 0, "")
    return f"{where}{error.strerror}{cure}"


class _Parser(argparse.ArgumentParser):
    """Reports argparse's own errors in our form: one line."""

    def error(self, message: str) -> NoReturn:
        """Exit with the message."""
        self.exit(_BAD_INPUT, f"{self.prog}: {message}; see {self.prog} --help\n")


def _parser(words: Sequence[str]) -> argparse.ArgumentParser:
    """A parser that knows all verbs, and the options of the one that is given."""
    parser = _Parser(prog="auricle", description="Listens at the bedside: what was heard, and when.")
    parser.add_argument("--version", action="version", version=f"auricle {metadata.version('auricle')}")
    parser.add_argument("--debug", action="store_true", help="print the traceback of an error")
    verbs = parser.add_subparsers(title="verbs", dest="verb", required=True, metavar="VERB")
    given = next((word for word in words if not word.startswith("-")), None)
    for name, verb in VERBS.items():
        options = verbs.add_parser(name, help=verb.help)
        if name == given:
            getattr(importlib.import_module(verb.module), verb.add_arguments)(options)
    return parser


if __name__ == "__main__":
    sys.exit(main())
