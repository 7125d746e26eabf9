"""Which profiles run a shipped bundle, and what the recordings are that it learned from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from device.config.profiles import DEFAULT_PROFILE, PROFILES
from device.runtime.model_library import shipped_bundles

if TYPE_CHECKING:
    from pathlib import Path

    from device.hearing.bundle.contents import Bundle


def profiles_of(name: str) -> tuple[str, ...]:
    """The profiles that run the shipped bundle of a name, as they are listed."""
    return tuple(
        profile
        for profile, settings in PROFILES.items()
        if name in (table.get("bundle", model) for model, table in settings.tables.get("model", {}).items())
    )


def who_runs(bundle: Bundle, path: Path) -> str:
    """Whether a bundle runs by default, and otherwise what makes it run."""
    if path not in shipped_bundles().values():
        return f'where a configuration says bundle = "{path}"'
    profiles = profiles_of(path.stem)
    if DEFAULT_PROFILE in profiles:
        return f"by default{_while(path.stem)}; in the profiles {' and '.join(profiles)}"
    if profiles:
        return f"not by default; in the profile {' and '.join(profiles)}"
    choice = f'bundle = "{path.stem}" in [model.{_table(bundle)}]'
    return f"not by default, in no profile; {choice} of a configuration chooses it"


def _while(name: str) -> str:
    """On what it depends whether the shipped bundle of a name listens by default; empty if it always does."""
    tables = PROFILES[DEFAULT_PROFILE].tables["model"]
    followed = [table.get("listens_while") for model, table in tables.items() if table.get("bundle", model) == name]
    return f", only while {followed[0]} is on" if followed and followed[0] else ""


def _table(bundle: Bundle) -> str:
    """The default's table whose alarm the bundle raises as well, or one of its own name."""
    alarms = [label.name for label in bundle.labels if label.role == "alarm"]
    replaced = [name for name in alarms if DEFAULT_PROFILE in profiles_of(name)]
    return replaced[0] if replaced else bundle.name


def learned_from(bundle: Bundle) -> str:
    """The licences of a bundle's training recordings, and whose each is, as its card has them."""
    data = bundle.card.get("data")
    of_licence: dict[str, list[str]] = {}
    for one in data if isinstance(data, list) else ():
        if isinstance(one, dict):
            of_licence.setdefault(str(one.get("licence")), []).append(str(one.get("set")))
    return (
        "; ".join(f"{', '.join(sets)} ({licence})" for licence, sets in of_licence.items()) or "the card does not say"
    )
