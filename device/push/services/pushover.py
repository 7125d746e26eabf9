"""Pushover: https://pushover.net/api and https://pushover.net/api/receipts.

An alarm of high priority is sent with emergency priority: Pushover repeats it until somebody acknowledges it on a
phone. Its receipt is polled meanwhile, and cancelled once the alarm is acknowledged elsewhere or over.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from device.errors import ConfigError
from device.printable import excerpt
from device.push.services.delivery_error import DeliveryError
from device.push.services.https_client import HttpsClient, json_object
from device.push.services.push_service import Acknowledgement

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from device.config.push.notify_settings import NotifySettings
    from device.push.notification import Notification, Urgency
    from device.push.owed.ledger_content import Told
    from device.push.services.https_client import Answer
    from device.push.services.server_address import ServerAddress

API = "https://api.pushover.net"
_EMERGENCY = 2
_PRIORITIES: Mapping[Urgency, int] = {"high": _EMERGENCY, "medium": 1, "low": -1, "quiet": -2}
_MOST_TITLE, _MOST_TEXT = 250, 1024
_KEY = re.compile(r"[A-Za-z0-9]{30}")
_RECEIPT = re.compile(r"[A-Za-z0-9]{1,64}")


class Pushover:
    """One application's messages to one user or group.

    Args:
        address: of the API.
        token: of the application.
        user: key of the user or group.
        settings: how often an emergency is repeated, and for how long.

    Raises:
        ConfigError: token or key do not look like one.
    """

    def __init__(self, address: ServerAddress, *, token: str, user: str, settings: NotifySettings) -> None:
        for what, value in (("API token", token), ("user key", user)):
            if not _KEY.fullmatch(value):
                raise ConfigError(f"the {what} of Pushover must be 30 letters and digits; copy it again")
        self._client = HttpsClient(address, settings.ca_file)
        self._host, self._base = address.host, address.path.rstrip("/")
        self._token, self._user = token, user
        self._settings = settings

    def __repr__(self) -> str:
        return f"Pushover({self._host!r})"

    def send(self, notification: Notification) -> str:
        """Cancel what is obsolete, then send the message; returns the receipt of an emergency.

        A reminder of an emergency that Pushover still repeats, or that somebody has acknowledged there, is not sent.
        """
        for receipt in notification.obsolete:
            self._cancel(receipt)
        in_force = list(notification.receipts.values())
        if notification.urgency == "high" and notification.repeats and in_force and self._is_heard(in_force[0]):
            return in_force[0]
        fields: dict[str, Any] = {
            "token": self._token,
            "user": self._user,
            "title": notification.title[:_MOST_TITLE],
            "message": notification.text[:_MOST_TEXT],
            "priority": self._priority(notification),
        }
        if fields["priority"] == _EMERGENCY:
            fields |= {"retry": self._settings.retry_s, "expire": self._settings.expire_s}
        members = self._post(f"{self._base}/1/messages.json", fields)
        given = members.get("receipt")
        return given if isinstance(given, str) and _RECEIPT.fullmatch(given) else ""

    def acknowledgements(self, waiting: Mapping[str, Told]) -> Sequence[Acknowledgement]:
        """Which of the emergencies that are in force somebody has acknowledged on a phone."""
        if not self._settings.acknowledge:
            return ()
        found: list[Acknowledgement] = []
        for receipt in dict.fromkeys(told.receipt for told in waiting.values() if told.receipt):
            state = self._state(receipt)
            if state.get("acknowledged") == 1:
                device = state.get("acknowledged_by_device")
                by = f"pushover on {excerpt(device, 32)}" if isinstance(device, str) and device else "pushover"
                found += [Acknowledgement(alarm, by) for alarm, told in waiting.items() if told.receipt == receipt]
        return found

    def _priority(self, notification: Notification) -> int:
        return _PRIORITIES[notification.urgency]

    def _is_heard(self, receipt: str) -> bool:
        """Whether an emergency still sounds, or somebody has acknowledged it."""
        state = self._state(receipt)
        return state.get("acknowledged") == 1 or state.get("expired") == 0

    def _state(self, receipt: str) -> dict[str, Any]:
        """What is known of a receipt; nothing if Pushover has forgotten it, as it does after a week."""
        path = f"{self._base}/1/receipts/{quote(receipt)}.json?token={quote(self._token)}"
        answer = self._client.request("GET", path)
        if answer.status in {400, 404} and not _blames_account(json_object(answer.body)):
            return {}
        return self._checked(answer)

    def _cancel(self, receipt: str) -> None:
        fields = urlencode({"token": self._token}).encode()
        answer = self._client.request("POST", f"{self._base}/1/receipts/{quote(receipt)}/cancel.json", fields, _FORM)
        if answer.status in {400, 404} and not _blames_account(json_object(answer.body)):
            return  # it is forgotten, or was over before
        self._checked(answer)

    def _post(self, path: str, fields: Mapping[str, Any]) -> dict[str, Any]:
        return self._checked(self._client.request("POST", path, urlencode(fields).encode(), _FORM))

    def _checked(self, answer: Answer) -> dict[str, Any]:
        """The members of an answer that says success; raises DeliveryError for any other."""
        host, status, members = self._host, answer.status, json_object(answer.body)
        if status == 200 and members.get("status") == 1:
            return members
        if status == 429:
            sentence = f"{host} accepts no more messages this month (HTTP 429)"
            raise DeliveryError("busy", sentence, answer.retry_after_s)
        if 300 <= status < 400:
            sentence = f"{host} points elsewhere, which is not followed (HTTP {status}); correct the address"
            raise DeliveryError("refused", sentence)
        if 400 <= status < 500 and status != 408:
            raise DeliveryError("refused", f"{host} refuses {_refused(members)} (HTTP {status})")
        if status == 200:
            raise DeliveryError("busy", f"{host} answers what is no answer of Pushover; is the address right?")
        raise DeliveryError("busy", f"{host} fails (HTTP {status})", answer.retry_after_s)


_FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def _blames_account(members: Mapping[str, Any]) -> bool:
    return "token" in members or "user" in members


def _refused(members: Mapping[str, Any]) -> str:
    """What is refused, in our words: theirs might repeat what is secret."""
    if "token" in members:
        return "the API token"
    return "the user key" if "user" in members else "the message, or the address is wrong"
