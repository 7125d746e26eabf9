"""The labels of the opened models that raise alarms: their priorities and hold times."""

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
    """

    priorities: Mapping[tuple[str, str], Priority]
    hold_s: Mapping[tuple[str, str], float]

    @classmethod
    def of(cls, models: OpenModels) -> Self:
        """Select the labels with the role `alarm` of the models that listen."""
        labels = [(model.name, label) for model in models.listening for label in model.labels if label.role == "alarm"]
        return cls(
            priorities={(model, label.name): models.priorities[model, label.name] for model, label in labels},
            hold_s={(model, label.name): label.point.hold_s for model, label in labels},
        )
