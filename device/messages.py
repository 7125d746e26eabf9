"""What flows through Auricle, in the order in which it flows.

Frozen and slotted; units stand in the names. A class that holds an array compares by identity
(`eq=False`). The only clock is the sample index: all `_s` values are seconds since the first sample
of the stream. Knows nothing of files, devices, threads or clocks.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

Phase = Literal["begin", "reopen", "end"]
Priority = Literal["high", "medium", "low"]
Role = Literal["alarm", "info", "reject"]
LabelState = Literal["off", "pending", "on", "holding"]
FaultKind = Literal[
    "silence",  # the five signs of a deaf microphone, and one of an overdriven one: see `hearing.deafness`
    "stuck",
    "dc",
    "repeated",
    "floor",
    "clipping",
    "gap",  # samples are missing
    "microphone",  # no samples come at all
    "coverage",  # too little of what was captured was in a window that was scored
    "classifier",  # a network fails, or gives a score that is not finite
    "journal",  # alarms cannot be kept on disk
    "broker",  # no broker can be reached, or it refuses us
    "delivery",  # the console or the log accepts no line
    "self_test",  # a stage between sound and broker did not do its part
]
AlarmKind = Literal["sound", "technical"]
AlarmState = Literal[
    "active",  # its cause is there
    "latched",  # its cause is over, or not known to be over; it stays until it is acknowledged
    "ended",
]
AlarmChange = Literal["raised", "reopened", "priority", "latched", "acknowledged", "reminded", "ended"]
TimeQuality = Literal[
    "synchronized",  # with a time server, or a radio
    "unsynchronized",  # a Pi without a clock, before it has reached one
    "stepped",  # it jumped while the alarm was open
]
OperationKind = Literal[
    "started", "stopping", "reloaded", "reload_refused", "hop", "dropped", "asked", "journal", "pins"
]


@dataclass(frozen=True, slots=True, eq=False)
class AudioBlock:
    """Some consecutive samples of one stream, at capture rate.

    Attributes:
        samples: float32 (n,), mono, in [-1, 1]; n may be any number from 1 on.
        sample_rate_hz: capture rate, constant between gaps.
        start_sample: index of the first sample since the stream began, at capture rate; missing
            samples are counted, so that it is also a time.
        after_gap: samples are missing between the previous block and this one.
    """

    samples: npt.NDArray[np.float32]
    sample_rate_hz: int
    start_sample: int
    after_gap: bool = False

    @property
    def end_sample(self) -> int:
        """Index one past the last sample."""
        return self.start_sample + len(self.samples)


@dataclass(frozen=True, slots=True)
class NoAudio:
    """The source is alive but hears nothing.

    Attributes:
        reason: why, in words that say what would help.
        since_s: second of the stream since which it has heard nothing.
        at_s: second of the stream at which that is still so; later than every sample so far.
    """

    reason: str
    since_s: float
    at_s: float


@dataclass(frozen=True, slots=True, eq=False)
class Window:
    """Exactly one window of sound at a model's rate.

    Attributes:
        samples: float32 (window_samples,).
        start_sample: index of its first sample at the model's rate, since its segment began.
        start_s: where it starts in the stream.
        end_s: where it ends in the stream (for a file shorter than a window: the file's end).
        repeated: the file is shorter than a window and was repeated to fill it; such samples stand
            nowhere in the stream.
    """

    samples: npt.NDArray[np.float32]
    start_sample: int
    start_s: float
    end_s: float
    repeated: bool = False


@dataclass(frozen=True, slots=True)
class Scores:
    """What one model gave for one window: a probability in [0, 1] for each of its labels."""

    model: str
    probabilities: dict[str, float]
    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True)
class Decision:
    """What was decided about one label in one window, and by which rule: what `--explain` prints.

    Attributes:
        model: name of the model.
        label: one of its labels.
        state: of the label after this window.
        rule: the sentence that says why.
        score: the window's probability for the label.
        start_s: start of the window.
        end_s: end of the window.
        trusted: False where the window holds samples suspected of deafness: it shows no quiet.
    """

    model: str
    label: str
    state: LabelState
    rule: str
    score: float
    start_s: float
    end_s: float
    trusted: bool = True


@dataclass(frozen=True, slots=True)
class Event:
    """A change that people or programs are told about.

    Attributes:
        event_id: `<stream_id>-<model>-<label>-<n>`, the same in all phases of one event.
        seq: orders the phases of one event, from 0.
        model: name of the model.
        label: what was heard.
        phase: begin, reopen (an onset within the cooldown) or end.
        score: the highest probability since the event began.
        start_s: start of the first window counted.
        end_s: end of the last window at or above the off threshold; None at begin and reopen.
        decided_s: end of the window that decided.
        reason: the rule that decided, or at an end why it ended.
        windows: (start_s, probability) of the windows that decided, oldest first.
    """

    event_id: str
    seq: int
    model: str
    label: str
    phase: Phase
    score: float
    start_s: float
    end_s: float | None
    decided_s: float
    reason: str
    windows: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that keeps Auricle from hearing; it begins (`begins`) or is over.

    Attributes:
        kind: what is wrong.
        begins: True where it begins, False where it ends.
        since_s: where it began in the stream.
        at_s: where this was noticed.
        detail: one sentence with the figure that was measured.
        model: that fails; empty for a fault of what all models hear.
    """

    kind: FaultKind
    begins: bool
    since_s: float
    at_s: float
    detail: str
    model: str = ""


@dataclass(frozen=True, slots=True)
class Heard:
    """What one push gave, each list in stream order."""

    scores: list[Scores] = field(default_factory=list)
    decisions: list[Decision] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class OperationNote:
    """Something the daemon did, or that was done to it, which is neither a sound nor a fault of hearing.

    Attributes:
        kind: started, stopping, reloaded, reload_refused, hop (it was widened or narrowed), dropped (lines that
            could not be delivered in time), asked (what people asked for), journal (what became of it), pins (what
            they would do, or why they do nothing).
        detail: one sentence.
    """

    kind: OperationKind
    detail: str


@dataclass(frozen=True, slots=True)
class Notice:
    """What is told to people: an event, a fault or a happening, with the time of day attached.

    Attributes:
        utc_s: when it was decided, in seconds since 1970-01-01 UTC.
        source: what is heard: the microphone as it is named in the configuration, or a recording's path.
        content: the event, fault or operation note itself.
        priority: of an event's label; None for all else.
    """

    utc_s: float
    source: str
    content: Event | Fault | OperationNote
    priority: Priority | None = None


@dataclass(frozen=True, slots=True)
class Alarm:
    """One alarm as it is now; made by `alarms.machine`.

    Attributes:
        alarm_id: the event's id, or `<boot id>-<kind>-<n>` of a fault; never used again.
        kind: of what people hear, or of what keeps Auricle from hearing or telling.
        name: the label, or the fault's kind.
        model: that heard it, or that fails; empty for a fault of none.
        priority: as it is told now; quiet hours may have lowered it.
        state: whether its cause is there.
        acknowledged: somebody has seen it.
        score: of a sound, the highest probability so far; None for a technical one.
        detail: one sentence: the rule that decided, or the figure that was measured.
        lowered_from: its priority outside quiet hours, where they lowered it; None where they did not.
    """

    alarm_id: str
    kind: AlarmKind
    name: str
    model: str
    priority: Priority
    state: AlarmState
    acknowledged: bool
    score: float | None
    detail: str
    lowered_from: Priority | None = None


@dataclass(frozen=True, slots=True)
class Transition:
    """A change of one alarm: what is journalled and told.

    Attributes:
        alarm: as it is after the change.
        seq: orders the changes of one alarm, across restarts; `(alarm_id, seq)` is unique.
        change: what changed.
        cause: why, in one sentence: the end's reason, who acknowledged it, what was heard.
        at_s: when, by the clock of whoever stepped the machine.
        event: the sound's event that changed it, if one did.
    """

    alarm: Alarm
    seq: int
    change: AlarmChange
    cause: str
    at_s: float
    event: Event | None = None
