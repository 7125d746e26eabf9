"""What the measurement of a room knows of models that are open: which labels raise alarms, and what their cards say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from device.calibration.room_measure import RoomModels
from device.hearing.bundle.reader import read_bundle
from device.runtime.model_library import bundle_path

if TYPE_CHECKING:
    from collections.abc import Mapping

    from device.config.settings import Settings
    from device.runtime.model_loader import OpenModels


def room_models(settings: Settings, models: OpenModels) -> RoomModels:
    """The labels that raise alarms, of models that always listen; reads their bundles.

    Raises:
        BundleError: a bundle is gone, or damaged by now.
    """
    deciding = {
        (model.name, label.name)
        for model in models.listening
        for label in model.labels
        if label.role == "alarm" and model.listens_while is None
    }
    points = {key: point for key, point in models.configured.items() if key in deciding}
    return RoomModels(points, {name: _card(settings, name) for name, _ in points}, settings.listen.hop_s)


def _card(settings: Settings, name: str) -> Mapping[str, Any]:
    bundle = next((model.bundle for model in settings.listening if model.name == name), None)
    return {} if bundle is None else read_bundle(bundle_path(bundle)).card
