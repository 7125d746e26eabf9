"""Steps through a self-test: hear, decide, journal, publish, read back.

Each listening model gets its known sound through a fresh `Listener` with the same networks, operating points, filters
and capture rate; one that has none hears that of the model that it follows. The resulting alert is committed to the
journal as a note, published under a topic of its own with `test: true`, and read back. Each of the five stages has a
result. The first that fails begins the fault `self_test`; a test that passes ends it.

Nothing here creates an event, an alarm or a label that is on: the listeners' events stay in this room. It has no
thread and no clock: the main loop begins a test and steps through it, see `daemon.self_test_schedule`. The networks
run in the thread that steps, which is the one that runs the live models, so no classifier is used from two threads. A
step plays 100 ms of the known sound at most, and costs as much as 100 ms of live sound. If a model is reopened during
its trial, the trial starts over.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Protocol

from device.daytime import utc_text
from device.errors import AuricleError
from device.quantity import quantity
from device.runtime.self_test.model_trial import ModelTrial, hearing_together
from device.runtime.self_test.outcome import SCHEMA_VERSION, Outcome, StageResult, alert_topic
from device.sinks.payloads import Message

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from device.config.settings import Settings
    from device.hearing.listening_model import ListeningModel
    from device.runtime.self_test.known_sound import KnownSound
    from device.runtime.self_test.outcome import Stage
    from device.sinks.payloads import Topics

NOTE = "self_test"
"""Key of the journal's note that holds the newest test's alert."""

KEPT_WITHIN_S = 5.0
"""Deadline of the journal. Alarms are published from memory after 1 s, and a busy SD card is not broken."""

BROKER_WITHIN_S = 10.0
"""Deadline for a connection, and again for the published alert to come back."""


class Journal(Protocol):
    """Stores notes on disk, in a thread of its own."""

    def set_note(self, key: str, value: str) -> None:
        """Store it; returns at once."""

    def is_note_committed(self, key: str) -> bool:
        """Whether the newest value is committed."""


class Link(Protocol):
    """State of the connection to the broker."""

    @property
    def is_up(self) -> bool:
        """Whether it is connected."""

    @property
    def reason(self) -> str:
        """Why it is not, or what it is connected to."""


class Broker(Protocol):
    """Publishes, in a thread of its own."""

    @property
    def link(self) -> Link:
        """State of the connection."""

    def publish(self, message: Message) -> None:
        """Queue it; returns at once."""


@dataclass(slots=True, eq=False)
class _Run:
    """The state of a running test."""

    test_id: str
    by: str
    begun_s: float
    begun_utc_s: float
    capture_hz: int | None
    results: list[StageResult]
    trials: list[ModelTrial]
    stage_since_s: float
    alert: bytes = b""
    echo_received: bool = False


class SelfTestRunner:
    """Runs one test at a time, step by step.

    Args:
        sounds: known sounds of the listening models.
        settings: of the daemon.
        listening: returns the current models; a failing model that is reopened gets another network.
        topics: of the instance.
        boot_id: prefix of test ids, unique to this start of the daemon.
        journal: None if there is none.
        broker: None if there is none.
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
        self._next: Callable[[_Run, float], StageResult | None] | None = None

    def __repr__(self) -> str:
        return f"SelfTest({', '.join(self._sounds)}; {'under way' if self.is_under_way else 'idle'})"

    @property
    def is_under_way(self) -> bool:
        """Whether a test is running."""
        return self._run is not None

    def begin(self, *, by: str, now_s: float, utc_s: float, capture_hz: int | None) -> bool:
        """Begin a test; returns False if one is already running.

        Args:
            by: who requests it.
            now_s: monotonic.
            utc_s: time of day.
            capture_hz: rate of the microphone; None if unknown, for the models' own.
        """
        if self._run is not None:
            return False
        test_id = f"{self._boot_id}-{NOTE}-{next(self._numbers)}"
        self._run = _Run(test_id, by, now_s, utc_s, capture_hz, results=[], trials=[], stage_since_s=now_s)
        self._next = self._hear
        return True

    def received(self, payload: bytes) -> None:
        """Accept a payload that the broker delivered on `alert_topic`; from any thread."""
        run = self._run
        if run is not None and run.alert and payload == run.alert:
            run.echo_received = True

    def step(self, now_s: float) -> Outcome | None:
        """Do a small part of the test; returns the outcome when it is complete."""
        run, stage = self._run, self._next
        if run is None or stage is None:
            return None
        result = stage(run, now_s)
        if result is None:
            return None
        run.results.append(result)
        run.stage_since_s = now_s
        self._next = self._after(result.stage)
        return self._ended(run, now_s) if self._next is None else None

    def _after(self, stage: Stage) -> Callable[[_Run, float], StageResult | None] | None:
        match stage:
            case "hear":
                return self._decide
            case "decide":
                return self._write_journal
            case "journal":
                return self._publish
            case "publish":
                return self._read_back
            case "read_back":
                return None

    def _ended(self, run: _Run, now_s: float) -> Outcome:
        self._run = None
        outcome = Outcome(run.test_id, run.by, run.begun_utc_s, now_s - run.begun_s, tuple(run.results))
        if self._broker is not None:
            self._broker.publish(outcome.message(self._topics))
        return outcome

    # --- hear, decide

    def _hear(self, run: _Run, _now_s: float) -> StageResult | None:
        """Play one slice to the models of one trial; returns the result after the last trial's last slice."""
        together = hearing_together(self._listening(), self._sounds)
        started = len(run.trials)
        if started and not _are_of(run.trials[-1], together[started - 1]):  # one was reopened meanwhile
            run.trials.pop()
        elif started and not run.trials[-1].step():
            return None
        elif started == len(together):
            return _hear_result(run.trials)
        models = together[len(run.trials)]
        try:
            run.trials.append(ModelTrial(self._sounds[models[0].name], models, self._settings, run.capture_hz))
        except AuricleError as error:
            return StageResult("hear", passed=False, detail=str(error))
        return None

    def _decide(self, run: _Run, _now_s: float) -> StageResult:
        errors = [error for trial in run.trials if (error := trial.errors()[1])]
        if errors:
            return StageResult("decide", passed=False, detail="; ".join(errors))
        raised = [f"{trial.event.label} ({trial.event.score:.2f})" for trial in run.trials if trial.event is not None]
        if not raised:
            return StageResult("decide", passed=None, detail="no known sound was to be raised, or none was heard")
        return StageResult("decide", passed=True, detail=f"raised {', '.join(raised)}")

    # --- journal

    def _write_journal(self, run: _Run, now_s: float) -> StageResult | None:
        if not run.alert:
            run.alert = self._alert(run)
            if self._journal is not None:
                self._journal.set_note(NOTE, run.alert.decode())
        if self._journal is None:
            return StageResult("journal", passed=None, detail="no journal is configured")
        if self._journal.is_note_committed(NOTE):
            return StageResult("journal", passed=True, detail=f"kept within {now_s - run.stage_since_s:.1f} s")
        if now_s - run.stage_since_s < KEPT_WITHIN_S:
            return None
        return StageResult("journal", passed=False, detail=f"it kept nothing within {KEPT_WITHIN_S:.0f} s")

    def _alert(self, run: _Run) -> bytes:
        """The payload of the test's alert, which is published like a real one but never on its topics."""
        raised = [
            {"model": trial.sound.model, "label": trial.sound.label, "score": round(trial.best, 6)}
            for trial in run.trials
            if trial.event is not None
        ]
        content = {
            "schema_version": SCHEMA_VERSION,
            "test": True,
            "instance": self._topics.instance,
            "test_id": run.test_id,
            "by": run.by,
            "raised": raised,
            "begun_utc": utc_text(run.begun_utc_s, "milliseconds"),
        }
        return json.dumps(content).encode()

    # --- broker

    def _publish(self, run: _Run, now_s: float) -> StageResult | None:
        if self._broker is None:
            return StageResult("publish", passed=None, detail="no broker is configured")
        link = self._broker.link
        if link.is_up:
            self._broker.publish(Message(alert_topic(self._topics), run.alert))
            return StageResult("publish", passed=True, detail=f"handed to the broker's connection: {link.reason}")
        if now_s - run.stage_since_s < BROKER_WITHIN_S:
            return None
        return StageResult("publish", passed=False, detail=link.reason)

    def _read_back(self, run: _Run, now_s: float) -> StageResult | None:
        if run.results[-1].passed is not True:
            return StageResult("read_back", passed=None, detail="nothing was published")
        if run.echo_received:
            return StageResult("read_back", passed=True, detail=f"came back within {now_s - run.stage_since_s:.1f} s")
        if now_s - run.stage_since_s < BROKER_WITHIN_S:
            return None
        waited = f"{alert_topic(self._topics)} brought nothing back within {BROKER_WITHIN_S:.0f} s"
        return StageResult("read_back", passed=False, detail=f"{waited}: may this client read and write there?")


def _are_of(trial: ModelTrial, models: Sequence[ListeningModel]) -> bool:
    """Whether the networks of a trial are those of the models."""
    return all(one is model.network for one, model in zip(trial.networks, models, strict=True))


def _hear_result(trials: Sequence[ModelTrial]) -> StageResult:
    errors = [error for trial in trials if (error := trial.errors()[0])]
    if errors:
        return StageResult("hear", passed=False, detail="; ".join(errors))
    windows = [each for trial in trials for each in trial.windows.items()]
    scored = ", ".join(f"{model} ({quantity(count, 'window')})" for model, count in windows)
    return StageResult("hear", passed=True, detail=f"scored by {scored}")
