"""The model runner: the hop adapts to the backlog, and a failing model is reopened."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from device.config.loading import profile
from device.config.settings import ListenSettings, ModelSettings, Settings
from device.daemon.audio.listening import ModelRunner
from device.errors import AuricleError, ClassifierError, SpecError
from device.messages import AudioBlock, OperationNote

if TYPE_CHECKING:
    from collections.abc import Iterator

    from device.daemon.background_opening import Work

RATE_HZ = 16000


class Broken:
    """A network that fails."""

    def classify(self, _features: Any) -> Any:
        raise ClassifierError("the network is broken")


def _settings(bundle: Path, **listen: float) -> Settings:
    models = (ModelSettings("tone", bundle=str(bundle)),)
    return replace(profile(), models=models, listen=replace(ListenSettings(), **listen))  # type: ignore[arg-type]  # a hop


@pytest.fixture
def bundle(tmp_path: Path, tiny_bundle_path: Path) -> Path:
    """A copy of the bundle, which a test may remove."""
    return Path(shutil.copy(tiny_bundle_path, tmp_path / "own.tflite"))


@pytest.fixture
def runner(bundle: Path) -> Iterator[ModelRunner]:
    made = ModelRunner(_settings(bundle), stream_id="s", sheds=True, start=lambda work: work())
    yield made
    made.close()


def _listen(runner: ModelRunner, from_s: float, seconds: float) -> list[str]:
    """Kinds of the faults that begin; with a dash, of those that end."""
    noise = np.random.default_rng(round(from_s)).normal(0, 0.01, round(seconds * RATE_HZ)).astype(np.float32)
    heard = runner.push(AudioBlock(noise, RATE_HZ, round(from_s * RATE_HZ)))
    return [("" if fault.begins else "-") + fault.kind for fault in heard.faults]


def _notes(runner: ModelRunner, from_s: int, to_s: int) -> list[tuple[int, OperationNote]]:
    found = ((second, runner.reopen_failed(float(second))) for second in range(from_s, to_s))
    return [(second, happening) for second, happening in found if happening is not None]


def test_a_machine_that_falls_behind_is_told_a_wider_hop_and_back(runner: ModelRunner) -> None:
    assert runner.adapt_hop(0.1, 0.0) is None
    runner.adapt_hop(2.5, 1.0)
    assert runner.adapt_hop(2.5, 2.0) == OperationNote(
        "hop", "a window every 1 s instead of 0.5 s: 2.5 s of sound wait"
    )
    assert runner.listener.hop_s == 1.0
    runner.adapt_hop(0.0, 3.0)
    assert runner.adapt_hop(0.0, 33.0) == OperationNote(
        "hop", "a window every 0.5 s again instead of 1 s: the machine keeps up"
    )
    assert runner.listener.hop_s == runner.listener.configured_hop_s == 0.5
    assert repr(runner) == f"ModelRunner({runner.listener!r} every 0.5 s)"


def test_the_hop_is_never_wider_than_the_shortest_window(runner: ModelRunner) -> None:
    told = [runner.adapt_hop(9.0, float(second)) for second in range(60)]
    assert sum(happening is not None for happening in told) == 3
    assert runner.listener.hop_s == 2.0


def test_who_does_not_shed_keeps_his_hop(bundle: Path) -> None:
    runner = ModelRunner(_settings(bundle), stream_id="s", sheds=False)
    assert not any(runner.adapt_hop(11.0, float(second)) for second in range(60))
    runner.close()


def test_nothing_is_cured_that_does_not_fail(runner: ModelRunner) -> None:
    assert _listen(runner, 0, 5) == []
    assert _notes(runner, 0, 600) == []


def test_a_model_that_fails_is_opened_again_and_answers(runner: ModelRunner) -> None:
    runner.listener.replace_networks({"tone": Broken()})
    assert _listen(runner, 0, 5) == ["classifier"]
    assert _notes(runner, 100, 110) == [(105, OperationNote("reloaded", "a model failed and was opened again"))]
    assert _listen(runner, 5, 2) == ["-classifier"]
    assert _notes(runner, 110, 700) == []


def test_what_goes_on_failing_is_tried_after_ever_longer_times_up_to_a_minute(runner: ModelRunner) -> None:
    tried = []
    for second in range(400):
        runner.listener.replace_networks({"tone": Broken()})
        _listen(runner, second, 1.0)
        tried += [second] if runner.reopen_failed(float(second)) is not None else []
    began = 1  # the first window is whole with the second second
    assert [second - began for second in tried] == [5, 15, 35, 75, 135, 195, 255, 315, 375]


def test_a_cure_starts_afresh_for_the_next_failure(runner: ModelRunner) -> None:
    for from_s in (0, 1000):
        runner.listener.replace_networks({"tone": Broken()})
        _listen(runner, from_s, 5)
        assert [second for second, _ in _notes(runner, from_s, from_s + 20)][:1] == [from_s + 5]
        _listen(runner, from_s + 5, 5)
        assert not runner.listener.is_failing
        assert runner.reopen_failed(from_s + 30.0) is None


def test_while_a_disk_hangs_the_loop_goes_on_and_what_was_opened_for_nobody_is_closed(bundle: Path) -> None:
    waiting: list[Work] = []
    runner = ModelRunner(_settings(bundle), stream_id="s", sheds=True, start=waiting.append)
    runner.listener.replace_networks({"tone": Broken()})
    _listen(runner, 0, 5)
    assert _notes(runner, 0, 60) == []
    assert len(waiting) == 1
    waiting[0]()
    assert _notes(runner, 60, 61) == [(60, OperationNote("reloaded", "a model failed and was opened again"))]
    runner.listener.replace_networks({"tone": Broken()})
    _listen(runner, 5, 5)
    assert _notes(runner, 61, 160) == []
    runner.close()
    waiting[1]()


def test_where_no_thread_can_be_started_that_is_told(bundle: Path) -> None:
    def refuses(_work: Work) -> None:
        raise RuntimeError("can't start new thread")

    runner = ModelRunner(_settings(bundle), stream_id="s", sheds=True, start=refuses)
    runner.listener.replace_networks({"tone": Broken()})
    _listen(runner, 0, 5)
    ((_, told),) = _notes(runner, 0, 10)
    assert told.detail == "a failing model cannot be opened again: can't start new thread"
    runner.close()


def test_a_bundle_that_is_gone_is_told_of_and_looked_for_again(runner: ModelRunner, bundle: Path) -> None:
    kept = bundle.rename(bundle.with_suffix(".kept"))
    runner.listener.replace_networks({"tone": Broken()})
    _listen(runner, 0, 5)
    ((_, told),) = _notes(runner, 0, 10)
    assert told.kind == "reload_refused"
    assert told.detail.startswith("a failing model cannot be opened again: ")
    kept.rename(bundle)
    ((_, told),) = _notes(runner, 10, 20)
    assert told.kind == "reloaded"
    assert _listen(runner, 5, 2) == ["-classifier"]


def test_a_bundle_that_became_another_is_not_put_under_labels_of_the_old_one(
    runner: ModelRunner, bundle: Path, tiny_low_bundle_path: Path
) -> None:
    """Regression: an update replaced a failing model's file by one with two labels, and the loop crashed."""
    shutil.copy(tiny_low_bundle_path, bundle)
    runner.listener.replace_networks({"tone": Broken()})
    _listen(runner, 0, 5)
    ((_, told),) = _notes(runner, 0, 10)
    assert told == OperationNote("reload_refused", "a failing model's bundle is another one by now; reload to take it")
    assert _listen(runner, 5, 2) == []
    assert runner.listener.is_failing


def test_what_cannot_be_opened_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AuricleError):
        ModelRunner(_settings(tmp_path / "none.tflite"), stream_id="s", sheds=True)


def test_a_hop_that_the_model_cannot_listen_at_is_refused(bundle: Path) -> None:
    with pytest.raises(SpecError, match="must be a multiple"):
        ModelRunner(_settings(bundle, hop_s=0.51), stream_id="s", sheds=True)


def test_another_sensitivity_moves_the_thresholds_of_the_next_window_and_zero_moves_them_back(
    runner: ModelRunner,
) -> None:
    (label,) = runner.configured_sensitivity
    (decider,) = runner.listener._models[0].deciders
    before = decider.point
    assert runner.configured_sensitivity == {label: 0}
    runner.set_sensitivity(label, 1)
    odds = before.on / (1 - before.on)
    assert decider.point.on / (1 - decider.point.on) == pytest.approx(odds / 2)
    assert replace(decider.point, on=before.on, off=before.off) == before
    runner.set_sensitivity(label, 0)
    assert decider.point == before
