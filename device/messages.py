"""The messages that flow through Auricle, in the order in which they flow.

    a source        yields    AudioBlock, or NoAudio if it receives no sound
    the listener    makes     Window -> Scores -> Decision -> Event, and Fault; one push returns them as Heard
    the daemon      makes     Notice from events, faults and its own OperationNote, for the console and the log
    alarms.machine  makes     Transition from events and faults: each carries the Alarm after the change

All classes are frozen and slotted. Units are part of the names. A class that holds an array compares by identity
(`eq=False`). The only clock is the sample index: unless stated otherwise, values in `_s` are seconds since the
first sample of the stream. Knows nothing of files, devices, threads or clocks.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

LOUDNESS = "loudness"
"""In place of a model's name: what is said of any loud sound, see `hearing.loudness_detector`."""

LOUD = "loud"
"""Its label."""

Phase = Literal["begin", "reopen", "end"]
Priority = Literal["high", "medium", "low"]
Role = Literal[
    "alarm",
    "info",
    "reject",
    "verdict",  # of a model that follows another: an attribute of that one's events, no event of its own
]
DECIDED_ROLES: frozenset[Role] = frozenset({"alarm", "info"})
"""Roles of the labels that have events of their own."""

LabelMode = Literal[
    "alarm",  # a label raises alarms
    "log",  # what is detected of it is logged and published, and raises none
    "off",  # it is not listened for: nothing of it is logged or published
]
ModeSwitch = Literal["auto", "alarm", "log", "off"]
ModeCause = Literal[
    "always",  # nothing is scheduled for the label
    "hours",  # of the day
    "switch",  # somebody set it
    "clock",  # the hour is unknown while the clock is not synchronized
]
LabelState = Literal["off", "pending", "on", "holding"]
FaultKind = Literal[
    "silence",  # this and the next four: a microphone that delivers samples but no sound, see `hearing.deafness`
    "stuck",
    "dc",
    "repeated",
    "floor",
    "cancellation",  # the channels of a mix cancel each other
    "clipping",  # the microphone is heavily overdriven
    "gap",  # samples are missing
    "microphone",  # no samples arrive
    "coverage",  # too little of the captured sound was scored
    "classifier",  # a network fails, or returns a score that is not finite
    "journal",  # alarms cannot be stored on disk
    "broker",  # the MQTT broker cannot be reached, or refuses the connection
    "delivery",  # the console or the log accepts no line
    "self_test",  # a stage between sound and broker failed
    "certificate",  # one that is in use expires soon, or has expired
    "push",  # alarms do not reach a phone, or the process that sends them does not run
]
AlarmKind = Literal["sound", "technical"]
AlarmState = Literal[
    "active",  # its cause is present
    "latched",  # its cause is over, or no longer observed; the alarm stays until it is acknowledged
    "ended",
]
AlarmChange = Literal["raised", "reopened", "priority", "latched", "acknowledged", "reminded", "ended"]
TimeQuality = Literal[
    "synchronized",  # with a time server, or a radio clock
    "unsynchronized",  # not yet: a Raspberry Pi has no battery-backed clock
    "stepped",  # the clock jumped while the alarm was open
]
OperationKind = Literal[
    "started",
    "stopping",
    "reloaded",
    "reload_refused",
    "hop",
    "dropped",
    "asked",
    "journal",
    "pins",
    "broker",
    "schedule",
]


@dataclass(frozen=True, slots=True, eq=False)
class AudioBlock:
    """Consecutive samples of one stream, at capture rate.

    Attributes:
        samples: float32 (n,), mono, in [-1, 1]; n is at least 1.
        sample_rate_hz: capture rate, constant between gaps.
        start_sample: index of the first sample since the stream began, at capture rate. Missing samples are
            counted too, so the index is also a time.
        after_gap: samples are missing between the previous block and this one.
        independent_power: float32 (n,), the squared step from sample to sample that the mean of several channels
            would have if they were independent; None if the samples are no mean.
    """

    samples: npt.NDArray[np.float32]
    sample_rate_hz: int
    start_sample: int
    after_gap: bool = False
    independent_power: npt.NDArray[np.float32] | None = None

    @property
    def end_sample(self) -> int:
        """Index one past the last sample."""
        return self.start_sample + len(self.samples)


@dataclass(frozen=True, slots=True)
class NoAudio:
    """The source runs but receives no sound.

    Attributes:
        reason: why, and what would help, in words for the user.
        since_s: when the sound stopped.
        at_s: the current time of the stream; later than every sample so far.
    """

    reason: str
    since_s: float
    at_s: float


@dataclass(frozen=True, slots=True, eq=False)
class Window:
    """Exactly one window of sound at a model's sample rate.

    Attributes:
        samples: float32 (window_samples,).
        start_sample: index of its first sample at the model's rate, since its segment began. A segment is the
            sound between two gaps.
        start_s: start in the stream.
        end_s: end in the stream (for a file shorter than a window: the end of the file).
        repeated: the file is shorter than a window and was repeated to fill it, so that the samples are not
            consecutive samples of the stream.
    """

    samples: npt.NDArray[np.float32]
    start_sample: int
    start_s: float
    end_s: float
    repeated: bool = False


@dataclass(frozen=True, slots=True)
class Scores:
    """One model's result for one window: a probability in [0, 1] for each of its labels."""

    model: str
    probabilities: dict[str, float]
    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True)
class Decision:
    """The decision about one label in one window, and the rule that made it: what `--explain` prints.

    Attributes:
        model: name of the model.
        label: one of its labels.
        state: of the label after this window.
        rule: the rule, in one sentence.
        score: the window's probability for the label.
        start_s: start of the window.
        end_s: end of the window.
        trusted: False if the window may have been recorded by a deaf microphone: then it is no evidence of quiet.
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
    """A detected sound begins, begins again or ends.

    Attributes:
        event_id: `<stream_id>-<model>-<label>-<n>`, the same in all phases of one event.
        seq: number of the phase within the event, from 0.
        model: name of the model.
        label: the class of the sound.
        phase: begin, reopen (an onset within the cooldown) or end.
        score: the highest probability since the event began.
        start_s: start of the first window that counted towards the onset.
        end_s: end of the last window at or above the off threshold; None at begin and reopen.
        decided_s: end of the window that triggered the decision.
        reason: the rule that decided; at an end, why the event ended.
        windows: (start_s, probability) of the windows that the decision is based on, oldest first.
        onset_s: when the sound began, as estimated within the first window counted; at an end, that of the beginning;
            None if nobody has estimated it.
        offset_s: when it ended, as estimated within the last window; None at begin and reopen.
        verdict: at an end, what a model that follows this label says of the sound; None if it abstains or is missing.
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
    onset_s: float | None = None
    offset_s: float | None = None
    verdict: str | None = None

    @property
    def began_s(self) -> float:
        """The best that is known of when it began."""
        return self.start_s if self.onset_s is None else self.onset_s

    @property
    def ended_s(self) -> float | None:
        """The best that is known of when it ended; None at begin and reopen."""
        return self.end_s if self.offset_s is None else self.offset_s


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that keeps Auricle from detecting or delivering begins, or is over.

    Attributes:
        kind: what is wrong.
        begins: True if it begins, False if it is over.
        since_s: when it began.
        at_s: when this change was noticed.
        detail: one sentence, with the measured value if there is one.
        model: the model that fails; empty for a fault that affects all models.
    """

    kind: FaultKind
    begins: bool
    since_s: float
    at_s: float
    detail: str
    model: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Attended:
    """What a model attended to in one window.

    Attributes:
        model: name of the model.
        shares: of the attention on each frame and band, float32 (frames, bands); sums to 1.
        frame_s: when each frame's middle is (frames,).
        edges_hz: of the bands (bands + 2,): band k rises from edge k, peaks at k + 1 and ends at k + 2.
    """

    model: str
    shares: npt.NDArray[np.float32]
    frame_s: npt.NDArray[np.float64]
    edges_hz: npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Heard:
    """The result of one push to the listener; each list is in stream order.

    `attention` holds what models attended to, where somebody asked for it.
    """

    scores: list[Scores] = field(default_factory=list)
    decisions: list[Decision] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    attention: list[Attended] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class OperationNote:
    """A note about the operation of the daemon that is neither a sound nor a fault.

    Attributes:
        kind: started, stopping, reloaded, reload_refused, hop (widened or narrowed under load), dropped (lines that
            could not be delivered in time), asked (a command was received or rejected), journal (how it was
            opened, repaired or pruned), pins (what the GPIO pins would do, or why they do nothing), broker (its first
            connection), schedule (a label raises alarms, is only logged, or is not listened for from now on).
        detail: one sentence.
    """

    kind: OperationKind
    detail: str


@dataclass(frozen=True, slots=True)
class Notice:
    """An event, fault or operation note with the time of day: what the console and the log write.

    Attributes:
        utc_s: when it was decided, in seconds since 1970-01-01 UTC.
        source: where the sound comes from: the microphone as named in the configuration, or a recording's path.
        content: the event, fault or operation note itself.
        priority: of an event's label; None for all else.
        stream_speed: seconds of the stream in one second; 1 for a microphone.
    """

    utc_s: float
    source: str
    content: Event | Fault | OperationNote
    priority: Priority | None = None
    stream_speed: float = 1.0

    @property
    def since_utc_s(self) -> float:
        """When the sound or the fault began, in seconds since 1970-01-01 UTC; of an operation note its own time."""
        content = self.content
        if isinstance(content, OperationNote):
            return self.utc_s
        ago_s = content.decided_s - content.began_s if isinstance(content, Event) else content.at_s - content.since_s
        return self.utc_s - ago_s / self.stream_speed


@dataclass(frozen=True, slots=True)
class Alarm:
    """The current state of one alarm; made by `alarms.machine`.

    Attributes:
        alarm_id: the event's id, or `<boot id>-<kind>-<n>` for a fault; never reused.
        kind: sound for a detected sound, technical for a fault.
        name: the label, or the fault's kind.
        model: the model that detected the sound, or that fails; empty for a fault without a model.
        priority: the current one; quiet hours may have lowered it.
        state: whether its cause is present.
        acknowledged: whether somebody has acknowledged it.
        score: of a sound alarm, the highest probability so far; None for a technical alarm.
        detail: one sentence: the rule that decided, or the measured value.
        lowered_from: its priority outside quiet hours, if they lowered it; None if they did not.
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
class AlarmHistory:
    """What is remembered of an open alarm beside its current state.

    Attributes:
        start_utc_s: when its cause began; None if unknown.
        acknowledged_by: who acknowledged it; None if nobody did, or if the journal does not say.
    """

    start_utc_s: float | None
    acknowledged_by: str | None = None


@dataclass(frozen=True, slots=True)
class NightShare:
    """How much was listened to since the last noon.

    Attributes:
        since_utc_s: that noon, or the first start of the daemon if that was later.
        elapsed_s: seconds from then on, without the newest few.
        listened_s: of these, the seconds in which a cry would have been detected; at most `elapsed_s`.
    """

    since_utc_s: float
    elapsed_s: float
    listened_s: float


@dataclass(frozen=True, slots=True)
class Transition:
    """A change of one alarm: what the journal stores and what is published.

    Attributes:
        alarm: its state after the change.
        seq: number of the change, ascending within the alarm, across restarts too; `(alarm_id, seq)` is unique.
        change: what changed.
        cause: why, in one sentence: the rule or reason of the event, or who acknowledged it.
        at_s: when, by the clock that was passed to the machine.
        event: the event that caused the change; None if something else did.
    """

    alarm: Alarm
    seq: int
    change: AlarmChange
    cause: str
    at_s: float
    event: Event | None = None
