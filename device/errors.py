"""All errors that Auricle raises on purpose; each also inherits the builtin that callers would expect.

    AuricleError
    ├── ConfiguredError                  may be about one key of a configuration file
    │   ├── ConfigError  (ValueError)    an invalid setting
    │   └── BundleError  (ValueError)    a model file that is damaged or fails verification
    ├── SpecError        (ValueError)    an inconsistent feature specification
    ├── ClassifierError  (RuntimeError)  a network that fails at run time, or returns invalid scores
    ├── RecordingError   (ValueError)    a file without usable sound
    ├── MicrophoneError  (OSError)       a microphone that is missing or ambiguous
    ├── CommandError     (ValueError)    an invalid command to the daemon
    ├── JournalError     (OSError)       the journal of alarms cannot be read or written, or is damaged
    ├── ServiceError     (RuntimeError)  a daemon, worker or cluster that cannot run here or does not answer
    ├── StoppedError     (RuntimeError)  what was being opened is not needed any more
    └── MissingExtraError (ImportError)  a library that one of the extras would install

A message says what is wrong, with which value, and what would work, in one sentence: the command line prints
it unchanged and exits with code 2.
"""

from __future__ import annotations


class AuricleError(Exception):
    """The root: what the command line turns into one line on stderr and exit code 2."""


class ConfiguredError(AuricleError):
    """An error that may be about one key of a configuration file.

    Attributes:
        key: path of the key that is wrong, from the root of the file; empty if the sentence is about no one key.
    """

    def __init__(self, message: str, *, key: tuple[str | int, ...] = ()) -> None:
        super().__init__(message)
        self.key = key


class ConfigError(ConfiguredError, ValueError):
    """A configuration file, profile or option has an invalid value."""


class SpecError(AuricleError, ValueError):
    """A feature specification contradicts itself."""


class BundleError(ConfiguredError, ValueError):
    """A model bundle is damaged or forged, or does not reproduce its golden vectors on this machine."""


class ClassifierError(AuricleError, RuntimeError):
    """A network could not be run, or returned a score that is not a finite number."""


class RecordingError(AuricleError, ValueError):
    """A recording is empty, corrupt, unreadable, or shorter than its header declares."""


class MicrophoneError(AuricleError, OSError):
    """No microphone matches the selection, or several do; the message lists the available ones."""


class CommandError(AuricleError, ValueError):
    """A command to a running daemon is malformed or out of range."""


class JournalError(AuricleError, OSError):
    """The journal cannot be opened, read or written; the message says what is safe and what would work."""


class ServiceError(AuricleError, RuntimeError):
    """A daemon, a worker process or a cluster cannot run or be installed here, or does not answer."""


class StoppedError(AuricleError, RuntimeError):
    """What was being opened is not needed any more: the daemon was asked to stop."""


class MissingExtraError(AuricleError, ImportError):
    """A library is not installed; the message names the extra that installs it."""


def one_sentence(error: BaseException) -> str:
    """An error's message; one that is not ours is named by its type as well."""
    text = " ".join(str(error).split())
    return text if isinstance(error, AuricleError | OSError) else f"{type(error).__name__}: {text}"
