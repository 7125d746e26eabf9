"""Every metric is documented, with its labels, and rules and dashboard use no other."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

from device.fault_info import DEAFENING, FAULTS
from device.runtime.metrics.machine_figures import MachineFigures
from device.runtime.metrics.metric_families import families

if TYPE_CHECKING:
    from device.runtime.daemon_state import DaemonState

DOCS = Path(__file__).parents[4] / "docs"
RULES = (DOCS / "prometheus" / "auricle.rules.yml").read_text(encoding="utf-8")
DASHBOARD = (DOCS / "prometheus" / "auricle.dashboard.json").read_text(encoding="utf-8")


def _served(state: DaemonState) -> dict[str, set[str]]:
    """Sample -> its labels, of a daemon that knows everything."""
    samples = [sample for family in families(state, MachineFigures(50.0, {"log": 1})) for sample in family.samples]
    return {sample.name: set(sample.labels) for sample in samples}


def _documented() -> dict[str, set[str]]:
    """The same, by the table in running.md; in an info metric Prometheus adds no labels, so all are listed."""
    section = (DOCS / "running.md").read_text(encoding="utf-8").split("\n## metrics\n")[1].split("\n## ")[0]
    found = re.findall(r"`(auricle_\w+)(?:\{([\w,]+)\})?`", "\n".join(re.findall(r"(?m)^\|.*$", section)))
    return {name: set(filter(None, labels.split(","))) for name, labels in found}


def test_every_metric_is_documented_with_its_labels_and_no_other_is(state: DaemonState) -> None:
    assert _documented() == _served(dataclasses.replace(state, bundles=("ab" * 32,), listening_in=("anna",)))


def test_rules_and_dashboard_use_metrics_that_exist(state: DaemonState) -> None:
    served = _served(state).keys() | {"auricle_model_info"}
    used = {name for text in (RULES, DASHBOARD) for name in re.findall(r"\bauricle_\w+", text)}
    assert used <= served
    assert len(used) > 20


def test_every_kind_of_fault_has_one_rule_that_reports_it() -> None:
    deaf, other = re.findall(r'kind(?:=|!)~"([\w|]+)"', RULES)
    by_other_rules = {"coverage", "journal", "broker"}
    assert set(deaf.split("|")) == DEAFENING - {"classifier", "coverage"}
    assert set(other.split("|")) == set(deaf.split("|")) | by_other_rules
    assert by_other_rules < FAULTS.keys()


def test_the_dashboard_asks_for_one_source_and_the_chosen_beds_alone() -> None:
    panels = json.loads(DASHBOARD)["panels"]
    targets = [target for panel in panels for target in panel["targets"]]
    assert {target["datasource"]["uid"] for target in targets} == {"${source}"}
    assert [target["expr"] for target in targets if 'bed=~"$bed"' not in target["expr"]] == []
    places = [tuple(panel["gridPos"].values()) for panel in panels]
    assert len(set(places)) == len(places) > 10
