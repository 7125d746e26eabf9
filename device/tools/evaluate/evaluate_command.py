"""`auricle evaluate`: how well the models hear one's own nights, and which sensitivity would hear them better."""

from __future__ import annotations

import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from device.errors import RecordingError
from device.runtime.command_line import (
    add_settings_options,
    bounded_number,
    chosen_settings,
    named_recordings,
    whole_number,
)

if TYPE_CHECKING:
    import argparse
    from collections.abc import Generator, Mapping, Sequence

    from device.calibration.decision_sweep import LabelKey
    from device.config.settings import Settings
    from device.runtime.model_loader import OpenModels
    from device.tools.evaluate.evaluation_report import LabelEvaluation
    from device.tools.evaluate.hearing_pass import HeardRecording
    from device.tools.evaluate.night_labels import LabelledRecording

_BAD_INPUT = 2


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `auricle evaluate`."""
    add_settings_options(parser)
    parser.add_argument("--labels", metavar="DIR", required=True, help="Audacity label tracks, NAME.txt for NAME.wav")
    parser.add_argument("--model", metavar="BUNDLE", action="append", default=[], help="a model to use instead; repeat")
    parser.add_argument(
        "--unlabelled-is-quiet", action="store_true", help="nothing is to be heard in recordings without a track"
    )
    parser.add_argument(
        "--most-false-alarms", metavar="N", type=_rate, default=0.5, help="acceptable in an hour (default: 0.5)"
    )
    parser.add_argument("--json", metavar="OUT", help="all figures, for programs")
    parser.add_argument("--channel", metavar="N", type=_channel, help="hear one channel, the first is 1 (default: mix)")
    parser.add_argument("--workers", metavar="N", type=_workers, help="processes, for many recordings")
    parser.add_argument("path", metavar="FILE_OR_DIR", nargs="+", help="sound files, or folders of them")


def run(arguments: argparse.Namespace) -> int:
    """Evaluate; returns the exit code: 0, or 2 if a label or a recording was bad. Raises AuricleError, OSError."""
    from device.config.loading import locating
    from device.runtime.model_loader import open_models
    from device.runtime.stderr_lines import print_notice
    from device.runtime.worker_processes import ending_by_signal

    with locating(arguments.config):
        settings = chosen_settings(arguments)
        sources, failures = named_recordings(arguments.path)
        _try_output(arguments, settings, sources)
        with ending_by_signal(), open_models(settings, arguments.model) as models:
            known = {label.name for model in models.listening for label in model.labels}
            recordings, problems = _labelled(arguments, sources, known)
            for problem in problems:
                print_notice(problem)
            if problems or not recordings:
                return _BAD_INPUT
            heard = []
            options = _Options(settings, tuple(arguments.model), arguments.channel, arguments.workers)
            with closing(_heard(options, models, [each.source for each in recordings])) as results:
                for labelled, result in zip(recordings, results, strict=True):
                    failures += _reported(labelled, result)
                    heard.append((labelled, result))
            whole = [pair for pair in heard if pair[1].error is None]
            if whole:
                _write(arguments, models, whole)
    return _BAD_INPUT if failures else 0


class _Options(NamedTuple):
    """What each worker must know."""

    settings: Settings
    models: tuple[str, ...]
    channel: int | None
    workers: int | None

    @property
    def heard_channel(self) -> int | None:
        return self.settings.recording.channel if self.channel is None else self.channel


def _try_output(arguments: argparse.Namespace, settings: Settings, sources: Sequence[str]) -> None:
    """Refuse a result that is an input, or that cannot be written."""
    from device.report.output_trial import try_outputs
    from device.runtime.model_loader import bundle_files

    if arguments.json is not None:
        tracks = Path(arguments.labels).glob("*")
        inputs = [*sources, *tracks, *bundle_files(settings, arguments.model), arguments.config]
        inputs.append(settings.bundles.public_key)
        try_outputs({"--json": [arguments.json]}, [str(each) for each in inputs if each is not None])


def _labelled(
    arguments: argparse.Namespace, sources: Sequence[str], known: set[str]
) -> tuple[list[LabelledRecording], list[str]]:
    """The recordings with their labels, and a sentence for each thing that is wrong before anything is heard."""
    from device.sources.recording import Recording
    from device.tools.evaluate.night_labels import beyond, pair_recordings

    recordings, problems = pair_recordings(
        Path(arguments.labels), sources, known, unlabelled_is_quiet=arguments.unlabelled_is_quiet
    )
    for labelled in recordings:
        try:
            with Recording(labelled.source) as recording:
                if recording.duration_s is not None:
                    problems += beyond(labelled, recording.duration_s)
        except RecordingError:  # reported when its turn comes
            continue
    return recordings, problems


def _heard(options: _Options, models: OpenModels, sources: Sequence[str]) -> Generator[HeardRecording, None, None]:
    """What was heard in each recording, in their order."""
    from device.runtime.worker_processes import in_workers
    from device.tools.evaluate.hearing_pass import hear_recording

    tasks = list(enumerate(sources))
    workers = min(options.workers or options.settings.replay.workers, len(tasks))
    if workers > 1:
        models.close()
        yield from in_workers(workers, _Worker.start, (options, models.tried), _Worker.work, tasks)
        return
    for number, source in tasks:
        yield hear_recording(options.settings, models, source, f"{number}", options.heard_channel)


class _Worker:
    """State of a worker process: the options, and the models, opened once."""

    options: _Options
    models: OpenModels

    @classmethod
    def start(cls, options: _Options, tried: Mapping[Path, str]) -> None:
        """Open the models whose bytes the parent has tried."""
        from device.runtime.model_loader import open_models
        from device.runtime.worker_processes import prepare_worker

        prepare_worker()
        cls.options = options
        cls.models = open_models(options.settings, options.models, tried=tried)

    @classmethod
    def work(cls, task: tuple[int, str]) -> HeardRecording:
        """Hear one recording."""
        from device.tools.evaluate.hearing_pass import hear_recording

        number, source = task
        return hear_recording(cls.options.settings, cls.models, source, f"{number}", cls.options.heard_channel)


def _reported(labelled: LabelledRecording, result: HeardRecording) -> bool:
    """Report what was odd in a recording; whether its figures are left out."""
    from device.fault_info import FAULTS
    from device.runtime.stderr_lines import print_notice
    from device.tools.evaluate.night_labels import beyond

    for note in result.notes:
        print_notice(note)
    deaf = [fault for fault in result.faults if FAULTS[fault.kind].deafens]
    if deaf:
        spans = "; ".join(f"{fault.kind} {fault.start_s:.2f} to {fault.end_s:.2f} s" for fault in deaf[:4])
        print_notice(f"{result.source}: not heard well, and counted all the same: {spans}")
    problems = [f"{result.error} It is left out." if result.error is not None else ""]
    if result.error is None:
        problems = list(beyond(labelled, result.duration_s))
    for problem in problems:
        print_notice(problem)
    return bool(problems)


def _write(
    arguments: argparse.Namespace, models: OpenModels, heard: Sequence[tuple[LabelledRecording, HeardRecording]]
) -> None:
    from device.quantity import quantity
    from device.report.result_files import encode, is_stdout, write_whole
    from device.tools.evaluate.evaluation_report import evaluation_json, evaluation_text

    hours = sum(result.duration_s for _, result in heard) / 3600
    sensitivities = {key: point.sensitivity for key, point in models.configured.items()}
    labels = [
        _evaluation(key, configured, heard, arguments.most_false_alarms) for key, configured in sensitivities.items()
    ]
    if arguments.json is not None:
        write_whole(arguments.json, evaluation_json(labels, recordings=len(heard), hours=hours))
    if arguments.json is None or not is_stdout(arguments.json):
        tracks = sum(len(labelled.sounds) for labelled, _ in heard)
        head = f"{quantity(len(heard), 'recording')}, {hours:.2f} h, {quantity(tracks, 'labelled sound')}\n\n"
        text = evaluation_text(labels, most_per_hour=arguments.most_false_alarms)
        sys.stdout.flush()
        sys.stdout.buffer.write(encode(head + text))


def _evaluation(
    key: LabelKey, configured: int, heard: Sequence[tuple[LabelledRecording, HeardRecording]], most_per_hour: float
) -> LabelEvaluation:
    """The figures of one label."""
    from device.calibration.decision_sweep import SENSITIVITIES
    from device.tools.evaluate.evaluation_report import LabelEvaluation
    from device.tools.evaluate.sound_comparison import compare, counts, recommended

    hours = sum(result.duration_s for _, result in heard) / 3600
    sounds = {labelled.source: [each for each in labelled.sounds if each.label == key[1]] for labelled, _ in heard}
    now = {result.source: compare(sounds[result.source], result.spans[key]) for _, result in heard}
    comparisons = {
        step: [compare(sounds[result.source], result.swept[key][step]) for _, result in heard]
        for step in SENSITIVITIES
        if all(key in result.swept for _, result in heard)
    }
    comparisons[configured] = list(now.values())
    swept = {step: counts(each, hours) for step, each in comparisons.items()}
    delays_s = {step: tuple(s for one in each for _, s in one.found) for step, each in comparisons.items()}
    best = recommended(swept, configured, most_per_hour)
    return LabelEvaluation(*key, configured, now, swept, delays_s, best)


def _rate(text: str) -> float:
    return bounded_number(text, 0, 3600, "not a number of false alarms an hour, 0 to 3600")


def _channel(text: str) -> int:
    return whole_number(text, 1, 1024, "a channel, the first is 1") - 1


def _workers(text: str) -> int:
    return whole_number(text, 1, 256, "not a number of processes")
