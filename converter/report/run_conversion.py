"""Converts one finished run, judges it by the gate and on its test part, and measures what it costs.

As a program, `python -m converter.report.run_conversion RUN WINDOWS OUT`: each run has a process of its own, because
TensorFlow keeps memory and has ended a process when it converted what it cannot. Writes to OUT:

    network.tflite, float.tflite     the graphs; of a network in two parts, the head is in network-head.tflite, ..
    RUN.tflite                       the bundle of the first form that the gate lets pass, INT8 before others
    predictions-test.npz             of the test part, by the INT8 network
    conversion.json                  all figures, and what the gate says
"""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from converter.convert_graphs import converted
from converter.gate import Bounds, check_windows
from converter.inspection.graph_cost import operation_costs
from converter.predictions import converted_probabilities, keras_probabilities
from converter.report.network_cost import network_cost
from converter.report.run_files import RunFiles, content_hash, read_record, read_run_files, write_predictions
from converter.report.task_loss import task_loss
from converter.selective.tries import first_that_holds, form_of
from device.errors import AuricleError, BundleError
from device.hearing.bundle.writer import write_bundle

if TYPE_CHECKING:
    import numpy.typing as npt

    from converter.convert_graphs import Converted
    from converter.predictions import Graphs

    Float32 = npt.NDArray[np.float32]

_SAME_SCORES = 1e-3
"""Of Keras on the windows, from what training wrote of them: two backends' rounding."""

THREADS = (1, 2)


def convert_run(run: Path, windows: Path, out: Path, bounds: Bounds | None = None) -> dict[str, Any]:
    """All figures of one run, JSON types; they are in `conversion.json` too.

    Args:
        run: folder of a finished run.
        windows: what `python -m training windows` wrote for it.
        out: folder to write.
        bounds: of the gate.

    Raises:
        BundleError: a file is missing, or they do not belong together.
        OSError: a file cannot be written.
    """
    files = read_run_files(run, windows)
    out.mkdir(parents=True, exist_ok=True)
    found = _identity(files) | {"content": content_hash(run, windows)}
    try:
        networks = converted(files.trained)
    except BundleError as error:
        found |= {"refused": f"it does not convert: {error}"}
    else:
        found |= _figures(files, networks, out) | _verdict(files, networks, out, bounds or Bounds())
    text = json.dumps(found, indent=1, allow_nan=False) + "\n"
    (out / "conversion.json").write_text(text, encoding="utf-8")
    return found


def failed_run(run: Path, reason: str) -> dict[str, Any]:
    """What is said of a run whose process ended before it had a figure."""
    record = read_record(run)
    names = {name: record[name] for name in ("system", "form", "task", "labels", "measure")}
    return {"run": run.name, **names, "seed": record.get("seed"), "refused": reason}


def _identity(files: RunFiles) -> dict[str, Any]:
    record = files.record
    names = {name: record[name] for name in ("system", "form", "task", "labels", "measure")}
    return {
        "run": files.name,
        **names,
        "seed": record.get("seed"),
        "streamable": all(spec.streamable for spec in files.trained.specs),
        "windows": {
            "calibration": len(files.trained.calibration[0]),
            "agreement": len(files.trained.agreement[0]),
            "test": len(files.test[0]),
        },
    }


def _verdict(files: RunFiles, networks: Converted, out: Path, bounds: Bounds) -> dict[str, Any]:
    """What the gate says against INT8, None if it passes; and the form that passes, whose bundle is written."""
    try:
        check_windows(len(files.trained.calibration[0]), len(files.trained.agreement[0]), bounds)
        report, bundle = first_that_holds(files.trained, networks, bounds=bounds)
    except BundleError as error:
        (out / f"{files.name}.tflite").unlink(missing_ok=True)
        return {"refused": str(error)}
    write_bundle(out / f"{files.name}.tflite", bundle)
    first, last = report["tries"][0], report["tries"][-1]
    return {"refused": first["refused"], "passes": {"form": form_of(last), "bytes": report["network_bytes"]}}


def _figures(files: RunFiles, networks: Converted, out: Path) -> dict[str, Any]:
    """Size, time, memory, and both networks on the test part."""
    costs = [cost for graph in networks.read_graphs() for cost in operation_costs(graph)]
    return {
        "parameters": int(networks.model.count_params()),
        "macs": sum(cost.macs for cost in costs),
        "operations": len(costs),
        "float_bytes": networks.in_float.size,
        "int8_bytes": networks.quantized.size,
        "float": _cost(out, "float", networks.in_float),
        "int8": _cost(out, "network", networks.quantized),
        "test": _on_test(files, networks, out),
    }


def _cost(out: Path, name: str, graphs: Graphs) -> dict[str, Any]:
    parts = {name: graphs.network} | ({} if graphs.head is None else {f"{name}-head": graphs.head.network})
    files = [out / f"{part}.tflite" for part in parts]
    for file, network in zip(files, parts.values(), strict=True):
        file.write_bytes(network)
    costs = [network_cost(files, threads) for threads in THREADS]
    return {
        "ms": {str(threads): round(cost.ms, 4) for threads, cost in zip(THREADS, costs, strict=True)},
        "peak_mb": round(costs[0].peak_mb, 1),
    }


def _on_test(files: RunFiles, networks: Converted, out: Path) -> dict[str, Any]:
    """How far int8 scores of the test part are from those of Keras, and what that costs.

    Raises:
        BundleError: Keras gives other scores than training wrote.
    """
    judged = dataclasses.replace(files.trained, agreement=files.test, agreement_sequence=files.test_sequence)
    as_float, as_int8 = keras_probabilities(networks.model, judged), converted_probabilities(judged, networks.quantized)
    _check_same(files, as_float)
    write_predictions(out / "predictions-test.npz", files.predicted, as_int8)
    apart, loss = np.abs(as_int8.astype(np.float64) - as_float), task_loss(files, as_float, as_int8)
    low, high = loss.lost_95
    return {
        "measure": loss.measure,
        "float": round(loss.in_float, 6),
        "int8": round(loss.in_int8, 6),
        "lost_95": [round(low, 6), round(high, 6)] if np.isfinite([low, high]).all() else None,
        "mean_difference": round(float(apart.mean()), 6),
        "p99_difference": round(float(np.percentile(apart, 99)), 6),
        "equal_decisions": round(loss.equal_decisions, 6),
    }


def _check_same(files: RunFiles, as_float: Float32) -> None:
    apart = float(np.abs(as_float - files.predicted["probability"]).max())
    if not apart <= _SAME_SCORES:
        raise BundleError(
            f"{files.name}: Keras gives its test windows other scores than predictions-test.npz holds, by {apart:.3g}; "
            "write the windows again with python -m training windows"
        )


if __name__ == "__main__":
    try:
        convert_run(Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]))
    except (AuricleError, OSError) as error:
        sys.exit(str(error))
