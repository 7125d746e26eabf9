"""`python -m converter MODEL_DIR --out FILE.tflite` and `python -m converter inspect BUNDLE`."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from device.errors import AuricleError

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Convert or inspect; 0, or 2 with one line on stderr."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    inspects = given[:1] == ["inspect"]
    options = (_inspect_parser() if inspects else _convert_parser()).parse_args(given[1:] if inspects else given)
    try:
        (_inspect if inspects else _convert)(options)
    except (AuricleError, OSError) as error:
        if options.debug:
            raise
        print(f"converter: {error}", file=sys.stderr)
        return 2
    return 0


def _convert_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m converter",
        description="Quantize a trained network to full INT8 and write it as a verified bundle, or refuse.",
        epilog="'python -m converter inspect BUNDLE' says what a bundle holds.",
    )
    parser.add_argument("model_dir", type=Path, help="folder that training wrote")
    parser.add_argument("--out", type=Path, required=True, help="the .tflite file to write")
    parser.add_argument("--report", type=Path, help="also write the conversion report as JSON")
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    return parser


def _inspect_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m converter inspect", description="Say what a bundle holds.")
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    return parser


def _convert(options: argparse.Namespace) -> None:
    from converter.convert import convert

    report = convert(options.model_dir, options.out)
    if options.report:
        options.report.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    print(_summary(options.out, report))


def _inspect(options: argparse.Namespace) -> None:
    from converter.inspect import describe
    from device.hearing.bundle.reader import read_bundle

    print(describe(read_bundle(options.bundle)))


def _summary(out: Path, report: dict[str, Any]) -> str:
    lines = [f"{out}: verified, network {report['int8_bytes']} bytes in int8, {report['float_bytes']} in float"]
    for row in report["agreement"]:
        auc = "" if row["auc_float"] is None else f", AUC {row['auc_float']:.4f} -> {row['auc_int8']:.4f}"
        lines.append(
            f"  {row['label']}: mean |dp| {row['mean_difference']:.4f}, 99 % under {row['p99_difference']:.3f}, "
            f"{row['same_side']:.2%} on the same side{auc}"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
