"""Whatever Apprise can reach, about 150 services, each message sent by a process of its own with a time limit."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

from device.config.wording import listed
from device.errors import ConfigError
from device.push.services.apprise_child import NOT_INSTALLED
from device.push.services.delivery_error import DeliveryError
from device.runtime.systemd_notify import without_notify

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from device.push.notification import Notification, Urgency
    from device.push.owed.ledger_content import Told
    from device.push.services.push_service import Acknowledgement

WITHIN_S = 45.0
_COMMAND = (sys.executable, "-m", "device.push.services.apprise_child")
_TYPES: Mapping[Urgency, str] = {"high": "failure", "medium": "warning", "low": "info", "quiet": "success"}


class AppriseService:
    """The URLs of one file.

    Args:
        urls: text of the file: one URL a line; empty lines and lines that begin with # are skipped.
        environment: of the child process.
        command: of the child process.

    Raises:
        ConfigError: there is no URL in it.
    """

    def __init__(self, urls: str, environment: Mapping[str, str], command: Sequence[str] = _COMMAND) -> None:
        lines = [line.strip() for line in urls.splitlines()]
        self._urls = [line for line in lines if line and not line.startswith("#")]
        if not self._urls:
            raise ConfigError("the file of Apprise's URLs holds none; write one a line, as mailto://...")
        self._command = command
        self._environment = without_notify(environment)
        self._about: tuple[str, str] | None = None
        self._missing: list[int] = []  # numbers of the URLs that have not accepted the current message

    def __repr__(self) -> str:
        return f"AppriseService({len(self._urls)} URLs)"

    def send(self, notification: Notification) -> str:
        """Send the message to every URL; after a failure, the next attempt is for those alone that failed."""
        about = notification.subject, notification.title
        if about != self._about:
            self._about, self._missing = about, list(range(len(self._urls)))
        result = self._result_of_child(notification)
        if result.get("problem") == NOT_INSTALLED:
            raise DeliveryError("refused", "Apprise is not installed here; install the extra push")
        accepted, unknown = _numbers(result, "accepted"), _numbers(result, "unknown")
        self._missing = [number for number in self._missing if number not in accepted]
        if not self._missing:
            self._about = None
            return ""
        if unknown:
            which = listed([str(number + 1) for number in unknown])
            raise DeliveryError("refused", f"URL {which} of Apprise's file is none that it knows; correct it")
        which = listed([str(number + 1) for number in self._missing])
        raise DeliveryError(
            "network", f"URL {which} of Apprise's file accepts no message: no network, or a wrong token"
        )

    def acknowledgements(self, waiting: Mapping[str, Told]) -> Sequence[Acknowledgement]:  # noqa: ARG002 - of none
        """None: Apprise hears of no answer."""
        return ()

    def _result_of_child(self, notification: Notification) -> dict[str, Any]:
        request = {
            "urls": self._urls,
            "numbers": self._missing,
            "title": notification.title,
            "text": notification.text,
            "type": _TYPES[notification.urgency],
        }
        try:
            ended = subprocess.run(  # noqa: S603 - our own module; what is secret goes through stdin
                self._command,
                check=False,
                input=json.dumps(request).encode(),
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=self._environment,
                timeout=WITHIN_S,
            )
        except subprocess.TimeoutExpired:  # it was killed
            raise DeliveryError("network", f"Apprise sends nothing within {WITHIN_S:g} s") from None
        except OSError as error:
            raise DeliveryError("busy", f"no process for Apprise can be started ({error.strerror})") from None
        try:
            result = json.loads(ended.stdout)
        except ValueError:
            raise DeliveryError("busy", f"the process of Apprise ended with {ended.returncode} and no result") from None
        return result if isinstance(result, dict) else {}


def _numbers(result: Mapping[str, Any], name: str) -> list[int]:
    found = result.get(name)
    return [number for number in found if type(number) is int] if isinstance(found, list) else []
