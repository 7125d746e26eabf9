"""The built-in profiles: settings for one purpose, as a configuration file would hold them."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

DEFAULT_PROFILE = "nursery"
QUIET_STEPS = -2
"""Steps of sensitivity that at least halve the false alarms of validation scenes, of cries and of screams."""


@dataclass(frozen=True, slots=True)
class Profile:
    """A one-line summary of the purpose, and the tables as a file would hold them."""

    summary: str
    tables: Mapping[str, Any]


_REASON: Mapping[str, Any] = MappingProxyType({"cry-reason": {"listens_while": "cry"}})


def _quiet(label: str) -> dict[str, Any]:
    return {"label": {label: {"sensitivity": QUIET_STEPS}}}


PROFILES: Mapping[str, Profile] = MappingProxyType(
    {
        "nursery": Profile("an infant crying, and anybody screaming", {"model": {"cry": {}, **_REASON, "scream": {}}}),
        "nursery-quiet": Profile(
            "the same, with fewer false alarms and fewer true ones",
            {"model": {"cry": _quiet("cry"), **_REASON, "scream": _quiet("scream")}},
        ),
        "stethoscope": Profile("crackles and wheezes in the lung", {"model": {"lung": {}}}),
    },
)
