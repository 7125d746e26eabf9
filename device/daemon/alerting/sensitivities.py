"""The sensitivity of each label in force: that of the configuration, unless a command has set another one.

What a command sets is kept in the journal. It holds over restarts and reloads, until the configuration of that label
says something else than when it was set: then people have decided anew, in the file.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple, Protocol

from device.commands import MAX_SENSITIVITY
from device.messages import LOUD, LOUDNESS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from device.commands import SetSensitivity
    from device.daemon.delivery.channels import AlarmJournal

    Label = tuple[str, str]

SENSITIVITIES = "sensitivities"
"""Key of the journal note that makes them outlive a restart."""


class TunableModels(Protocol):
    """The models that listen, as far as their sensitivity is concerned; see `ModelRunner`."""

    @property
    def configured_sensitivity(self) -> Mapping[Label, int]:
        """(model, label) -> steps, as configured, of every label that is decided about."""

    def set_sensitivity(self, label: Label, sensitivity: int) -> None:
        """Decide about a label with this sensitivity from the next window on."""


class _Set(NamedTuple):
    """What a command has set, and what the configuration said then."""

    value: int
    configured: int


class Sensitivities:
    """Applies sensitivities to the models that listen.

    Args:
        models: that listen now.
    """

    def __init__(self, models: TunableModels) -> None:
        self._models = models
        self._set: dict[Label, _Set] = {}

    def __repr__(self) -> str:
        return f"Sensitivities({self._set!r})"

    @property
    def values(self) -> dict[Label, tuple[int, int]]:
        """(model, label) -> (sensitivity in force, configured sensitivity)."""
        configured = self._models.configured_sensitivity
        return {label: (self._value(label, value), value) for label, value in configured.items()}

    def use_models(self, models: TunableModels) -> None:
        """Other models listen from now on."""
        self._models = models
        self._apply()

    def set(self, command: SetSensitivity, journal: AlarmJournal) -> str:
        """Apply a command, and note it in the journal; returns a sentence on what was done."""
        label = command.model, command.label
        configured = self._models.configured_sensitivity.get(label)
        if label == (LOUDNESS, LOUD):
            return (
                f"{command.by} sets the sensitivity of {'/'.join(label)}, which has none; set level_dbfs in [loudness]"
            )
        if configured is None:
            known = ", ".join("/".join(each) for each in self._models.configured_sensitivity)
            asked = ascii("/".join(label))
            return f"{command.by} sets the sensitivity of {asked}, which is not listened for; there are {known}"
        self._set[label] = _Set(command.sensitivity, configured)
        self._models.set_sensitivity(label, command.sensitivity)
        journal.set_note(SENSITIVITIES, self._note())
        says = "" if command.sensitivity == configured else f"; the configuration says {configured:+d}"
        return f"{command.by} sets the sensitivity of {'/'.join(label)} to {command.sensitivity:+d}{says}"

    def restore(self, note: str | None) -> None:
        """Apply what the journal noted; what was set since the start is kept, and a malformed note is ignored."""
        self._set = {**_read(note), **self._set}
        self._apply()

    def _apply(self) -> None:
        for label, (value, _configured) in self.values.items():
            self._models.set_sensitivity(label, value)

    def _value(self, label: Label, configured: int) -> int:
        made = self._set.get(label)
        return made.value if made is not None and made.configured == configured else configured

    def _note(self) -> str:
        return json.dumps([[*label, *made] for label, made in self._set.items()])


def _read(note: str | None) -> dict[Label, _Set]:
    try:
        rows = json.loads(note or "[]")
    except ValueError:
        return {}
    found: dict[Label, _Set] = {}
    for row in rows if isinstance(rows, list) else []:
        match row:
            case [str(model), str(label), int(value), int(configured)] if abs(value) <= MAX_SENSITIVITY:
                found[model, label] = _Set(value, configured)
    return found
