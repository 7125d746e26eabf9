"""The section on the leak, from the figures of the experiment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from training.results.leak.leak_picture import ARMS, PUBLISHED
from training.results.markdown_tables import table, with_interval

if TYPE_CHECKING:
    from collections.abc import Mapping

COMMAND = "python -m training leak --data ../shared/data/sprsound --out runs/leak"


def leak_section(found: Mapping[str, Any] | None, picture: str) -> list[str]:
    """Lines of the section.

    Args:
        found: what the experiment left; None if it has not run.
        picture: its path, as the page links it.
    """
    if found is None:
        return [f"Not run yet: `{COMMAND}`."]
    columns = ("what judges", "macro F1 (95 % interval)", "published", 'always "yes"', "clips", "patients")
    arms = found["arms"]
    return [
        *_what_was_done(found),
        "",
        f"![Who teaches, who judges, and the macro F1 that gives]({picture})",
        "",
        *table(columns, [_row(title, arms[name], PUBLISHED.get(name)) for name, title in ARMS.items()]),
        "",
        *_readings(arms),
        "",
        _made_by(found),
    ]


def _what_was_done(found: Mapping[str, Any]) -> list[str]:
    clips = found["clips"]
    pool, unseen, val = clips["pool"], clips["unseen"], clips["val"]
    published, original = PUBLISHED["random"], PUBLISHED["random_unseen"]
    return [
        f"`{found['system']}` was published with macro F1 {published:.2f} on augmented clips and {original:.2f} on",
        "original ones. Here the gap is made on purpose.",
        "",
        f"- {pool['clips']} clips of {pool['subjects']} patients are balanced and augmented.",
        "  Every network learns from the same 80 % of them.",
        f"- {unseen['clips']} clips of {unseen['subjects']} other patients judge as recorded.",
        f"- {val['subjects']} more patients choose checkpoint and thresholds of the honest networks.",
        f"- {found['seeds']} seeds, at most {found['epochs']} epochs.",
    ]


def _made_by(found: Mapping[str, Any]) -> str:
    names = ("epochs", "patience", "clips_per_class", "seeds")
    options = " ".join(f"--{name.replace('_', '-')} {found[name]}" for name in names)
    return f"Made by `{COMMAND} {options}`, {_core_hours(found):.2f} core-hours."


def _row(title: str, one: Mapping[str, Any], published: float | None) -> tuple[str, ...]:
    return (
        title.replace("\n", " "),
        with_interval(one["macro_f1"], one["low"], one["high"], digits=2),
        "-" if published is None else f"{published:.2f}",
        f"{one['always_yes']:.2f}",
        str(one["clips"]),
        str(one["subjects"]),
    )


def _readings(arms: Mapping[str, Any]) -> list[str]:
    """What the gap consists of."""
    value = {name: arms[name]["macro_f1"] for name in ARMS}
    gap = value["random"] - value["random_unseen"]
    published = PUBLISHED["random"] - PUBLISHED["random_unseen"]
    whole = value["random"] - value["by_patient"]
    balance = value["by_patient_augmented"] - value["by_patient"]
    known, yes = whole - balance, arms["random"]["always_yes"]
    return [
        f"- The gap between the first two rows is {gap:.2f}: the same networks, judged by other clips.",
        f"  The published gap is {published:.2f}, on another collection.",
        f"- Of the {whole:.2f} between the first row and the honest one, {known:.2f} is knowing the patients and",
        "  their clips.",
        f"  {balance:.2f} is that the clips that judge are balanced and augmented (fourth row).",
        f'  On such clips even answering "yes" to everything scores {yes:.2f}.',
        f"- What is left is {value['by_patient']:.2f}.",
    ]


def _core_hours(found: Mapping[str, Any]) -> float:
    seconds = [float(one["core_seconds"]) for networks in found["training"].values() for one in networks]
    return sum(seconds) / 3600
