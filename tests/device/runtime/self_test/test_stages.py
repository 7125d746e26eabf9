"""The self-test: every stage has a result, and nothing of a test looks or counts like a real alarm."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pytest

from device.config.loading import parse_config, profile
from device.demo.scene import bedside
from device.errors import ClassifierError
from device.hearing.bundle.reader import read_bundle
from device.messages import AudioBlock
from device.runtime.model_library import bundle_path, shipped_bundles
from device.runtime.model_loader import open_models
from device.runtime.self_test.known_sound import known_sound, known_sounds
from device.runtime.self_test.model_trial import hearing_together
from device.runtime.self_test.outcome import alert_topic, result_topic
from device.runtime.self_test.stages import BROKER_WITHIN_S, KEPT_WITHIN_S, NOTE, SelfTestRunner
from device.sinks.payloads import Topics

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    import numpy.typing as npt

    from device.config.settings import Settings
    from device.hearing.listening_model import ListeningModel, NetworkOutput
    from device.hearing.spec import FeatureSpec
    from device.messages import Event
    from device.runtime.model_loader import OpenModels
    from device.runtime.self_test.outcome import Outcome
    from device.sinks.payloads import Message

_TOPICS = Topics("auricle", "anna")
_BEGUN_UTC_S = 1_795_230_000.0
_TURN_S = 0.05


@dataclass
class _Journal:
    """Commits a note at once, or never."""

    works: bool = True
    notes: dict[str, str] = field(default_factory=dict)

    def set_note(self, key: str, value: str) -> None:
        self.notes[key] = value

    def is_note_committed(self, key: str) -> bool:
        return self.works and key in self.notes


@dataclass
class _Link:
    is_up: bool = True
    reason: str = "connected to broker.example:1883"


@dataclass
class _Broker:
    """Records messages; the test decides which come back."""

    link: _Link = field(default_factory=_Link)
    published: list[Message] = field(default_factory=list)

    def publish(self, message: Message) -> None:
        self.published.append(message)

    def alerts(self) -> list[bytes]:
        return [message.payload for message in self.published if message.topic == alert_topic(_TOPICS)]


@dataclass
class _Failing:
    """A network that fails."""

    asked: int = 0

    def classify(self, features: Sequence[npt.NDArray[np.float32]]) -> NetworkOutput:
        self.asked += len(features)
        raise ClassifierError("the network gave a score that is not finite")


@dataclass
class _Answer:
    probabilities: npt.NDArray[np.float32]


@dataclass
class _Uncertain:
    """A network whose scores stay below the threshold.

    Attributes:
        labels: how many it scores.
    """

    labels: int
    asked: int = 0

    def classify(self, features: Sequence[npt.NDArray[np.float32]]) -> NetworkOutput:
        self.asked += len(features)
        return _Answer(np.full(self.labels, 0.3, np.float32))


class _Rig:
    """A self-test with a clock, a journal and a broker that the test controls.

    Args:
        settings: of the models.
        models: as they listen.
        journal: None for none.
        broker: None for none.
        returns: whether the broker brings back what was published.
    """

    def __init__(
        self,
        settings: Settings,
        models: OpenModels,
        *,
        journal: _Journal | None = None,
        broker: _Broker | None = None,
        returns: bool = True,
    ) -> None:
        self.listening: tuple[ListeningModel, ...] = models.listening
        self.broker = broker
        self.returns = returns
        self.now_s = 100.0
        self.turns = 0
        self.test = SelfTestRunner(
            known_sounds(settings, models),
            settings=settings,
            listening=lambda: self.listening,
            topics=_TOPICS,
            boot_id="b00",
            journal=journal,
            broker=broker,
        )

    def begin(self, *, by: str = "mqtt", capture_hz: int | None = 48000) -> bool:
        return self.test.begin(by=by, now_s=self.now_s, utc_s=_BEGUN_UTC_S, capture_hz=capture_hz)

    def turn(self) -> Outcome | None:
        self.now_s += _TURN_S
        self.turns += 1
        outcome = self.test.step(self.now_s)
        if self.broker is not None and self.returns:
            for payload in self.broker.alerts():
                self.test.received(payload)
        return outcome

    def finish(self) -> Outcome:
        for _ in range(2000):
            outcome = self.turn()
            if outcome is not None:
                return outcome
        pytest.fail(f"the test does not end: {self.test!r}")

    def outcome(self) -> Outcome:
        assert self.begin()
        return self.finish()


@pytest.fixture(scope="module")
def nursery() -> Iterator[tuple[Settings, OpenModels]]:
    settings = profile()
    with open_models(settings) as models:
        yield settings, models


def _passed(outcome: Outcome) -> dict[str, bool | None]:
    return {result.stage: result.passed for result in outcome.results}


# --- what is heard


def test_every_stage_passes_where_all_is_well(nursery: tuple[Settings, OpenModels]) -> None:
    outcome = _Rig(*nursery, journal=_Journal(), broker=_Broker()).outcome()
    assert _passed(outcome) == dict.fromkeys(("hear", "decide", "journal", "publish", "read_back"), True)
    assert outcome.failed is None
    fault = outcome.fault(12.5)
    assert (fault.kind, fault.begins, fault.at_s) == ("self_test", False, 12.5)


@pytest.mark.parametrize("name", shipped_bundles())
@pytest.mark.parametrize("capture_hz", [None, 8000, 44100, 48000])
def test_every_shipped_model_is_sure_of_its_known_sound_at_any_rate(name: str, capture_hz: int | None) -> None:
    settings = parse_config(
        f'model.cry.enabled = false\nmodel.scream.enabled = false\n[model.own]\nbundle = "{name}"\n',
        source="a.toml",
    )
    with open_models(settings) as models:
        (sound,) = known_sounds(settings, models)
        alarms = [label.name for label in models.listening[0].labels if label.role == "alarm"]
        assert bool(sound.label) == bool(alarms)
        if not alarms:  # its network alone is tried: whatever it says raises no alarm
            assert _passed(_Rig(settings, models).outcome())["hear"]
            return
        point = next(label.point for label in models.listening[0].labels if label.name == sound.label)
        bundle = read_bundle(bundle_path(name))
        scores = [case.probabilities for case in bundle.golden] + [one.probabilities for one in bundle.sequences]
        assert max(probabilities.max() for probabilities in scores) > point.on + 0.2
        rig = _Rig(settings, models)
        assert rig.begin(capture_hz=capture_hz)
        assert _passed(rig.finish())["decide"]


@pytest.mark.parametrize("filters", ["high_pass_hz = 200.0", "hum_hz = 50.0", "gain_db = 12.0"])
def test_usual_filters_leave_the_known_sound_known(filters: str) -> None:
    settings = parse_config(f"[filters]\n{filters}\n", source="a.toml")
    with open_models(settings) as models:
        assert _Rig(settings, models).outcome().failed is None


def test_two_tests_in_a_row_give_the_same(nursery: tuple[Settings, OpenModels]) -> None:
    rig = _Rig(*nursery)
    first, second = rig.outcome(), rig.outcome()
    assert first.results == second.results
    assert first.test_id != second.test_id


def test_a_model_that_follows_another_is_tried_by_itself(tiny_bundle_path: Path) -> None:
    config = f'[model.bell]\nbundle = "{tiny_bundle_path}"\nlistens_while = "cry"\n'
    settings = parse_config(config, source="a.toml")
    with open_models(settings) as models:
        outcome = _Rig(settings, models).outcome()
    assert outcome.failed is None
    assert "cry (" in outcome.results[1].detail
    assert "tone (" in outcome.results[1].detail


def test_a_model_that_gives_verdicts_is_tried_by_the_cry_that_it_follows_and_takes_no_time(
    nursery: tuple[Settings, OpenModels],
) -> None:
    rig = _Rig(*nursery)
    outcome = rig.outcome()
    assert "cry-reason (" in outcome.results[0].detail
    without = _Rig(*nursery)
    without.listening = tuple(model for model in without.listening if not model.gives_verdicts)
    assert "cry-reason (" not in without.outcome().results[0].detail
    assert rig.turns == without.turns


def test_a_failing_network_of_a_model_that_gives_verdicts_is_found_by_its_name(
    nursery: tuple[Settings, OpenModels],
) -> None:
    rig = _Rig(*nursery)
    rig.listening = tuple(
        dataclasses.replace(model, network=_Failing()) if model.gives_verdicts else model for model in rig.listening
    )
    failed = rig.outcome().failed
    assert failed is not None
    assert (failed.stage, failed.detail.split(":")[0]) == ("hear", "model cry-reason cannot hear the known sound")


def test_a_model_whose_windows_are_longer_than_those_of_the_one_it_follows_is_tried_by_itself(
    nursery: tuple[Settings, OpenModels],
) -> None:
    settings, models = nursery
    sounds = {sound.model: sound for sound in known_sounds(settings, models)}
    names = [[model.name for model in trial] for trial in hearing_together(models.listening, sounds)]
    assert names == [["cry", "cry-reason"], ["scream"]]
    longer = tuple(
        dataclasses.replace(model, specs=tuple(_longer(spec) for spec in model.specs))
        if model.gives_verdicts
        else model
        for model in models.listening
    )
    assert [len(trial) for trial in hearing_together(longer, sounds)] == [1, 1, 1]


def _longer(spec: FeatureSpec) -> FeatureSpec:
    return dataclasses.replace(spec, window_samples=2 * spec.window_samples)


def test_a_sequence_that_confirms_an_alarm_is_a_known_sound(carrying_bundle_paths: tuple[Path, Path]) -> None:
    path = carrying_bundle_paths[0]
    bundle = read_bundle(path)
    settings = parse_config(
        "model.scream.enabled = false\nmodel.cry-reason.enabled = false\n"
        f'[model.cry]\nbundle = "{path}"\n[model.cry.label.cry]\non = 0.97\n',
        source="a.toml",
    )
    with open_models(settings) as models:
        (model,) = models.listening
        needed = model.labels[0].point.needed(0.5)
        (sequence,) = bundle.sequences
        for windows, label in ((needed - 1, ""), (needed, "cry")):
            scores = np.zeros_like(sequence.probabilities)
            scores[2 : 2 + windows, 0] = 0.98
            played = dataclasses.replace(sequence, probabilities=scores)
            sound = known_sound(dataclasses.replace(bundle, sequences=(played,)), model)
            assert sound.label == label
        assert np.array_equal(sound.samples, sequence.samples)
        assert sound.duration_s > len(sequence.samples) / bundle.sample_rate_hz


def test_a_threshold_that_no_sound_at_hand_reaches_is_not_tried_but_its_network_is(tiny_bundle_path: Path) -> None:
    bundle = read_bundle(tiny_bundle_path)
    disabled = "model.cry.enabled = false\nmodel.scream.enabled = false\n"
    config = f'{disabled}[model.bell]\nbundle = "{tiny_bundle_path}"\n[model.bell.label.tone]\n'
    settings = parse_config(f"{config}on = 0.999\n", source="a.toml")
    with open_models(settings) as models:
        assert known_sound(bundle, models.listening[0]).label == ""
        outcome = _Rig(settings, models).outcome()
    assert _passed(outcome)["hear"]
    assert _passed(outcome)["decide"] is None
    assert outcome.failed is None


def test_a_step_hears_no_more_than_a_tenth_of_a_second(nursery: tuple[Settings, OpenModels]) -> None:
    rig = _Rig(*nursery)
    rig.begin()
    heard_s = 0.0
    while rig.turn() is None:
        heard_s += 0.1
    assert rig.turns >= 30  # 3 s of sound that confirm an onset


# --- what fails


def test_a_network_that_fails_is_found(nursery: tuple[Settings, OpenModels]) -> None:
    rig = _Rig(*nursery, journal=_Journal(), broker=_Broker())
    rig.listening = tuple(dataclasses.replace(model, network=_Failing()) for model in rig.listening)
    outcome = rig.outcome()
    failed = outcome.failed
    assert failed is not None
    assert failed.stage == "hear"
    assert "not finite" in failed.detail
    assert _passed(outcome) == {"hear": False, "decide": None, "journal": True, "publish": True, "read_back": True}
    fault = outcome.fault(3.0)
    assert fault.begins
    assert fault.detail.startswith("the self-test failed at hear: model cry")


def test_a_network_that_is_no_longer_sure_is_found_as_a_decision_that_fails(
    nursery: tuple[Settings, OpenModels],
) -> None:
    rig = _Rig(*nursery)
    rig.listening = tuple(dataclasses.replace(model, network=_Uncertain(len(model.labels))) for model in rig.listening)
    outcome = rig.outcome()
    assert _passed(outcome)["hear"]
    assert outcome.failed is not None
    assert outcome.failed.stage == "decide"
    assert outcome.failed.detail == "; ".join(
        f"model {name} raised no {name} at the known sound, its highest score was 0.30" for name in ("cry", "scream")
    )


def test_a_disk_that_keeps_nothing_is_found_and_the_rest_of_the_way_is_tried(
    nursery: tuple[Settings, OpenModels],
) -> None:
    rig = _Rig(*nursery, journal=_Journal(works=False), broker=_Broker())
    outcome = rig.outcome()
    assert outcome.failed is not None
    assert outcome.failed.stage == "journal"
    assert _passed(outcome)["read_back"]
    assert KEPT_WITHIN_S <= outcome.took_s < KEPT_WITHIN_S + 5


def test_a_broker_out_of_reach_is_found_with_its_reason(nursery: tuple[Settings, OpenModels]) -> None:
    broker = _Broker(_Link(is_up=False, reason="nothing listens at 127.0.0.1:1883"))
    outcome = _Rig(*nursery, broker=broker).outcome()
    assert outcome.failed is not None
    assert outcome.failed.stage == "publish"
    assert "nothing listens" in outcome.failed.detail
    assert not broker.alerts()
    assert _passed(outcome)["read_back"] is None


def test_a_broker_that_comes_back_in_time_is_no_failure(nursery: tuple[Settings, OpenModels]) -> None:
    broker = _Broker(_Link(is_up=False))
    rig = _Rig(*nursery, broker=broker)
    rig.begin()
    for _ in range(round((0.5 * BROKER_WITHIN_S + 3) / _TURN_S)):
        assert rig.turn() is None
    broker.link.is_up = True
    assert rig.finish().failed is None


def test_an_alert_that_does_not_come_back_is_found(nursery: tuple[Settings, OpenModels]) -> None:
    outcome = _Rig(*nursery, broker=_Broker(), returns=False).outcome()
    assert outcome.failed is not None
    assert outcome.failed.stage == "read_back"
    assert alert_topic(_TOPICS) in outcome.failed.detail


def test_neither_an_earlier_tests_alert_nor_anything_else_counts_as_this_ones(
    nursery: tuple[Settings, OpenModels],
) -> None:
    broker = _Broker()
    rig = _Rig(*nursery, broker=broker)
    rig.outcome()
    (old,) = broker.alerts()
    rig.returns = False
    rig.begin()
    for _ in range(200):
        rig.turn()
        rig.test.received(old)
        rig.test.received(b"\x00" * 10_000)
    outcome = rig.finish()
    assert outcome.failed is not None
    assert outcome.failed.stage == "read_back"


def test_without_journal_and_broker_the_rest_is_tried(nursery: tuple[Settings, OpenModels]) -> None:
    outcome = _Rig(*nursery).outcome()
    assert outcome.failed is None
    assert _passed(outcome) == {"hear": True, "decide": True, "journal": None, "publish": None, "read_back": None}


# --- beside the real one


def test_a_test_never_looks_like_a_real_alarm(nursery: tuple[Settings, OpenModels]) -> None:
    journal, broker = _Journal(), _Broker()
    outcome = _Rig(*nursery, journal=journal, broker=broker).outcome()
    assert {message.topic for message in broker.published} == {alert_topic(_TOPICS), result_topic(_TOPICS)}
    for message in broker.published:
        assert "/alarm/" not in message.topic
        assert "/sound/" not in message.topic
        told = json.loads(message.payload)
        assert told["test"] is True
        assert not told.keys() & {"alarm_id", "change", "event_type", "state", "priority"}
        assert told["test_id"] == outcome.test_id
    assert [message.retain for message in broker.published] == [False, True]
    assert journal.notes == {NOTE: broker.alerts()[0].decode()}
    assert json.loads(broker.alerts()[0])["raised"][0]["label"] == "cry"


def test_what_is_published_of_a_failure_names_the_stage(nursery: tuple[Settings, OpenModels]) -> None:
    broker = _Broker()
    _Rig(*nursery, journal=_Journal(works=False), broker=broker).outcome()
    told = json.loads(broker.published[-1].payload)
    assert told["passed"] is False
    assert [stage for stage, said in told["stages"].items() if said["passed"] is False] == ["journal"]


def test_a_cry_during_the_test_is_told_as_without_it(nursery: tuple[Settings, OpenModels]) -> None:
    settings, models = nursery
    samples = bedside(np.random.default_rng(7)).samples[20 * 16000 : 60 * 16000]

    def told(rig: _Rig | None) -> list[Event]:
        listener = models.listener(settings, "real")
        events = []
        for start in range(0, len(samples), 800):
            events += listener.push(AudioBlock(samples[start : start + 800], 16000, start)).events
            if rig is not None and not rig.test.is_under_way:
                rig.begin(capture_hz=16000)  # one test after the other
            if rig is not None:
                rig.turn()
        return [*events, *listener.finish("stopped").events]

    rig = _Rig(settings, models)
    alone, beside = told(None), told(rig)
    assert [event.phase for event in alone] == ["begin", "end"]
    assert beside == alone
    assert rig.turns == len(samples) // 800


def test_a_model_that_is_opened_again_during_the_test_is_tried_from_the_start(
    nursery: tuple[Settings, OpenModels],
) -> None:
    settings, models = nursery
    rig = _Rig(settings, models)
    rig.begin()
    for _ in range(20):
        rig.turn()
    with open_models(settings) as fresh:
        rig.listening = fresh.listening
        outcome = rig.finish()
    assert outcome.failed is None
    assert rig.turns >= 50


def test_what_is_asked_for_during_a_test_is_the_test_that_is_under_way(nursery: tuple[Settings, OpenModels]) -> None:
    rig = _Rig(*nursery)
    assert rig.turn() is None
    assert rig.begin(by="daily")
    assert not rig.begin(by="mqtt")
    assert rig.finish().by == "daily"
    assert not rig.test.is_under_way
    assert rig.turn() is None
