"""`python -m converter VERB`: convert a trained network, or all runs; inspect, compare or sign a bundle."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from device.errors import AuricleError, ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a verb; 0, or 2 with one line on stderr."""
    options = _parser().parse_args(arguments)
    try:
        options.run(options)
    except (AuricleError, OSError) as error:
        if options.debug:
            raise
        print(f"converter: {error}", file=sys.stderr)
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m converter", description="From a trained network to a bundle.")
    verbs = parser.add_subparsers(title="verbs", dest="verb", required=True, metavar="VERB")
    for name, (add_arguments, run, text) in _VERBS.items():
        verb = verbs.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.")
        add_arguments(verb)
        verb.add_argument("--debug", action="store_true", help="show the traceback of an error")
        verb.set_defaults(run=run)
    return parser


def _add_convert(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", type=Path, metavar="MODEL", help="a .keras file, or the folder that training wrote")
    parser.add_argument("--out", type=Path, required=True, help="the .tflite file to write")
    parser.add_argument("--spec", type=Path, help="description in JSON (default: description.json beside the model)")
    parser.add_argument("--calibration", type=Path, help="windows or recordings of the training part (default: beside)")
    parser.add_argument("--quantize", choices=("int8", "auto", "dynamic", "float16", "float32"), default="int8")
    parser.add_argument("--input-type", choices=("int8", "float32"), default="int8", help="of inputs and outputs")
    parser.add_argument("--backbone", type=Path, metavar="BUNDLE", help="take the backbone of this bundle, to share it")
    parser.add_argument("--report", type=Path, help="also write the conversion report as JSON")


def _add_inspect(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("bundle", type=Path)


def _add_diff(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("one", type=Path, metavar="A")
    parser.add_argument("other", type=Path, metavar="B")


def _add_sign(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--key", type=Path, required=True, help="private Ed25519 key in PEM")
    parser.add_argument("--out", type=Path, required=True, help="the signed .tflite file to write")


def _add_report(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("runs", type=Path, metavar="RUNS", help="folder that holds run folders")
    parser.add_argument(
        "--windows", type=Path, required=True, metavar="DIR", help="what python -m training windows wrote for them"
    )
    parser.add_argument(
        "--work",
        type=Path,
        default=Path("build/converted"),
        metavar="DIR",
        help="graphs, bundles and figures of each run; what is there is not made again (default: %(default)s)",
    )
    parser.add_argument("--out", type=Path, required=True, metavar="MD", help="such as converter/REPORT.md")


def _convert(options: argparse.Namespace) -> None:
    from converter.convert import convert
    from converter.selective.tries import convert_first_that_holds
    from converter.training_output import read_training_output
    from device.hearing.bundle.reader import read_bundle

    for name, file in (("--out", options.out), ("--report", options.report)):
        _check_writable(name, file)
    trained = read_training_output(options.model, description=options.spec, calibration=options.calibration)
    backbone = read_bundle(options.backbone) if options.backbone else None
    if options.quantize == "auto":
        if options.input_type != "int8":
            raise ConfigError("--quantize auto chooses itself: give it without --input-type")
        report = convert_first_that_holds(trained, options.out, backbone=backbone)
    else:
        report = convert(
            trained, options.out, quantization=options.quantize, input_type=options.input_type, backbone=backbone
        )
    if options.report:
        options.report.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    print(_summary(options.out, report))


def _check_writable(name: str, file: Path | None) -> None:
    """Refuse a file whose place is wrong before the minutes that a conversion takes."""
    if file is None:
        return
    if file.is_dir():
        raise ConfigError(f"{name} {file} is a folder: name the file to write in it")
    if not file.parent.is_dir():
        raise ConfigError(f"{name} {file}: there is no folder {file.parent}; make it first")


def _inspect(options: argparse.Namespace) -> None:
    from converter.inspection.description import describe
    from device.hearing.bundle.reader import read_bundle

    print(describe(read_bundle(options.bundle)))


def _diff(options: argparse.Namespace) -> None:
    from converter.inspection.differences import differences
    from device.hearing.bundle.reader import read_bundle

    found = differences(read_bundle(options.one), read_bundle(options.other))
    print("\n".join(found) or "they hold the same")


def _report(options: argparse.Namespace) -> None:
    from converter.report.all_runs import report_runs

    report_runs(options.runs, options.windows, options.work, options.out, lambda line: print(line, flush=True))


def _sign(options: argparse.Namespace) -> None:
    from converter.signing import sign_bundle

    print(f"{options.out}: signed with key {sign_bundle(options.bundle, options.key, options.out)}")


def _summary(out: Path, report: dict[str, Any]) -> str:
    sizes = f"{report['network_bytes']} bytes in {report['quantization']}, {report['float_bytes']} in float"
    return "\n".join([f"{out}: verified, network {sizes}", *map(_label_line, report["agreement"])])


def _label_line(row: dict[str, Any]) -> str:
    line = (
        f"  {row['label']}: mean |dp| {row['mean_difference']:.4f}, 99 % under {row['p99_difference']:.3f}, "
        f"{row['same_side']:.2%} on the same side"
    )
    if row["auc_float"] is None:
        return line
    lost, (low, high) = row["auc_float"] - row["auc_int8"], row["auc_lost_95"]
    interval = f"95 % interval {100 * low:.2f} to {100 * high:.2f}"
    return f"{line}, AUC {row['auc_float']:.4f}, of which {100 * lost:.2f} points are lost ({interval})"


_VERBS = {
    "convert": (
        _add_convert,
        _convert,
        "quantize a trained network, and write a verified bundle or refuse",
    ),
    "inspect": (_add_inspect, _inspect, "say what a bundle holds"),
    "diff": (_add_diff, _diff, "say what differs between two bundles"),
    "report": (_add_report, _report, "convert all finished runs, and write a page of what that costs"),
    "sign": (_add_sign, _sign, "sign a bundle, so that a device with your public key loads it"),
}

if __name__ == "__main__":
    sys.exit(main())
