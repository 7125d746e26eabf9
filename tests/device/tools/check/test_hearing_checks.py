"""Checks of models and microphone: sounds that are made up, the shipped models, and a clock that is handed in."""

from __future__ import annotations

import dataclasses
import re
from typing import TYPE_CHECKING

import numpy as np
import pytest

from device.config.loading import profile
from device.messages import AudioBlock, NoAudio
from device.runtime.model_loader import OpenModels, open_models
from device.tools.check import hearing_checks

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

    from device.config.settings import Settings
    from device.findings import Finding
    from device.runtime.daemon_state import DaemonState

_RATE_HZ = 16000


class Played:
    """A microphone that gives what it is handed; it takes no time, and knows whether it was closed."""

    def __init__(self, *items: AudioBlock | NoAudio, overruns: int = 0) -> None:
        self.name = "USB Audio Device"
        self.overruns = overruns
        self.closed = False
        self._items = items

    def blocks(self) -> Iterator[AudioBlock | NoAudio]:
        yield from self._items
        at_s = 100.0
        while not self.closed:
            yield NoAudio("it was unplugged", 0.0, at_s)

    def close(self) -> None:
        self.closed = True


def _blocks(samples: npt.NDArray[np.float32], rate_hz: int = _RATE_HZ) -> list[AudioBlock]:
    step = rate_hz // 20
    return [AudioBlock(samples[start : start + step], rate_hz, start) for start in range(0, len(samples), step)]


def _noise(amplitude: float, seconds: float = 5.0) -> npt.NDArray[np.float32]:
    return (amplitude * np.random.default_rng(1).standard_normal(round(seconds * _RATE_HZ))).astype(np.float32)


def _judged(samples: npt.NDArray[np.float32], *, overruns: int = 0, gates: bool = False, needed_hz: int = 0) -> Finding:
    recorded = hearing_checks.record(Played(*_blocks(samples), overruns=overruns))
    return hearing_checks.check_microphone(recorded, needed_hz=needed_hz, gates_to_zero=gates)


# --- recording


def test_three_seconds_are_taken_after_the_microphone_has_settled() -> None:
    samples = _noise(0.01)
    samples[: _RATE_HZ // 2] = 1.0
    played = Played(*_blocks(samples))
    recorded = hearing_checks.record(played)
    assert np.array_equal(recorded.samples, samples[_RATE_HZ // 2 : 7 * _RATE_HZ // 2])
    assert (recorded.sample_rate_hz, recorded.reason, played.closed) == (_RATE_HZ, "", True)


def test_a_microphone_that_gives_nothing_is_given_up_with_its_reason() -> None:
    played = Played(NoAudio("it is being opened", 0.0, 0.25))
    recorded = hearing_checks.record(played)
    assert recorded.reason == "it was unplugged"
    assert played.closed
    finding = hearing_checks.check_microphone(recorded, needed_hz=0, gates_to_zero=False)
    assert (finding.outcome, finding.summary) == ("failure", '"USB Audio Device" is not heard: it was unplugged')


def test_a_microphone_that_stops_soon_is_no_microphone() -> None:
    recorded = hearing_checks.record(Played(*_blocks(_noise(0.01, 2.0))))
    assert recorded.reason == "it was unplugged"


def test_a_rate_that_changes_begins_the_recording_anew() -> None:
    recorded = hearing_checks.record(Played(*_blocks(_noise(0.01, 1.0), 8000), *_blocks(_noise(0.01))))
    assert recorded.sample_rate_hz == _RATE_HZ
    assert len(recorded.samples) == 3 * _RATE_HZ


def test_a_microphone_that_fails_is_closed_all_the_same() -> None:
    class Failing(Played):
        def blocks(self) -> Iterator[AudioBlock | NoAudio]:
            raise OSError("no")

    failing = Failing()
    with pytest.raises(OSError, match="no"):
        hearing_checks.record(failing)
    assert failing.closed


# --- what it is worth


def test_a_room_is_well_and_its_level_told() -> None:
    finding = _judged(_noise(0.01))
    assert finding.outcome == "ok"
    assert '"USB Audio Device" at 16000 Hz: -40.0 dBFS' in finding.summary


def test_what_to_do_about_a_stream_is_done_at_the_camera_and_not_in_alsamixer() -> None:
    for samples, reason in [
        (np.zeros(0, np.float32), "refuses the login"),
        (np.zeros(5 * _RATE_HZ, np.float32), ""),
        (np.full(5 * _RATE_HZ, 0.25, np.float32), ""),
        (np.clip(_noise(1.0), -1.0, 1.0), ""),
        (_noise(1e-5), ""),
    ]:
        recorded = hearing_checks.Recorded(samples, _RATE_HZ, "rtsp://camera/live", 0, reason)
        finding = hearing_checks.check_microphone(recorded, needed_hz=_RATE_HZ, gates_to_zero=False)
        assert (finding.outcome != "ok", "camera" in finding.cure, "alsamixer" in finding.cure) == (True, True, False)


def test_digital_silence_is_a_failure_and_no_level() -> None:
    finding = _judged(np.zeros(5 * _RATE_HZ, np.float32))
    assert finding.outcome == "failure"
    assert "no signal, only zeros" in finding.summary
    assert "0.0 dBFS" not in finding.summary


def test_zeros_of_a_microphone_that_gates_are_worth_another_try() -> None:
    finding = _judged(np.zeros(5 * _RATE_HZ, np.float32), gates=True)
    assert (finding.outcome, "clap" in finding.cure) == ("warning", True)


def test_a_stuck_value_is_a_failure() -> None:
    finding = _judged(np.full(5 * _RATE_HZ, 0.25, np.float32))
    assert (finding.outcome, "one value" in finding.summary) == ("failure", True)


def test_clipping_is_a_warning_with_its_share() -> None:
    finding = _judged(np.clip(_noise(1.0), -1.0, 1.0))
    assert finding.outcome == "warning"
    assert re.search(r" 3[12] % of the samples clipped", finding.summary)  # 100 erfc(1 / sqrt 2)


def test_lost_samples_hardly_any_sound_and_too_low_a_rate_are_warnings() -> None:
    for finding, words in [
        (_judged(_noise(0.01), overruns=3), "samples were lost 3 times"),
        (_judged(_noise(1e-5)), "hardly anything"),
        (_judged(_noise(0.01), needed_hz=48000), "the models hear at 48000"),
    ]:
        assert (finding.outcome, words in finding.summary, bool(finding.cure)) == ("warning", True, True)


def test_a_microphone_that_a_daemon_holds_is_judged_by_what_it_tells(state: DaemonState) -> None:
    finding = hearing_checks.check_microphone_of_daemon(state)
    assert finding.outcome == "ok"
    assert '"USB Audio Device": -52.3 dBFS' in finding.summary
    deaf = hearing_checks.check_microphone_of_daemon(dataclasses.replace(state, hearing=False))
    assert (deaf.outcome, "auricle status --instance anna" in deaf.cure) == ("failure", True)


# --- the models


@pytest.fixture
def settings() -> Settings:
    return profile("nursery")


@pytest.fixture
def opened(settings: Settings) -> Iterator[OpenModels]:
    with open_models(settings) as models:
        yield models


def test_models_that_hold_are_named(opened: OpenModels, settings: Settings) -> None:
    finding = hearing_checks.check_models(opened, settings)
    assert finding.outcome == "ok"
    assert finding.summary.startswith("cry 2.")


@pytest.mark.parametrize(
    ("took_s", "outcome", "figure"),
    [(0.5, "ok", "50.0 ms"), (2.6, "warning", "260.0 ms"), (5.0, "failure", "500.0 ms")],
)
def test_speed_is_judged_by_the_share_of_a_hop(
    opened: OpenModels, settings: Settings, took_s: float, outcome: str, figure: str
) -> None:
    readings = iter([10.0, 10.0 + took_s])
    finding = hearing_checks.check_speed(opened, settings, lambda: next(readings))
    assert finding.outcome == outcome
    assert f"{figure} of a hop of 0.5 s" in finding.summary


def test_speed_counts_a_model_that_would_wait_for_anothers_label(opened: OpenModels, settings: Settings) -> None:
    asked: list[int] = []

    class Counting:
        def __init__(self, network: object) -> None:
            self._network = network

        def classify(self, features: object) -> object:
            asked.append(1)
            return self._network.classify(features)  # type: ignore[attr-defined]

    first = opened.listening[0]
    second = dataclasses.replace(
        first,
        name="second",
        listens_while="cry",
        network=Counting(first.network),  # type: ignore[arg-type]
    )
    both = dataclasses.replace(opened, listening=(first, second))
    hearing_checks.check_speed(both, settings)
    assert len(asked) >= hearing_checks.TIMED_S / settings.listen.hop_s
