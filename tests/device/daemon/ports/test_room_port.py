"""The steps of a measurement are carried out beside the main loop; all other commands pass on."""

from __future__ import annotations

import json
import time
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from device.calibration.room_watch import RoomWatch
from device.commands import Acknowledge, MeasureRoom, Outcome, parse_command, parse_local_command
from device.config.loading import profile
from device.daemon.ports.room_port import RoomPort
from device.errors import CommandError
from device.runtime.model_loader import open_models
from tests.device.calibration.sounds import blocks, noise

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from device.commands import RoomStep


@pytest.fixture(scope="module")
def runner() -> Iterator[Any]:
    settings = profile("nursery")
    with open_models(settings) as models:
        yield SimpleNamespace(settings=settings, models=models)


@pytest.fixture
def loop(runner: Any) -> Any:
    return SimpleNamespace(room_watch=RoomWatch(), parts=SimpleNamespace(runner=runner))


def refuse(_command: object) -> Outcome:
    raise AssertionError("this step must not reach the main loop")


def ask(port: RoomPort, step: RoomStep) -> Outcome:
    return port.execute(MeasureRoom(step, None, "anna"))


def hear(loop: Any, seconds: float) -> None:
    listener = loop.parts.runner.models.listener(loop.parts.runner.settings, "s")
    for block in blocks(noise(seconds, -50.0)):
        loop.room_watch.update(block, listener.push(block))


def result(port: RoomPort) -> Mapping[str, Any]:
    assert ask(port, "finish").done
    for _ in range(600):
        content = ask(port, "look").content
        assert content is not None
        if content["result"] is not None:
            return content["result"]  # type: ignore[no-any-return]
        time.sleep(0.05)
    raise AssertionError("there is no result")


def test_a_room_is_measured_from_what_the_daemon_hears(loop: Any) -> None:
    port = RoomPort(loop, refuse)
    assert ask(port, "room").done
    hear(loop, 6.0)
    content = ask(port, "look").content
    assert content is not None
    assert (content["part"], content["seconds"], content["result"]) == ("room", pytest.approx(6.0), None)
    found = result(port)
    assert found["figures"]["room"]["typical_dbfs"] == pytest.approx(-50.0, abs=0.3)
    assert found["figures"]["labels"][0]["highest"] is not None
    assert "the room alone raises no alert in 0:06" in found["report"]
    assert "[model.cry.label.cry]" in found["fragment"]
    assert len(json.dumps(found)) < 1 << 15  # half of what an answer may have


def test_a_reload_meanwhile_ends_it_with_a_sentence(loop: Any, runner: Any) -> None:
    port = RoomPort(loop, refuse)
    ask(port, "room")
    hear(loop, 1.0)
    loop.parts.runner = SimpleNamespace(settings=runner.settings, models=runner.models)
    ask(port, "finish")
    outcome = ask(port, "look")
    for _ in range(100):
        if not outcome.done:
            break
        time.sleep(0.02)
        outcome = ask(port, "look")
    assert outcome.sentence == "the configuration was read again meanwhile: begin the measurement again"
    assert ask(port, "room").done
    assert ask(port, "look").done


def test_what_is_not_begun_cannot_be_finished_and_a_stop_ends_it(loop: Any) -> None:
    port = RoomPort(loop, refuse)
    assert ask(port, "finish") == Outcome(False, "nothing is measured: begin with the room")
    ask(port, "room")
    hear(loop, 1.0)
    assert ask(port, "stop").done
    assert not ask(port, "finish").done


def test_other_commands_pass_on(loop: Any) -> None:
    passed: list[object] = []

    def other(command: object) -> Outcome:
        passed.append(command)
        return Outcome(True, "done")

    assert RoomPort(loop, other).execute(Acknowledge(None, "anna")).sentence == "done"
    assert passed == [Acknowledge(None, "anna")]


def test_only_this_machine_may_measure_and_only_by_known_steps() -> None:
    payload = b'{"step": "room", "seconds": 600}'
    assert parse_local_command("measure_room", payload, by="anna") == MeasureRoom("room", 600.0, "anna")
    with pytest.raises(CommandError, match="measure_room"):
        parse_command("measure_room", b'{"step": "room"}', by="mqtt")
    for payload in (b"", b'{"step": "sound"}', b'{"step": "room", "seconds": 4000}'):
        with pytest.raises(CommandError):
            parse_local_command("measure_room", payload, by="anna")
