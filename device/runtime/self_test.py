"""The self-test: a known sound takes the whole way from samples to broker and back, beside the real one.

For each model that listens the sound is the golden window, out of its own bundle, that it must raise an alarm at.
It goes through a fresh `Listener` with the same networks, operating points, filters and capture rate; the alert that
comes of it is committed to the journal as a note, published under a topic of its own with `test: true`, and read
back. Five stages, each with a verdict: hear, decide, journal, publish, read_back. The first that fails is a fault
`self_test`; a test that passes ends it.

Nothing here makes an event, an alarm or a label that is on: the listeners' events stay in this module. It has no
thread and no clock: the main loop begins a test and steps through it, see `daemon.self_test_schedule`. All networks
are asked in the thread that steps, which is the one that listens, so no classifier is used from two. A step hears
100 ms of the known sound at most, and costs what 100 ms of real sound cost. A model that is opened again meanwhile
is tried from the start.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time
from itertools import count
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np

from device.daytime import utc_text
from device.errors import AuricleError
from device.hearing.bundle.reader import read_bundle
from device.hearing.listener import Listener
from device.hearing.resample import Resampler
from device.messages import AudioBlock, Fault
from device.runtime.model_library import bundle_path
from device.sinks.payloads import Message

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import date, tzinfo

    import numpy.typing as npt

    from device.config.settings import Settings
    from device.hearing.bundle.reader import Bundle
    from device.hearing.listening_model import ListeningLabel, ListeningModel
    from device.messages import Event, Heard
    from device.runtime.model_loader import OpenModels
    from device.sinks.payloads import Topics

    Float32 = npt.NDArray[np.float32]

Stage = Literal["hear", "decide", "journal", "publish", "read_back"]

NOTE = "self_test"
"""Name of the journal's note that keeps the newest test's alert."""

SLICE_S = 0.1
"""Of the known sound in one step."""

KEPT_WITHIN_S = 5.0
"""A disk may take so long; alarms are told from memory after 1 s, and a busy card is no broken one."""

BROKER_WITHIN_S = 10.0
"""So long for a connection, and then so long for what was published to come back."""

LONGEST_SOUND_S = 60.0
"""An operating point that no shorter sound confirms is not tried; its network is."""

_ROOM_DBFS = -70.0
_SPARE_S = 1.0  # beyond what confirms an onset: what a resampler and a slice hold back
_SCHEMA_VERSION = 1


class Journal(Protocol):
    """Keeps small facts on disk, in a thread of its own."""

    def keep_note(self, key: str, value: str) -> None:
        """Keep it; returns at once."""

    def keeps_note(self, key: str) -> bool:
        """Whether the newest value is committed."""


class Link(Protocol):
    """How it stands with the broker."""

    @property
    def is_up(self) -> bool:
        """Whether there is a connection."""

    @property
    def reason(self) -> str:
        """Why there is none."""


class Broker(Protocol):
    """Publishes, in a thread of its own."""

    @property
    def link(self) -> Link:
        """How it stands."""

    def publish(self, message: Message) -> None:
        """Tell it; returns at once."""


def result_topic(topics: Topics) -> str:
    """Where the newest test's verdicts stand, retained."""
    return f"{topics.base}/self_test"


def alert_topic(topics: Topics) -> str:
    """Where a test's alert is published and read back; never retained."""
    return f"{result_topic(topics)}/alert"


# --- the known sound


@dataclass(frozen=True, slots=True, eq=False)
class KnownSound:
    """What one model must hear.

    Attributes:
        model: its name.
        label: of which it must raise an alarm; empty where no sound at hand reaches the label's threshold, or one
            would have to be too long: the network must answer then, and no more.
        samples: float32 (n,), one window of sound, over and over.
        sample_rate_hz: of the model.
        lasts_s: how much of it confirms an onset.
    """

    model: str
    label: str
    samples: Float32
    sample_rate_hz: int
    lasts_s: float


def known_sounds(settings: Settings, models: OpenModels) -> tuple[KnownSound, ...]:
    """One for each model that listens, in their order; reads the bundles, so not for the main loop's turns.

    Raises:
        BundleError: a bundle is no longer there.
    """
    bundles = {said.name: read_bundle(bundle_path(said.bundle)) for said in settings.listening}
    return tuple(known_sound(bundles[model.name], model) for model in models.listening)


def known_sound(bundle: Bundle, model: ListeningModel) -> KnownSound:
    """The golden window that is farthest above the threshold of a label that is an alarm."""
    window_s = bundle.window_samples / bundle.sample_rate_hz
    found = [
        (float(score) - label.point.on, case.samples, label)
        for case in bundle.golden
        for label, score in zip(model.labels, case.probabilities, strict=True)
        if label.role == "alarm" and score >= label.point.on and _lasts_s(label, window_s) <= LONGEST_SOUND_S
    ]
    if not found:
        return KnownSound(model.name, "", bundle.golden[-1].samples, bundle.sample_rate_hz, window_s + _SPARE_S)
    _, samples, label = max(found, key=lambda one: one[0])
    return KnownSound(model.name, label.name, samples, bundle.sample_rate_hz, _lasts_s(label, window_s))


def _lasts_s(label: ListeningLabel, window_s: float) -> float:
    point = label.point
    return window_s + max(point.confirm_s, point.confirm_of_s) + point.min_length_s + _SPARE_S


# --- what came of it


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one stage did.

    Attributes:
        stage: of the way.
        passed: None where there is no such stage here, or nothing reached it.
        detail: one sentence.
    """

    stage: Stage
    passed: bool | None
    detail: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """A test that has ended.

    Attributes:
        test_id: never used twice.
        by: who asked for it: mqtt, button, daily.
        begun_utc_s: when it began.
        took_s: until the last stage.
        verdicts: one for each stage, in order.
    """

    test_id: str
    by: str
    begun_utc_s: float
    took_s: float
    verdicts: tuple[Verdict, ...]

    @property
    def failed(self) -> Verdict | None:
        """The first stage that did not do its part."""
        return next((verdict for verdict in self.verdicts if verdict.passed is False), None)

    def fault(self, at_s: float) -> Fault:
        """What the alarm machine is told, at this second of the stream: that it failed, or that it fails no more."""
        failed = self.failed
        if failed is None:
            detail = f"a self-test passed in {self.took_s:.1f} s"
        else:
            detail = f"the self-test failed at {failed.stage}: {failed.detail}"
        return Fault("self_test", begins=failed is not None, since_s=at_s, at_s=at_s, detail=detail)

    def message(self, topics: Topics) -> Message:
        """What is published of it, retained."""
        told = {
            "schema_version": _SCHEMA_VERSION,
            "test": True,
            "instance": topics.instance,
            "test_id": self.test_id,
            "by": self.by,
            "begun_utc": utc_text(self.begun_utc_s, "milliseconds"),
            "took_s": round(self.took_s, 3),
            "passed": self.failed is None,
            "stages": {
                verdict.stage: {"passed": verdict.passed, "detail": verdict.detail} for verdict in self.verdicts
            },
        }
        return Message(result_topic(topics), json.dumps(told, ensure_ascii=False).encode(), retain=True)


# --- one model's trial


class _Trial:
    """One model hears its known sound, a slice at a time, through a fresh listener."""

    def __init__(self, sound: KnownSound, model: ListeningModel, settings: Settings, capture_hz: int | None) -> None:
        self.sound = sound
        self.network = model.network
        self.best = 0.0
        self.windows = 0
        self.event: Event | None = None
        self.fault: Fault | None = None
        self._blocks = _blocks(sound, capture_hz or sound.sample_rate_hz)
        self._listener = Listener(
            [replace(model, listens_while=None)],  # what it follows is tried by itself
            stream_id="self-test",
            hop_s=settings.listen.hop_s,
            gates_to_zero=settings.deafness.gates_to_zero,
            filters=settings.filters,
        )

    def step(self) -> bool:
        """Hear one slice; whether it is over."""
        block = next(self._blocks, None)
        if block is None:
            return True
        self._note(self._listener.push(block))
        return self.event is not None or self.fault is not None

    def _note(self, heard: Heard) -> None:
        self.windows += len(heard.scores)
        for scores in heard.scores:
            wanted = [self.sound.label] if self.sound.label else scores.probabilities
            self.best = max(self.best, *(scores.probabilities[label] for label in wanted))
        begun = (event for event in heard.events if event.label == self.sound.label and event.phase == "begin")
        self.event = self.event or next(begun, None)
        failing = (fault for fault in heard.faults if fault.begins and fault.kind != "clipping")
        self.fault = self.fault or next(failing, None)

    def judge(self) -> tuple[str, str]:
        """What it did wrong in hearing, and in deciding; each empty where nothing."""
        name, label = self.sound.model, self.sound.label
        if self.fault is not None:
            return f"model {name} cannot hear the known sound: {self.fault.detail}", ""
        if not self.windows:
            return f"model {name} gave no score for {self.sound.lasts_s:g} s of sound", ""
        if label and self.event is None:
            return "", f"model {name} raised no {label} at the known sound, its highest score was {self.best:.2f}"
        return "", ""


def _blocks(sound: KnownSound, capture_hz: int) -> Iterator[AudioBlock]:
    """The sound, and a room's murmur under it, as a microphone of that rate would give it.

    Without the murmur the windows would be equal, sample for sample, which is a sign of a driver that hangs.
    """
    slice_samples = round(SLICE_S * sound.sample_rate_hz)
    resampler = Resampler(sound.sample_rate_hz, capture_hz)
    rng = np.random.default_rng(0)
    given = 0
    for number in range(round(sound.lasts_s / SLICE_S)):
        places = np.arange(number * slice_samples, (number + 1) * slice_samples) % len(sound.samples)
        murmur = rng.standard_normal(slice_samples) * 10 ** (_ROOM_DBFS / 20)
        samples = resampler.push(np.clip(sound.samples[places] + murmur, -1.0, 1.0).astype(np.float32))
        if len(samples):
            yield AudioBlock(samples, capture_hz, given)
            given += len(samples)


# --- the test


@dataclass(slots=True, eq=False)
class _Run:
    """A test that is under way: what has been found so far."""

    test_id: str
    by: str
    begun_s: float
    begun_utc_s: float
    capture_hz: int | None
    verdicts: list[Verdict]
    trials: list[_Trial]
    since_s: float
    alert: bytes = b""
    came_back: bool = False


class SelfTest:
    """Steps through one test at a time.

    Args:
        sounds: of the models that listen.
        settings: by which they listen.
        listening: the models as they are now; their networks change where one failed and was opened again.
        topics: of the instance.
        boot_id: what ids of tests begin with; never used by a daemon before.
        journal: None where there is none.
        broker: None where there is none.
    """

    def __init__(
        self,
        sounds: Sequence[KnownSound],
        *,
        settings: Settings,
        listening: Callable[[], Sequence[ListeningModel]],
        topics: Topics,
        boot_id: str,
        journal: Journal | None,
        broker: Broker | None,
    ) -> None:
        self._sounds = {sound.model: sound for sound in sounds}
        self._settings = settings
        self._listening = listening
        self._topics = topics
        self._boot_id = boot_id
        self._journal = journal
        self._broker = broker
        self._numbers = count()
        self._run: _Run | None = None
        self._next: Callable[[_Run, float], Verdict | None] | None = None

    def __repr__(self) -> str:
        return f"SelfTest({', '.join(self._sounds)}; {'under way' if self.is_under_way else 'idle'})"

    @property
    def is_under_way(self) -> bool:
        """Whether a test has begun and not ended."""
        return self._run is not None

    def begin(self, *, by: str, now_s: float, utc_s: float, capture_hz: int | None) -> bool:
        """Begin a test; False where one is under way, which is all that was asked for.

        Args:
            by: who asks.
            now_s: monotonic.
            utc_s: time of day.
            capture_hz: rate of the microphone; None where nobody knows: the models' own.
        """
        if self._run is not None:
            return False
        test_id = f"{self._boot_id}-{NOTE}-{next(self._numbers)}"
        self._run = _Run(test_id, by, now_s, utc_s, capture_hz, verdicts=[], trials=[], since_s=now_s)
        self._next = self._hear
        return True

    def received(self, payload: bytes) -> None:
        """What came under `alert_topic`; from any thread."""
        run = self._run
        if run is not None and run.alert and payload == run.alert:
            run.came_back = True

    def step(self, now_s: float) -> Outcome | None:
        """Go on a little; the outcome, once."""
        run, stage = self._run, self._next
        if run is None or stage is None:
            return None
        verdict = stage(run, now_s)
        if verdict is None:
            return None
        run.verdicts.append(verdict)
        run.since_s = now_s
        self._next = self._after(verdict.stage)
        return self._ended(run, now_s) if self._next is None else None

    def _after(self, stage: Stage) -> Callable[[_Run, float], Verdict | None] | None:
        match stage:
            case "hear":
                return self._decide
            case "decide":
                return self._keep
            case "journal":
                return self._publish
            case "publish":
                return self._read_back
            case "read_back":
                return None

    def _ended(self, run: _Run, now_s: float) -> Outcome:
        self._run = None
        outcome = Outcome(run.test_id, run.by, run.begun_utc_s, now_s - run.begun_s, tuple(run.verdicts))
        if self._broker is not None:
            self._broker.publish(outcome.message(self._topics))
        return outcome

    # --- hear, decide

    def _hear(self, run: _Run, _now_s: float) -> Verdict | None:
        """One slice of one model's trial; the verdict after the last model's last."""
        models = self._listening()
        tried = len(run.trials)
        if tried and run.trials[-1].network is not models[tried - 1].network:  # it was opened again meanwhile
            run.trials.pop()
        elif tried and not run.trials[-1].step():
            return None
        elif tried == len(models):
            return _heard(run.trials)
        model = models[len(run.trials)]
        try:
            run.trials.append(_Trial(self._sounds[model.name], model, self._settings, run.capture_hz))
        except AuricleError as error:
            return Verdict("hear", passed=False, detail=str(error))
        return None

    def _decide(self, run: _Run, _now_s: float) -> Verdict:
        wrong = [why for trial in run.trials if (why := trial.judge()[1])]
        if wrong:
            return Verdict("decide", passed=False, detail="; ".join(wrong))
        raised = [f"{trial.event.label} ({trial.event.score:.2f})" for trial in run.trials if trial.event is not None]
        if not raised:
            return Verdict("decide", passed=None, detail="no known sound was to be raised, or none was heard")
        return Verdict("decide", passed=True, detail=f"raised {', '.join(raised)}")

    # --- journal

    def _keep(self, run: _Run, now_s: float) -> Verdict | None:
        if not run.alert:
            run.alert = self._alert(run)
            if self._journal is not None:
                self._journal.keep_note(NOTE, run.alert.decode())
        if self._journal is None:
            return Verdict("journal", passed=None, detail="no journal is configured")
        if self._journal.keeps_note(NOTE):
            return Verdict("journal", passed=True, detail=f"kept within {now_s - run.since_s:.1f} s")
        if now_s - run.since_s < KEPT_WITHIN_S:
            return None
        return Verdict("journal", passed=False, detail=f"it kept nothing within {KEPT_WITHIN_S:.0f} s")

    def _alert(self, run: _Run) -> bytes:
        """What is published as a real alert would be, under no topic of one."""
        raised = [
            {"model": trial.sound.model, "label": trial.sound.label, "score": round(trial.best, 6)}
            for trial in run.trials
            if trial.event is not None
        ]
        told = {
            "schema_version": _SCHEMA_VERSION,
            "test": True,
            "instance": self._topics.instance,
            "test_id": run.test_id,
            "by": run.by,
            "raised": raised,
            "begun_utc": utc_text(run.begun_utc_s, "milliseconds"),
        }
        return json.dumps(told).encode()

    # --- broker

    def _publish(self, run: _Run, now_s: float) -> Verdict | None:
        if self._broker is None:
            return Verdict("publish", passed=None, detail="no broker is configured")
        link = self._broker.link
        if link.is_up:
            self._broker.publish(Message(alert_topic(self._topics), run.alert))
            return Verdict("publish", passed=True, detail=f"handed to the broker's connection: {link.reason}")
        if now_s - run.since_s < BROKER_WITHIN_S:
            return None
        return Verdict("publish", passed=False, detail=link.reason)

    def _read_back(self, run: _Run, now_s: float) -> Verdict | None:
        if run.verdicts[-1].passed is not True:
            return Verdict("read_back", passed=None, detail="nothing was published")
        if run.came_back:
            return Verdict("read_back", passed=True, detail=f"came back within {now_s - run.since_s:.1f} s")
        if now_s - run.since_s < BROKER_WITHIN_S:
            return None
        waited = f"{alert_topic(self._topics)} brought nothing back within {BROKER_WITHIN_S:.0f} s"
        return Verdict("read_back", passed=False, detail=f"{waited}: may this client read and write there?")


def _heard(trials: Sequence[_Trial]) -> Verdict:
    wrong = [why for trial in trials if (why := trial.judge()[0])]
    if wrong:
        return Verdict("hear", passed=False, detail="; ".join(wrong))
    scored = ", ".join(f"{trial.sound.model} ({trial.windows} windows)" for trial in trials)
    return Verdict("hear", passed=True, detail=f"scored by {scored}")


# --- when


class Daily:
    """Says once a day that it is time.

    Args:
        at: HH:MM; None for never.
        zone: of the time; None for the machine's own.
        utc_s: now; where today's time is over, tomorrow's is the first.
    """

    def __init__(self, at: str | None, zone: tzinfo | None, utc_s: float) -> None:
        self._at = None if at is None else time.fromisoformat(at)
        self._zone = zone
        now = self._local(utc_s)
        self._done: date | None = now.date() if self._at is not None and now.time() >= self._at else None

    def __repr__(self) -> str:
        return f"Daily({self._at}, {self._zone or 'local'})"

    def due(self, utc_s: float) -> bool:
        """Whether it is time now; once a day, however the clock is set, and at once where it is set past it."""
        if self._at is None:
            return False
        now = self._local(utc_s)
        if now.time() < self._at or now.date() == self._done:
            return False
        self._done = now.date()
        return True

    def _local(self, utc_s: float) -> datetime:
        """The machine's own zone where none is named."""
        return datetime.fromtimestamp(utc_s, UTC).astimezone(self._zone)
