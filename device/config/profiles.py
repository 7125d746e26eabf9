"""The built-in profiles: settings for a purpose, as a file would hold them."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

DEFAULT_PROFILE = "nursery"


@dataclass(frozen=True, slots=True)
class Profile:
    """Settings for a purpose: one line about it, and its tables as a file would hold them."""

    summary: str
    tables: Mapping[str, Any]


PROFILES: Mapping[str, Profile] = MappingProxyType(
    {
        "nursery": Profile("an infant crying", {"model": {"cry": {}}}),
        "stethoscope": Profile("crackles and wheezes in the lung", {"model": {"lung": {}}}),
    },
)
