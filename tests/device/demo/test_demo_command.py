"""The demo replays its scene, writes the results, and fails if a cry is missed or a false alert is raised."""

from __future__ import annotations

import io
import json
import wave
from typing import TYPE_CHECKING

import numpy as np
import pytest

from device.config.loading import parse_config, profile
from device.demo.demo_command import EVENTS, REPORT, SCENE, SCORES, is_plain, run_demo, write_recordings, write_scene
from device.demo.scene import SEED, bedside
from device.errors import AuricleError, ConfigError

if TYPE_CHECKING:
    from pathlib import Path


class Terminal(io.StringIO):
    """A terminal whose encoding is UTF-8."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


def test_a_model_that_knows_no_cry_fails_the_demo_and_leaves_its_files(
    tmp_path: Path, tiny_bundle_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    out = tmp_path / "new" / "demo"
    assert run_demo(out, profile("nursery"), models=(str(tiny_bundle_path),)) == 1
    printed = capsysbinary.readouterr().out.decode("ascii")
    assert "MISSED: an infant crying at 0:28.0 was not heard as cry." in printed
    assert printed.endswith("FAILED\n")
    assert str(out / REPORT) in printed
    assert {path.name for path in out.iterdir()} == {SCENE, EVENTS, SCORES, REPORT}
    assert (out / REPORT).read_text(encoding="utf-8").lstrip().lower().startswith("<!doctype html>")
    written = [json.loads(line) for line in (out / EVENTS).read_text().splitlines()]
    assert {(event["source"], event["label"]) for event in written} <= {(str(out / SCENE), "tone")}
    assert len((out / SCORES).read_text().splitlines()) > 100


@pytest.mark.parametrize("seed", [SEED, 1, 2, 3])
def test_the_shipped_model_hears_the_cry_and_nothing_else(
    seed: int, tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    assert run_demo(tmp_path, profile("nursery"), seed=seed) == 0, capsysbinary.readouterr().out.decode()
    written = [json.loads(line) for line in (tmp_path / EVENTS).read_text().splitlines()]
    assert {event["label"] for event in written} == {"cry"}
    assert [event["phase"] for event in written][:1] == ["begin"]


def test_the_open_model_hears_the_cry_and_nothing_else_where_a_configuration_chooses_it(
    tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    settings = parse_config('profile = "nursery"\n[model.cry]\nbundle = "cry-open"\n', source="a.toml")
    assert run_demo(tmp_path, settings) == 0, capsysbinary.readouterr().out.decode()
    written = [json.loads(line) for line in (tmp_path / EVENTS).read_text().splitlines()]
    assert {(event["label"], event["phase"]) for event in written} == {("cry", "begin"), ("cry", "end")}


def test_a_model_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AuricleError, match="no-such-model"):
        run_demo(tmp_path, profile("nursery"), models=("no-such-model",))


def test_the_scene_is_written_in_sixteen_bits_without_loss_beyond_rounding(tmp_path: Path) -> None:
    scene = bedside(np.random.default_rng(SEED))
    write_scene(tmp_path / "scene.wav", scene)
    with wave.open(str(tmp_path / "scene.wav"), "rb") as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, 16_000)
        read = np.frombuffer(file.readframes(file.getnframes()), "<i2")
    assert len(read) == len(scene.samples)
    np.testing.assert_allclose(read / 32_767, scene.samples, atol=0.51 / 32_767)


def test_only_a_terminal_without_no_color_is_given_more_than_ascii(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert not is_plain(Terminal())
    assert is_plain(io.StringIO())
    monkeypatch.setenv("NO_COLOR", "1")
    assert is_plain(Terminal())


def test_recordings_to_learn_from_are_labelled_and_the_same_each_time(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert write_recordings(tmp_path / "a", 2) == 0
    assert capsys.readouterr().out == f"2 recordings with a label track each: {tmp_path / 'a'}\n"
    assert write_recordings(tmp_path / "b", 1) == 0
    first, again, other = (tmp_path / name for name in ("a/infant-1", "b/infant-1", "a/infant-2"))
    assert (first / "night.wav").read_bytes() == (again / "night.wav").read_bytes()
    assert (first / "night.wav").read_bytes() != (other / "night.wav").read_bytes()
    for folder in (first, other):
        with wave.open(str(folder / "night.wav")) as file:
            samples = np.frombuffer(file.readframes(file.getnframes()), "<i2") / 32_768
        assert len(samples) == 20 * 16_000
        spans = [line.split("\t") for line in (folder / "night.txt").read_text(encoding="utf-8").splitlines()]
        assert [label for _, _, label in spans] == ["cry", "cry"]
        for start_s, end_s, _ in spans:
            cry = samples[round(float(start_s) * 16_000) : round(float(end_s) * 16_000)]
            assert np.sqrt(np.mean(cry**2)) > 10 ** (-40 / 20)  # each cry is where its label says


def test_no_infants_are_no_recordings(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--infants is 0, must be at least 1"):
        write_recordings(tmp_path, 0)
