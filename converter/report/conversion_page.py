"""The page of conversions as Markdown: the same figures always give the same text."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

_KIB, _MB = 1024, 1e6
_CENTRED = "no: its frames are centred, and `auricle replay` refuses it; its streaming form can"
_PUBLISHED = ("cnn_bilstm", "residual_dual", "han", "transfer", "resnet34")


def conversion_page(
    found: Sequence[Mapping[str, Any]], command: str, versions: Mapping[str, str], processor: str
) -> str:
    """The page.

    Args:
        found: what `run_conversion` found of each run.
        command: that made the page.
        versions: of the tools.
        processor: that times were measured on.
    """
    runs = sorted(found, key=_place)
    measured = [one for one in runs if "test" in one]
    tools = ", ".join(f"{name} {version}" for name, version in sorted(versions.items()))
    lines = ["# What becomes of trained networks in INT8", "", f"Made by `{command}` from run folders."]
    lines += [
        "Change the runs, not this page.",
        "",
        *_terms(processor, tools),
        "",
        "## Do they pass?",
        "",
        *_verdicts(runs),
    ]
    lines += ["", "## Size, time and memory", "", *_costs(measured), "", "## What INT8 costs", "", *_losses(measured)]
    return "\n".join(lines) + "\n"


def _place(one: Mapping[str, Any]) -> tuple[int, str, str]:
    system = str(one["system"])
    known = _PUBLISHED.index(system) if system in _PUBLISHED else len(_PUBLISHED)
    return known, f"{system}/{one['form']}", str(one["run"])


def _terms(processor: str, tools: str) -> list[str]:
    return [
        "- Ranges are set by windows of training subjects, balanced over labels and subjects. Weights have a scale for",
        "  each channel. The gate (`converter/gate.py`) judges windows of validation subjects. Agreement and measure",
        "  below are those of test subjects, who chose nothing: no weights, thresholds, ranges or verdict.",
        "- Where INT8 does not pass, the layers that lose most stay in float (1, 2, 4, 8, 16 of them, each with those",
        "  whose values it reads), then all activations do. The first form that passes is in the table.",
        "- Agreement compares INT8 on LiteRT with Keras: mean and 99th percentile of the difference in probability,",
        "  and the share of windows whose labels are all decided alike.",
        "- Lost is float less INT8, in points of 0.01; its 95 % interval is from a bootstrap over the test subjects.",
        "- Time is that of one window, of many runs the fastest. Peak memory is that of a process with",
        "  Python, numpy, LiteRT and network, on one thread. MACs are counted in the INT8 graph, where a recurrence",
        "  is one product for both directions, zeros included.",
        f"- Measured on {processor}, while it had other work; {tools}. Compare times with each other.",
    ]


def _verdicts(runs: Sequence[Mapping[str, Any]]) -> list[str]:
    rows = []
    for one in runs:
        verdict = "passes" if one["refused"] is None else f"no: {one['refused']}"
        live = {True: "yes", False: _CENTRED, None: "-"}[one.get("streamable")]
        network = f"`{one['system']}/{one['form']}`"
        rows.append((f"`{one['run']}`", network, str(one["task"]), verdict, _passing_form(one), live))
    held = {str(one["system"]) for one in runs}
    rows += [
        ("-", f"`{name}`", "-", "unknown: no run of it is among them", "-", "-")
        for name in _PUBLISHED
        if name not in held
    ]
    return table(("run", "network", "task", "passes in INT8", "first form that passes", "can be streamed"), rows)


def _passing_form(one: Mapping[str, Any]) -> str:
    passes = one.get("passes")
    return "none" if passes is None else f"{passes['form']}, {passes['bytes'] / _KIB:,.0f} KiB"


def _costs(measured: Iterable[Mapping[str, Any]]) -> list[str]:
    """One line for each form: its runs differ in weights alone."""
    forms: defaultdict[tuple[str, str], list[Mapping[str, Any]]] = defaultdict(list)
    for one in measured:
        forms[f"{one['system']}/{one['form']}", str(one["task"])].append(one)
    rows = [_cost_row(f"`{name}`", runs[0]) for (name, _), runs in forms.items()]
    columns = (
        "network",
        "parameters",
        "MACs",
        "operations",
        "float KiB",
        "INT8 KiB",
        "float ms, 1 / 2 threads",
        "INT8 ms, 1 / 2 threads",
        "peak MB, float / INT8",
    )
    return table(columns, rows)


def _cost_row(name: str, one: Mapping[str, Any]) -> tuple[str, ...]:
    times = [" / ".join(_ms(one[kind]["ms"][threads]) for threads in ("1", "2")) for kind in ("float", "int8")]
    return (
        name,
        f"{one['parameters']:,}",
        f"{one['macs'] / _MB:,.1f} M",
        str(one["operations"]),
        f"{one['float_bytes'] / _KIB:,.0f}",
        f"{one['int8_bytes'] / _KIB:,.0f}",
        *times,
        f"{one['float']['peak_mb']:.0f} / {one['int8']['peak_mb']:.0f}",
    )


def _ms(value: float) -> str:
    return f"{value:.2f}" if value < 10 else f"{value:.1f}"


def _losses(measured: Iterable[Mapping[str, Any]]) -> list[str]:
    rows = []
    for one in measured:
        test = one["test"]
        agreement = (f"{test['mean_difference']:.4f}", f"{test['p99_difference']:.3f}")
        lost = f"{100 * (test['float'] - test['int8']):+.2f}"
        if test["lost_95"]:
            lost += " ({:+.2f} to {:+.2f})".format(*(100 * bound for bound in test["lost_95"]))
        figures = (str(one["windows"]["test"]), *agreement, f"{test['equal_decisions']:.2%}", test["measure"])
        rows.append((f"`{one['run']}`", *figures, f"{test['float']:.4f}", f"{test['int8']:.4f}", lost))
    columns = (
        "run",
        "test windows",
        "mean difference",
        "99th percentile",
        "equal decisions",
        "measure",
        "float",
        "INT8",
        "lost, points (95 %)",
    )
    return table(columns, rows)


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """The lines of a Markdown table."""
    lines = [columns, ["---"] * len(columns), *rows]
    return [f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines]
