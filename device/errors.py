"""Every error that Auricle raises on purpose, each also the builtin that people would catch.

    AuricleError
    ├── ConfigError      (ValueError)    a setting that does not hold
    ├── SpecError        (ValueError)    a feature specification that makes no numbers
    ├── BundleError      (ValueError)    a model file that must not be trusted
    ├── ClassifierError  (RuntimeError)  a network that fails, or answers nonsense, while it listens
    ├── RecordingError   (ValueError)    a file that holds no usable sound
    ├── MicrophoneError  (OSError)       a microphone that is not there, or cannot be told from others
    ├── CommandError     (ValueError)    something asked of the daemon that it must not do
    ├── JournalError     (OSError)       the durable record of alarms refuses, or is damaged
    ├── ServiceError     (RuntimeError)  a daemon that cannot run here, or be installed, or does not answer
    └── MissingExtraError (ImportError)  a library that one of the extras would install

A message says what, which value, and what would work, in one sentence: the command line prints
it as it is and leaves with exit code 2.
"""

from __future__ import annotations


class AuricleError(Exception):
    """The root: what the command line turns into one line on stderr and exit code 2."""


class ConfigError(AuricleError, ValueError):
    """A configuration file, profile or option says something that cannot be."""


class SpecError(AuricleError, ValueError):
    """A feature specification contradicts itself."""


class BundleError(AuricleError, ValueError):
    """A model bundle is damaged, forged, or does not reproduce its golden numbers here."""


class ClassifierError(AuricleError, RuntimeError):
    """A network could not be run, or gave a score that is not a finite number."""


class RecordingError(AuricleError, ValueError):
    """A recording is empty, corrupt, unreadable, or shorter than its header declares."""


class MicrophoneError(AuricleError, OSError):
    """No microphone answers to what was asked for, or several do; the message lists those there are."""


class CommandError(AuricleError, ValueError):
    """Something was asked of a running daemon that means nothing, or too much."""


class JournalError(AuricleError, OSError):
    """The journal cannot be opened, read or written; the message says what is kept and what would work."""


class ServiceError(AuricleError, RuntimeError):
    """The daemon cannot run or be installed on this machine, or the one asked for does not answer."""


class MissingExtraError(AuricleError, ImportError):
    """A library is not installed; the message names the extra that brings it."""
