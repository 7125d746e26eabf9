"""The settings: one frozen class for each table of the file, and the only place of every default.

Each field is a key, declared with its range, its description and its default. A new table is a new class and
one field of `Settings`: its errors, its part of the example and of the JSON Schema follow, see `schema`.

Does not know what a model declares about its labels: that travels with the model, and `LabelSettings` only
overrides it. Does not know which bundles are installed: callers pass them to `missing_models`.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

from device.config.alerting.loudness_settings import LoudnessSettings
from device.config.alerting.schedule_settings import ScheduleSettings
from device.config.kinds import Boolean, Choice, Host, Integer, Number, Ordinal, OrKeyword, Text
from device.config.microphone.microphone_settings import MicrophoneSettings
from device.config.profiles import DEFAULT_PROFILE, PROFILES
from device.config.push.notify_settings import NotifySettings
from device.config.push.watcher_settings import WatcherSettings
from device.config.schema import TableSettings, key, named_tables, table, table_array
from device.config.web_settings import WebSettings
from device.config.wording import shown
from device.daytime import CLOCK_TIME, DAY_RANGE
from device.messages import LOUDNESS, Priority

if TYPE_CHECKING:
    from collections.abc import Collection

    from device.config.schema import Conflict

MAX_TIME_S = 3600.0
StethoscopeBand = Literal["heart", "lung", "wide"]
Latch = Literal["off", "high", "all"]
MqttProtocol = Literal["5", "3.1.1"]
AliveForm = Literal["pulse", "steady"]
BUNDLE_SUFFIX = ".tflite"

_NAME = r"[a-z0-9][a-z0-9_-]{0,63}"  # the same rule as in a bundle
_MODEL_NAME = Text(_NAME, "the name of a model, of a-z, 0-9, _ and -")
_LABEL_NAME = Text(_NAME, "the name of a label, of a-z, 0-9, _ and -")
_BUNDLE = Text(r".*\S.*", f"the name of a shipped bundle, or the path of a {BUNDLE_SUFFIX} file")
_PROBABILITY = OrKeyword(Number(0.001, 0.999), "model")
_PATH = Text(r".*\S.*", '"auto", or the path of a file')
_KEY_FILE = Text(r".*\S.*", "the path of a public key in PEM")
_HOURS = Text(DAY_RANGE, "HH:MM-HH:MM")
_CLOCK_TIME = Text(CLOCK_TIME, "HH:MM")
_ZONE = Text(r"[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+)*", 'a zone such as "Europe/Berlin", or "UTC"')
_CLIENT_ID = Text(r"[A-Za-z0-9_-]{1,64}", "a client's id of A-Z, a-z, 0-9, _ and -")
_TOPIC = Text(r"[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*", "a topic of A-Z, a-z, 0-9, _ and -, in parts divided by /")
_USER = Text(r".{1,128}", "a user's name")
_PIN = Integer(0, 27)  # BCM numbers of the Pi's header
_TIME_S = OrKeyword(Number(0.0, MAX_TIME_S, "s"), "model")


@dataclass(frozen=True, slots=True)
class LabelSettings(TableSettings):
    """What is overruled of one label of a model; "model" leaves a key as the model itself says."""

    name: str
    sensitivity: int = key(
        0, Integer(-5, 5), "Up to hear more and alert wrongly more; each step halves the odds that a score must reach."
    )
    on: float | None = key(None, _PROBABILITY, "Score from which on a window counts for an onset.")
    off: float | None = key(None, _PROBABILITY, 'Score below which a window counts for the end; at most "on".')
    confirm_s: float | None = key(None, _TIME_S, "An alert wants this much sound to count ...")
    confirm_of_s: float | None = key(None, _TIME_S, '... within this much sound; at least "confirm_s".')
    min_length_s: float | None = key(None, _TIME_S, "An event begins only after it has lasted this long.")
    hold_s: float | None = key(None, _TIME_S, 'It is over after this long below "off".')
    cooldown_s: float | None = key(None, _TIME_S, "Heard again within this time, it is the same event.")
    priority: Priority | None = key(None, OrKeyword(Choice(get_args(Priority)), "model"), "How urgent its alert is.")

    def operating_point(self) -> dict[str, float]:
        """The overridden part of the model's operating point: field of `OperatingPoint` -> value."""
        names = {item.name for item in dataclasses.fields(self)} - {"name", "priority", "sensitivity"}
        return {name: getattr(self, name) for name in sorted(names) if getattr(self, name) is not None}

    def conflict(self) -> Conflict | None:
        """Report an off threshold above the on threshold, or a confirmation time longer than its window."""
        if self.on is not None and self.off is not None and self.off > self.on:
            return (("on",), ("off",)), f'"off" is {shown(self.off)}, must be at most "on", which is {shown(self.on)}'
        if self.confirm_s is not None and self.confirm_of_s is not None and self.confirm_s > self.confirm_of_s:
            least = f'must be at least "confirm_s", which is {shown(self.confirm_s)}'
            return (("confirm_s",), ("confirm_of_s",)), f'"confirm_of_s" is {shown(self.confirm_of_s)}, {least}'
        return None


@dataclass(frozen=True, slots=True)
class ModelSettings(TableSettings):
    """A model that listens, under a name of your choice, which its events carry.

    Attributes:
        name: name of the table, unique.
        labels: the labels with overrides; all others are as the model declares them.
    """

    name: str
    bundle: str = key("", _BUNDLE, "The model; a path that is not absolute begins at this file's folder.")
    enabled: bool = key(default=True, kind=Boolean(), description="Whether it listens at all.")
    threads: int = key(1, Integer(1, 16), "Threads that its network may use.")
    listens_while: str | None = key(
        None,
        OrKeyword(_LABEL_NAME, "always"),
        "Listen only while this label, of a model further up, is on.",
    )
    labels: tuple[LabelSettings, ...] = named_tables("label", _LABEL_NAME, LabelSettings, "cry")

    def __post_init__(self) -> None:
        """Default the bundle to the table's name, and drop labels without overrides."""
        object.__setattr__(self, "bundle", self.bundle or self.name)
        object.__setattr__(self, "labels", tuple(label for label in self.labels if label != LabelSettings(label.name)))

    @property
    def is_file(self) -> bool:
        """Whether `bundle` is a path; otherwise it is a shipped bundle's name."""
        return "/" in self.bundle or self.bundle.endswith(BUNDLE_SUFFIX)

    def label(self, name: str) -> LabelSettings:
        """The overrides of a label; none if the settings do not name it."""
        return next((label for label in self.labels if label.name == name), LabelSettings(name))


@dataclass(frozen=True, slots=True)
class BundleSettings(TableSettings):
    """Which model files are trusted.

    Attributes:
        public_key: None to load unsigned ones too.
    """

    public_key: str | None = key(
        None,
        OrKeyword(_KEY_FILE, "off"),
        "Only models that were signed with this Ed25519 key are loaded; shipped ones must be signed too.",
    )


@dataclass(frozen=True, slots=True)
class ListenSettings(TableSettings):
    """How the stream is cut into windows."""

    hop_s: float = key(
        0.5,
        Number(0.1, 2.0, "s"),
        "From one window to the next; every model says of which step it must be a multiple.",
    )
    widen_up_to: int = key(
        4,
        Integer(1, 20),
        "Where the machine cannot keep up, the daemon makes the hop up to this many times as wide, and at most "
        "as wide as a window; 1 for never.",
    )


@dataclass(frozen=True, slots=True)
class FilterSettings(TableSettings):
    """What is done to the sound between the microphone and the models; nothing, unless asked for.

    Attributes:
        hum_hz: None for no notch.
    """

    gain_db: float = key(0.0, Number(-40.0, 60.0, "dB"), "Gain; it clips nothing and makes no microphone better.")
    high_pass_hz: float | None = key(
        None, OrKeyword(Number(5.0, 2000.0, "Hz"), "off"), "Takes off what is below: wind, steps, handling."
    )
    hum_hz: float | None = key(
        None, OrKeyword(Number(40.0, 70.0, "Hz"), "off"), "Notches at the mains frequency (50 or 60) and its harmonics."
    )
    stethoscope: StethoscopeBand | None = key(
        None,
        OrKeyword(Choice(get_args(StethoscopeBand)), "off"),
        "Band-pass of a stethoscope: heart 20 to 200 Hz, lung 60 to 2000 Hz, wide 20 to 2000 Hz.",
    )

    @property
    def is_neutral(self) -> bool:
        """Whether the sound passes unchanged."""
        return self == FilterSettings()


@dataclass(frozen=True, slots=True)
class RecordingSettings(TableSettings):
    """How a recording is read.

    Attributes:
        channel: counted from 0 here, from 1 in the file; None for the mean of all.
    """

    channel: int | None = key(None, OrKeyword(Ordinal(1024), "mix"), "The channel that is heard, or the mix of all.")


@dataclass(frozen=True, slots=True)
class DeafnessSettings(TableSettings):
    """When a microphone is held to be deaf."""

    gates_to_zero: bool = key(
        default=False,
        kind=Boolean(),
        description="This microphone gives digital zeros where nothing is loud: they are then quiet, not deafness.",
    )


@dataclass(frozen=True, slots=True)
class ReplaySettings(TableSettings):
    """How recordings are replayed; nothing here changes what is heard."""

    workers: int = key(1, Integer(1, 256), "Processes that share the recordings.")


@dataclass(frozen=True, slots=True)
class LogSettings(TableSettings):
    """The daemon's log of what it heard and told, one JSON object a line.

    Attributes:
        file: None for no log; "auto" for the instance's default path.
    """

    file: str | None = key(
        "auto",
        OrKeyword(_PATH, "off"),
        'Where it is written; "auto" is the instance\'s own place, which auricle check names.',
    )
    max_mb: float = key(
        5.0, Number(0.1, 1000.0, "MB"), "A file that would grow larger is set aside and a new one begun."
    )
    keep: int = key(4, Integer(1, 100), "Files that are kept beside the newest; the oldest goes first.")


@dataclass(frozen=True, slots=True)
class AlarmSettings(TableSettings):
    """How alarms behave once they are raised.

    Attributes:
        remind_s: None for never.
        quiet_hours: "22:00-06:00"; None for none.
        time_zone: of the quiet hours and of daily times; None for the machine's own.
    """

    latch: Latch = key(
        "off",
        Choice(get_args(Latch)),
        "Which alarms stay, once raised, until they are acknowledged, though their cause is over: none, "
        "those of high priority, or all.",
    )
    remind_s: float | None = key(
        120.0,
        OrKeyword(Number(10.0, MAX_TIME_S, "s"), "never"),
        "An alarm that nobody acknowledged is published again.",
    )
    longest_pause_s: float = key(
        600.0, Number(10.0, 7200.0, "s"), "Signals may be paused for at most this long; alarms are published even so."
    )
    quiet_hours: str | None = key(
        None, OrKeyword(_HOURS, "off"), "Sound alarms have a priority one lower; technical ones keep theirs."
    )
    time_zone: str | None = key(None, OrKeyword(_ZONE, "local"), "Zone of quiet hours and of daily times.")


@dataclass(frozen=True, slots=True)
class JournalSettings(TableSettings):
    """The durable record of alarms.

    Attributes:
        file: None for no journal: alarms not yet delivered are then lost with the process.
    """

    file: str | None = key("auto", OrKeyword(_PATH, "off"), 'Where it is kept; "auto" is the instance\'s own place.')
    max_mb: float = key(64.0, Number(4.0, 4096.0, "MB"), "Its size at most; what was delivered longest ago goes first.")


@dataclass(frozen=True, slots=True)
class MqttSettings(TableSettings):
    """The broker; nothing is told to any, unless a host is named.

    Attributes:
        host: None for no broker.
        port: None for 1883, or 8883 with TLS.
        client_id: None for one made of instance and machine.
        password_file: None for the systemd credential `mqtt-password`, if there is one.
    """

    host: str | None = key(None, OrKeyword(Host(), "off"), "The broker's name or address.")
    port: int | None = key(None, OrKeyword(Integer(1, 65535), "usual"), "Its port; 1883, or 8883 with TLS.")
    protocol: MqttProtocol = key("5", Choice(get_args(MqttProtocol)), "MQTT's version.")
    client_id: str | None = key(
        None, OrKeyword(_CLIENT_ID, "auto"), 'Its id there; "auto" is made of instance and machine, for rights by id.'
    )
    topic: str = key("auricle", _TOPIC, "What every topic begins with; the instance follows.")
    username: str | None = key(None, OrKeyword(_USER, "none"), "Who logs in.")
    password_file: str | None = key(
        None, OrKeyword(_PATH, "credential"), "File with the password; else the systemd credential mqtt-password."
    )
    tls: bool = key(default=False, kind=Boolean(), description="Encrypt, and verify the broker's certificate.")
    ca_file: str | None = key(None, OrKeyword(_PATH, "system"), "Authorities that may vouch for the broker.")
    cert_file: str | None = key(None, OrKeyword(_PATH, "none"), "This client's certificate ...")
    key_file: str | None = key(None, OrKeyword(_PATH, "none"), "... and its key.")
    in_flight: int = key(20, Integer(1, 100), "Alarms that may be unacknowledged by the broker at once.")
    home_assistant: bool = key(default=True, kind=Boolean(), description="Announce the device to Home Assistant.")
    discovery_topic: str = key("homeassistant", _TOPIC, "Where Home Assistant looks for announcements.")
    discovery_by_instance: bool = key(
        default=False,
        kind=Boolean(),
        description="Announce it below the instance's name there, so that rights by name cover it; see docs/fleet.md.",
    )
    frigate_topics: bool = key(
        default=False, kind=Boolean(), description="Publish under Frigate's topic names as well."
    )


@dataclass(frozen=True, slots=True)
class GpioSettings(TableSettings):
    """Pins, by their BCM numbers; none is touched unless it is named here."""

    led: int | None = key(None, OrKeyword(_PIN, "off"), "Light: patterns for each priority.")
    buzzer: int | None = key(
        None, OrKeyword(_PIN, "off"), "Active buzzer: the same, silent while paused or acknowledged."
    )
    relay: int | None = key(None, OrKeyword(_PIN, "off"), "On while an alarm of high priority is not acknowledged.")
    button: int | None = key(None, OrKeyword(_PIN, "off"), "To ground: acknowledges all; held for 3 s, it pauses.")
    alive: int | None = key(
        None, OrKeyword(_PIN, "off"), "Fail-safe: a pulse at least every second while all is well, from the main loop."
    )
    alive_is: AliveForm = key(
        "pulse",
        Choice(get_args(AliveForm)),
        "A pin can keep a steady level after its process was killed; only a pulse is fail-safe.",
    )

    def conflict(self) -> Conflict | None:
        """Report a pin that has two functions."""
        pins = ("led", "buzzer", "relay", "button", "alive")
        for later, name in enumerate(pins):
            for other in pins[:later]:
                number = getattr(self, name)
                if number is not None and number == getattr(self, other):
                    return ((other,), (name,)), f'"{name}" is {number}, must be another pin than "{other}"'
        return None


@dataclass(frozen=True, slots=True)
class ClipSettings(TableSettings):
    """Recordings and pictures of alarms; none, unless asked for: no sound reaches disk or network."""

    enabled: bool = key(default=False, kind=Boolean(), description="Keep the sound and a picture of each sound alarm.")
    folder: str = key("auto", _PATH, 'Where; "auto" is the instance\'s own place.')
    before_s: float = key(5.0, Number(0.0, 30.0, "s"), "Sound kept from before the alarm.")
    after_s: float = key(10.0, Number(0.0, 60.0, "s"), "Sound kept from after it.")
    max_mb: float = key(500.0, Number(1.0, 100000.0, "MB"), "The oldest go first.")


@dataclass(frozen=True, slots=True)
class SelfTestSettings(TableSettings):
    """The daily trial of the whole way from sound to broker."""

    daily_at: str | None = key("12:00", OrKeyword(_CLOCK_TIME, "off"), "When; it tells nobody but where it fails.")


@dataclass(frozen=True, slots=True)
class StatusSettings(TableSettings):
    """What the daemon tells those who ask.

    Attributes:
        metrics_port: None for no metrics.
    """

    metrics_port: int | None = key(
        None, OrKeyword(Integer(1, 65535), "off"), "Prometheus metrics on this port of 127.0.0.1, and nowhere else."
    )
    certificate_days: int = key(30, Integer(1, 365), "A certificate that expires within so many days is a fault.")


@dataclass(frozen=True, slots=True)
class Settings(TableSettings):
    """All settings, validated; `profile` and `load_config` make them.

    Attributes:
        models: those of the profile, then those of the file; `listening` are the enabled ones.
    """

    profile: str = key(DEFAULT_PROFILE, Choice(tuple(PROFILES)), "What is not said below is as in this profile.")
    listen: ListenSettings = table(ListenSettings)
    models: tuple[ModelSettings, ...] = named_tables("model", _MODEL_NAME, ModelSettings, "cry")
    bundles: BundleSettings = table(BundleSettings)
    microphone: MicrophoneSettings = table(MicrophoneSettings)
    filters: FilterSettings = table(FilterSettings)
    recording: RecordingSettings = table(RecordingSettings)
    deafness: DeafnessSettings = table(DeafnessSettings)
    loudness: LoudnessSettings = table(LoudnessSettings)
    log: LogSettings = table(LogSettings)
    alarms: AlarmSettings = table(AlarmSettings)
    journal: JournalSettings = table(JournalSettings)
    mqtt: MqttSettings = table(MqttSettings)
    gpio: GpioSettings = table(GpioSettings)
    clips: ClipSettings = table(ClipSettings)
    self_test: SelfTestSettings = table(SelfTestSettings)
    status: StatusSettings = table(StatusSettings)
    web: WebSettings = table(WebSettings)
    schedule: tuple[ScheduleSettings, ...] = named_tables("schedule", _LABEL_NAME, ScheduleSettings, "cry")
    notify: tuple[NotifySettings, ...] = table_array(NotifySettings)
    watcher: WatcherSettings = table(WatcherSettings)
    replay: ReplaySettings = table(ReplaySettings)

    def __post_init__(self) -> None:
        """Drop schedules that say nothing."""
        says = tuple(each for each in self.schedule if each != ScheduleSettings(each.name))
        object.__setattr__(self, "schedule", says)

    @property
    def wants_push(self) -> bool:
        """Whether `auricle push` has something to do."""
        return bool(self.notify) or self.watcher.url_file is not None

    @property
    def listening(self) -> tuple[ModelSettings, ...]:
        """The models that are enabled, but for those that follow the label of a model by that name which is not."""
        off = {model.name for model in self.models if not model.enabled}
        return tuple(model for model in self.models if model.enabled and model.listens_while not in off)

    def conflict(self) -> Conflict | None:
        """Report that no model is enabled, or that two things have one name, or that push lacks the journal."""
        names = [each.name for each in self.notify]
        for index, name in enumerate(names):
            if name in names[:index]:
                return (
                    (("notify", index, "name"),),
                    f'two [[notify]] tables have the "name" {shown(name)}, each must have its own',
                )
        if self.wants_push and self.journal.file is None:
            key = ("notify",) if self.notify else ("watcher", "url_file")
            return (key, ("journal", "file")), '"file" in [journal] is "off", but auricle push needs the journal'
        if self.loudness.is_on and any(model.name == LOUDNESS for model in self.listening):
            sentence = f"the name {LOUDNESS} is that of [{LOUDNESS}], which has its own alarm; call the model otherwise"
            return (("model", LOUDNESS), (LOUDNESS, "level_dbfs")), sentence
        if self.listening:
            return None
        keys = tuple(("model", model.name, "enabled") for model in self.models)
        return keys, 'no model is left to listen, one must have "enabled" true'


def missing_models(settings: Settings, available: Collection[str]) -> tuple[str, ...]:
    """Names of the bundles that are enabled but not available; paths of files are not checked."""
    wanted = dict.fromkeys(model.bundle for model in settings.listening if not model.is_file)
    return tuple(name for name in wanted if name not in available)


def missing_sentence(settings: Settings, missing: Collection[str]) -> str:
    """The error sentence for missing models, with what would work."""
    names = ", ".join(shown(name) for name in missing)
    tables = ", ".join(f"[model.{model.name}]" for model in settings.listening if model.bundle in missing)
    lacks = f"profile {shown(settings.profile)} lacks the model{'s' if len(missing) > 1 else ''} {names}"
    return f'{lacks}: no such bundle is shipped; set "bundle" in {tables} to a {BUNDLE_SUFFIX} file'
