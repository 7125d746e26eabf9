"""The settings of `[[notify]]`: whom `auricle push` sends alarms to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from device.config.kinds import Boolean, Choice, Integer, Number, OrKeyword, Several, Text
from device.config.schema import TableSettings, key
from device.daytime import CLOCK_TIME
from device.messages import FaultKind, Priority

NotifyService = Literal["ntfy", "pushover", "apprise"]
CREDENTIAL = "credential"
"""The word for a file that systemd provides."""

_NAME = Text(r"[a-z0-9][a-z0-9_-]{0,31}", "a name of a-z, 0-9, _ and -, of at most 32 characters")
_LABEL_NAME = Text(r"[a-z0-9][a-z0-9_-]{0,63}", "the name of a label, of a-z, 0-9, _ and -")
_FILE = Text(r".*\S.*", "the path of a file")
_CLOCK_TIME = Text(CLOCK_TIME, "HH:MM")


@dataclass(frozen=True, slots=True)
class NotifySettings(TableSettings):
    """Somebody whose phone auricle push sends alarms to; one [[notify]] table for each.

    Attributes:
        address_file: None for the systemd credential `notify-NAME-address`, if there is one.
        token_file: None for the systemd credential `notify-NAME-token`, if there is one.
        user_file: None for the systemd credential `notify-NAME-user`, if there is one.
        ca_file: None for the authorities of the system.
        labels: None for all.
        faults: None for all.
        test_at: None for no daily test.
    """

    name: str = key("phone", _NAME, "Which one, in sentences and for auricle push test; each has another.")
    service: NotifyService = key("ntfy", Choice(get_args(NotifyService)), "The service that reaches the phone.")
    address_file: str | None = key(
        None,
        OrKeyword(_FILE, CREDENTIAL),
        "File with the topic's address, as https://ntfy.sh/TOPIC (ntfy), or with URLs, one a line (Apprise).",
    )
    token_file: str | None = key(
        None, OrKeyword(_FILE, CREDENTIAL), "File with the access token (ntfy, if it wants one), or the API token."
    )
    user_file: str | None = key(
        None, OrKeyword(_FILE, CREDENTIAL), "File with the key of the user or of the group (Pushover)."
    )
    ca_file: str | None = key(None, OrKeyword(_FILE, "system"), "Authorities that may vouch for a server of your own.")
    priorities: tuple[Priority, ...] = key(
        ("high", "medium"), Several(Choice(get_args(Priority))), "Alarms of these priorities are sent."
    )
    labels: tuple[str, ...] | None = key(
        None, OrKeyword(Several(_LABEL_NAME), "all"), "Sounds with these labels are sent; [] for none."
    )
    faults: tuple[FaultKind, ...] | None = key(
        None, OrKeyword(Several(Choice(get_args(FaultKind))), "all"), "Faults of these kinds are sent; [] for none."
    )
    after_min: float = key(
        0.0, Number(0.0, 240.0, "min"), "Send only what nobody has acknowledged for this long: a second person."
    )
    acknowledge: bool = key(
        default=True, kind=Boolean(), description="Whether the message can acknowledge the alarm (ntfy, Pushover)."
    )
    retry_s: int = key(30, Integer(30, 300), "Pushover repeats an alarm of high priority this often ...")
    expire_s: int = key(3600, Integer(60, 10800), "... for this long, until somebody acknowledges it.")
    test_at: str | None = key(
        None, OrKeyword(_CLOCK_TIME, "off"), "A quiet message every day at this time shows that messages arrive."
    )
