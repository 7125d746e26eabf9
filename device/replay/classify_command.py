"""`auricle classify`: one recording through the listener of a replay, and its answer as one JSON document."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

from device.config.loading import locating
from device.errors import RecordingError
from device.replay.batch import replay, stream_ids
from device.replay.one_recording import replay_recording
from device.replay.piped_recording import kept_input, named_sources
from device.replay.recording_result import RecordingTask
from device.replay.replay_options import ReplayOptions
from device.report.result_files import encode
from device.report.tables import event_fields, fault_fields, score_fields
from device.runtime.command_line import add_settings_options, chosen_settings
from device.runtime.model_loader import open_models
from device.runtime.stderr_lines import print_notice
from device.runtime.worker_processes import ending_by_signal

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from device.messages import Heard
    from device.runtime.model_loader import OpenModels


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `auricle classify`."""
    add_settings_options(parser)
    parser.add_argument("--model", metavar="BUNDLE", action="append", default=[], help="a model to use instead; repeat")
    parser.add_argument("--json", action="store_true", help="events, scores and faults as one JSON document")
    parser.add_argument("path", metavar="FILE", help="a sound file; - for standard input")


def run(arguments: argparse.Namespace) -> int:
    """Classify the recording; returns the exit code: 0, or 2 if it was bad. Raises AuricleError, OSError."""
    with locating(arguments.config):
        options = ReplayOptions(
            chosen_settings(arguments), models=tuple(arguments.model), workers=1, config=arguments.config
        )
        if not arguments.json:
            return replay(options, [arguments.path])
        answer = classify(options, arguments.path)
    sys.stdout.buffer.write(answer_bytes(answer))
    sys.stdout.buffer.flush()
    if answer["error"] is None:
        return 0
    print_notice(answer["error"])
    return 2


def classify(options: ReplayOptions, source: str) -> dict[str, Any]:
    """What one recording gives, as the members of the JSON document; opens the models, and closes them.

    Raises:
        RecordingError: nothing of the recording can be heard.
        AuricleError: a model cannot be opened.
    """
    (name,) = named_sources(options, [source])
    with (
        ending_by_signal(),
        open_models(options.settings, options.models) as models,
        kept_input(options, [name], [source]) as heard,
    ):
        return answer_of(heard, models, name)


def answer_of(
    options: ReplayOptions, models: OpenModels, source: str, on_heard: Callable[[Heard], None] | None = None
) -> dict[str, Any]:
    """What one recording gives to open models, as the members of the JSON document.

    Args:
        options: settings and models; no result files are written.
        models: that are open.
        source: path of the recording as given.
        on_heard: called with what each block gave.

    Returns:
        `source`, `duration_s`, `events` and `scores` with the members of a replay's tables, `faults`, `notes`, and
        `error`: why it could not be heard to its end, or None.

    Raises:
        RecordingError: nothing of the recording can be heard.
    """
    events: list[dict[str, Any]] = []
    scores: list[dict[str, Any]] = []

    def collect(heard: Heard) -> None:
        for window in heard.scores:
            scores.extend(score_fields(source, window))
        events.extend(
            event_fields(source, event, models.priorities[event.model, event.label]) for event in heard.events
        )
        if on_heard is not None:
            on_heard(heard)

    result = replay_recording(options, models, RecordingTask(source, stream_ids([source])[0]), collect)
    if result.error is not None and not result.duration_s:
        raise RecordingError(result.error)
    return {
        "source": source,
        "duration_s": round(result.duration_s, 6),
        "events": events,
        "scores": scores,
        "faults": [fault_fields(fault) for fault in result.faults],
        "notes": list(result.notes),
        "error": result.error,
    }


def answer_bytes(answer: dict[str, Any]) -> bytes:
    """The JSON document of an answer: one line."""
    return encode(json.dumps(answer, ensure_ascii=False, allow_nan=False) + "\n")
