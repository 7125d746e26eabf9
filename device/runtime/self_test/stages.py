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
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Protocol

from device.daytime import utc_text
from device.errors import AuricleError
from device.runtime.self_test.model_trial import ModelTrial
from device.runtime.self_test.outcome import SCHEMA_VERSION, Outcome, Verdict, alert_topic
from device.sinks.payloads import Message

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from device.config.settings import Settings
    from device.hearing.listening_model import ListeningModel
    from device.runtime.self_test.known_sound import KnownSound
    from device.runtime.self_test.outcome import Stage
    from device.sinks.payloads import Topics

NOTE = "self_test"
"""Name of the journal's note that keeps the newest test's alert."""

KEPT_WITHIN_S = 5.0
"""A disk may take so long; alarms are told from memory after 1 s, and a busy card is no broken one."""

BROKER_WITHIN_S = 10.0
"""So long for a connection, and then so long for what was published to come back."""


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


@dataclass(slots=True, eq=False)
class _Run:
    """A test that is under way: what has been found so far."""

    test_id: str
    by: str
    begun_s: float
    begun_utc_s: float
    capture_hz: int | None
    verdicts: list[Verdict]
    trials: list[ModelTrial]
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
            run.trials.append(ModelTrial(self._sounds[model.name], model, self._settings, run.capture_hz))
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
            "schema_version": SCHEMA_VERSION,
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


def _heard(trials: Sequence[ModelTrial]) -> Verdict:
    wrong = [why for trial in trials if (why := trial.judge()[0])]
    if wrong:
        return Verdict("hear", passed=False, detail="; ".join(wrong))
    scored = ", ".join(f"{trial.sound.model} ({trial.windows} windows)" for trial in trials)
    return Verdict("hear", passed=True, detail=f"scored by {scored}")
