"""The labels that raise alarms, of the opened models and beside them: their priorities and hold times."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Mapping

    from device.messages import Priority
    from device.runtime.model_loader import OpenModels


@dataclass(frozen=True, slots=True)
class AlarmLabels:
    """The labels that raise alarms, by (model, label).

    Attributes:
        priorities: of each label, outside quiet hours.
        hold_s: how long a label's score must stay below the threshold before the label counts as quiet.
        fixed: those without a sensitivity, whose thresholds the configuration alone sets.
    """

    priorities: Mapping[tuple[str, str], Priority]
    hold_s: Mapping[tuple[str, str], float]
    fixed: frozenset[tuple[str, str]] = frozenset()

    @classmethod
    def of(cls, models: OpenModels) -> Self:
        """Select the labels with the role `alarm` of the models that listen, and what is decided about beside them."""
        labels = [(model.name, label) for model in models.listening for label in model.labels if label.role == "alarm"]
        hold_s = {(model, label.name): label.point.hold_s for model, label in labels}
        fixed = {(name, label.name): models.loudness.hold_s for name, label in models.beside}
        hold_s |= fixed
        return cls({label: models.priorities[label] for label in hold_s}, hold_s, frozenset(fixed))
