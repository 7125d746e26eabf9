"""ntfy, the public server or one of your own: https://docs.ntfy.sh/publish/.

A message is published as JSON, so that the topic stands in no URL. Messages about one alarm have one sequence id: from
server 2.16 on the newer replaces the older on the phone. The button publishes to the topic `TOPIC-ack`, which is polled
while an alarm waits: the phone needs no way into the home. What it publishes is proved by a code that only a message of
ours contains, so that nobody who guesses the topic acknowledges an alarm.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from typing import TYPE_CHECKING, Any

from device.errors import ConfigError
from device.push.services.delivery_error import DeliveryError
from device.push.services.https_client import HttpsClient, json_object
from device.push.services.push_service import Acknowledgement

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from device.push.notification import Notification, OpenAlarm, Urgency
    from device.push.owed.ledger_content import Told
    from device.push.services.https_client import Answer
    from device.push.services.server_address import ServerAddress

_PRIORITIES: Mapping[Urgency, int] = {"high": 5, "medium": 4, "low": 2, "quiet": 1}
_TAGS: Mapping[Urgency, str] = {
    "high": "rotating_light",
    "medium": "warning",
    "low": "information_source",
    "quiet": "ok",
}
_TOPIC = re.compile(r"[A-Za-z0-9_-]{1,60}")  # 64 for ntfy, and four for "-ack"
_MOST_BUTTONS = 3
_MOST_CHARACTERS = 1200  # of 4096 bytes
_ACKNOWLEDGED = re.compile("([!-~]{1,200}) ([0-9]{1,12}) ([0-9a-f]{24})")


class Ntfy:
    """One topic.

    Args:
        address: of the topic.
        token: access token; None for a server that wants none.
        ca_file: authorities that may vouch for the server; None for those of the system.
        key: secret that proves acknowledgements; None for no button.

    Raises:
        ConfigError: the address ends with no topic.
    """

    def __init__(self, address: ServerAddress, *, token: str | None, ca_file: str | None, key: bytes | None) -> None:
        base, _, topic = address.path.rpartition("/")
        if not _TOPIC.fullmatch(topic):
            raise ConfigError("the address of ntfy must end with a topic of 1 to 60 of A-Z, a-z, 0-9, _ and -")
        self._client = HttpsClient(address, ca_file)
        self._host, self._base, self._topic = address.host, base, topic
        self._reply_url = f"{address.origin}{base}/{topic}-ack"
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._key = key
        self._since = "2h"  # at first: what came while this process did not run

    def __repr__(self) -> str:
        return f"Ntfy({self._host!r})"

    def send(self, notification: Notification) -> str:
        """Publish a message; what ntfy calls it is of no use."""
        body = json.dumps(self._message(notification)).encode()
        headers = {"Content-Type": "application/json", **self._headers}
        answer = self._client.request("POST", f"{self._base}/", body, headers)
        self._check(answer)
        if not isinstance(json_object(answer.body).get("id"), str):
            raise DeliveryError("busy", f"{self._host} answers what is no answer of ntfy; is the address right?")
        return ""

    def acknowledgements(self, waiting: Mapping[str, Told]) -> Sequence[Acknowledgement]:
        """Who has pressed the button of an alarm that waits."""
        if self._key is None:
            return ()
        path = f"{self._base}/{self._topic}-ack/json?poll=1&since={self._since}"
        answer = self._client.request("GET", path, None, self._headers)
        self._check(answer)
        found = []
        for line in answer.body.splitlines():
            message = json_object(line)
            if isinstance(message.get("id"), str) and re.fullmatch(r"[A-Za-z0-9]{1,64}", message["id"]):
                self._since = message["id"]
            found += self._acknowledged(message.get("message"), waiting)
        return found

    def _message(self, notification: Notification) -> dict[str, Any]:
        message: dict[str, Any] = {
            "topic": self._topic,
            "title": notification.title[:_MOST_CHARACTERS],
            "message": notification.text[:_MOST_CHARACTERS],
            "priority": _PRIORITIES[notification.urgency],
            "tags": [_TAGS.get(notification.urgency, "ok")],
            "sequence_id": hashlib.sha256(notification.subject.encode()).hexdigest()[:24],
        }
        if self._key is not None and notification.open_alarms:
            several = len(notification.open_alarms) > 1
            alarms = notification.open_alarms[:_MOST_BUTTONS]
            message["actions"] = [self._button(alarm, several=several) for alarm in alarms]
        return message

    def _button(self, alarm: OpenAlarm, *, several: bool) -> dict[str, Any]:
        return {
            "action": "http",
            "label": f"Acknowledge {alarm.name}" if several else "Acknowledge",
            "url": self._reply_url,
            "method": "POST",
            "body": f"{alarm.alarm_id} {alarm.seq} {self._proof(alarm.alarm_id, alarm.seq)}",
            "clear": True,
        }

    def _acknowledged(self, text: Any, waiting: Mapping[str, Told]) -> list[Acknowledgement]:
        match = _ACKNOWLEDGED.fullmatch(text) if isinstance(text, str) else None
        if match is None:
            return []
        alarm_id, seq = match[1], int(match[2])
        told = waiting.get(alarm_id)
        is_ours = hmac.compare_digest(match[3], self._proof(alarm_id, seq))
        return [Acknowledgement(alarm_id, "ntfy")] if told is not None and is_ours and seq >= told.opened_seq else []

    def _proof(self, alarm_id: str, seq: int) -> str:
        return hmac.new(self._key or b"", f"{alarm_id} {seq}".encode(), hashlib.sha256).hexdigest()[:24]

    def _check(self, answer: Answer) -> None:
        """Raise DeliveryError unless the answer is a success."""
        host, status = self._host, answer.status
        if status == 200:
            return
        if status in {401, 403}:
            raise DeliveryError("refused", f"{host} refuses the token, or this topic needs one (HTTP {status})")
        if status == 429:
            sentence = f"{host} asks to wait: too many messages (HTTP 429)"
            raise DeliveryError("busy", sentence, answer.retry_after_s)
        if status >= 500 or status == 408:
            raise DeliveryError("busy", f"{host} fails (HTTP {status})", answer.retry_after_s)
        if 300 <= status < 400:
            raise DeliveryError(
                "refused", f"{host} points elsewhere, which is not followed (HTTP {status}); correct the address"
            )
        raise DeliveryError("refused", f"{host} has no such topic, or wants another message (HTTP {status})")
