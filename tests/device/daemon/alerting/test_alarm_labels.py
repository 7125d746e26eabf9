"""Labels with the role of an alarm raise alarms, and no others."""

from __future__ import annotations

from device.config.loading import parse_config, profile
from device.daemon.alerting.alarm_labels import AlarmLabels
from device.runtime.model_loader import open_models


def test_the_nursery_models_raise_alarms_for_their_alarm_labels_alone() -> None:
    with open_models(profile("nursery")) as models:
        labels = AlarmLabels.of(models)
        roles = {(model.name, label.name): label.role for model in models.listening for label in model.labels}
    alarms = {key for key, role in roles.items() if role == "alarm"}
    assert ("cry", "cry") in alarms
    assert labels.priorities.keys() == labels.hold_s.keys() == alarms
    assert labels.priorities["cry", "cry"] == "high"


def test_the_loudness_alarm_is_one_beside_them_whose_thresholds_are_fixed() -> None:
    with open_models(parse_config("[loudness]\nlevel_dbfs = -30\nhold_s = 7", source="a.toml")) as models:
        labels = AlarmLabels.of(models)
    assert labels.priorities["loudness", "loud"] == "medium"
    assert labels.hold_s["loudness", "loud"] == 7.0
    assert labels.fixed == {("loudness", "loud")}
