"""Replays of many recordings: options, determinism, bad input, and what stands in the results."""

from __future__ import annotations

import contextlib
import csv
import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import soundfile

from device.config.loading import parse_config, profile
from device.errors import BundleError, ConfigError
from device.replay.batch import replay, stream_ids
from device.replay.replay_options import ReplayOptions
from device.runtime.model_library import shipped_bundles
from tests.programs import program

if TYPE_CHECKING:
    import numpy.typing as npt

    from device.config.settings import Settings

RATE_HZ = 22050


@dataclass
class Folder:
    """Recordings of every kind, and the model that hears their tones."""

    path: Path
    options: ReplayOptions

    def run(self, *names: str, **changes: Any) -> int:
        """Replay the named recordings; paths are relative to the working directory, the folder."""
        return replay(replace(self.options, **changes), names)

    def events(self, name: str = "events.jsonl") -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.path / name).read_text().splitlines()]


def _noise(seconds: float, seed: int = 0) -> npt.NDArray[np.float64]:
    return 1e-3 * np.random.default_rng(seed).standard_normal(round(seconds * RATE_HZ))


def _with_tone(seconds: float, first_s: float, last_s: float) -> npt.NDArray[np.float64]:
    samples = _noise(seconds)
    first, last = round(first_s * RATE_HZ), round(last_s * RATE_HZ)
    samples[first:last] += 0.3 * np.sin(2 * np.pi * 1000 * np.arange(last - first) / RATE_HZ)
    return samples


@pytest.fixture
def folder(tmp_path: Path, tiny_bundle_path: Path, monkeypatch: pytest.MonkeyPatch) -> Folder:
    monkeypatch.chdir(tmp_path)
    soundfile.write("tone.flac", _with_tone(16, 5, 10), RATE_HZ)
    soundfile.write("quiet.wav", _noise(5), RATE_HZ)
    soundfile.write("deaf.wav", np.concatenate([_noise(4), np.zeros(6 * RATE_HZ)]), RATE_HZ)
    (tmp_path / "empty.wav").touch()
    (tmp_path / "text.wav").write_text("no sound at all, but long enough to look like some")
    whole = (tmp_path / "tone.flac").read_bytes()
    soundfile.write("long.wav", _with_tone(16, 2, 10), RATE_HZ)
    (tmp_path / "cut.wav").write_bytes((tmp_path / "long.wav").read_bytes()[: len(whole) // 2 * 2])
    return Folder(tmp_path, ReplayOptions(profile("nursery"), models=(str(tiny_bundle_path),)))


def test_events_carry_every_field_in_order(folder: Folder) -> None:
    assert folder.run("tone.flac", events="events.jsonl") == 0
    begin, end = folder.events()
    assert list(begin) == [
        "event_id", "seq", "source", "model", "label", "phase", "start_s", "end_s", "onset_s", "offset_s",
        "decided_s", "score", "priority",
        "reason",
        "verdict",
    ]  # fmt: skip
    assert (begin["source"], begin["model"], begin["label"], begin["phase"]) == (
        "tone.flac",
        "tiny-tone",
        "tone",
        "begin",
    )
    assert begin["event_id"] == f"{stream_ids(['tone.flac'])[0]}-tiny-tone-tone-0"
    assert begin["end_s"] is None
    assert 4.0 <= begin["start_s"] <= 5.0
    assert (end["phase"], end["reason"], end["seq"]) == ("end", "quiet", 1)


def test_scores_have_a_row_for_each_window_and_label(folder: Folder) -> None:
    folder.run("quiet.wav", scores="scores.csv")
    with (folder.path / "scores.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["start_s"], row["end_s"]) for row in rows[:2]] == [("0.000000", "2.000000"), ("0.500000", "2.500000")]
    assert {(row["source"], row["model"], row["label"]) for row in rows} == {("quiet.wav", "tiny-tone", "tone")}
    assert len(rows) == 7


@pytest.mark.parametrize("changes", [{"realtime": True}, {"workers": 3}], ids=["in real time", "by three processes"])
def test_two_runs_give_the_same_bytes(folder: Folder, changes: dict[str, Any]) -> None:
    names = ["quiet.wav", "short.wav", "quiet.wav", "cut.wav", "other.wav"]
    soundfile.write("short.wav", _noise(0.4), RATE_HZ)
    soundfile.write("other.wav", _with_tone(4, 0, 3), RATE_HZ)
    (folder.path / "cut.wav").write_bytes((folder.path / "other.wav").read_bytes()[:150_000])
    assert folder.run(*names, events="1.jsonl", scores="1.csv") == 2
    assert folder.run(*names, events="2.jsonl", scores="2.csv", **changes) == 2
    assert (folder.path / "1.jsonl").read_bytes() == (folder.path / "2.jsonl").read_bytes()
    assert (folder.path / "1.csv").read_bytes() == (folder.path / "2.csv").read_bytes()
    assert folder.events("1.jsonl")


def test_the_blocks_of_a_file_change_nothing(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.run("tone.flac", events="1.jsonl", scores="1.csv")
    monkeypatch.setattr("device.sources.recording.BLOCK_S", 0.0131)
    folder.run("tone.flac", events="2.jsonl", scores="2.csv")
    assert (folder.path / "1.jsonl").read_bytes() == (folder.path / "2.jsonl").read_bytes()
    assert (folder.path / "1.csv").read_bytes() == (folder.path / "2.csv").read_bytes()


def test_bad_inputs_are_a_line_each_and_the_others_are_heard(folder: Folder, capfd: pytest.CaptureFixture[str]) -> None:
    names = ["empty.wav", "tone.flac", "text.wav", "gone.wav"]
    assert folder.run(*names, events="events.jsonl") == 2
    lines = capfd.readouterr().err.splitlines()
    assert [line.split(" ")[1].rstrip(":") for line in lines] == ["empty.wav", "text.wav", "gone.wav"]
    assert {event["source"] for event in folder.events()} == {"tone.flac"}


def test_a_recording_cut_short_keeps_what_was_heard(folder: Folder, capfd: pytest.CaptureFixture[str]) -> None:
    assert folder.run("cut.wav", events="events.jsonl") == 2
    begin, end = folder.events()
    assert begin["phase"] == "begin"
    assert (end["phase"], end["reason"]) == ("end", "end_of_file")
    assert "cut.wav" in capfd.readouterr().err


def test_a_folder_without_recordings_is_a_line(folder: Folder, capfd: pytest.CaptureFixture[str]) -> None:
    (folder.path / "nothing").mkdir()
    assert folder.run("nothing") == 2
    assert "nothing holds no recording" in capfd.readouterr().err


def test_deafness_is_a_line_on_stderr_and_no_event(folder: Folder, capfd: pytest.CaptureFixture[str]) -> None:
    assert folder.run("deaf.wav", events="-") == 0
    captured = capfd.readouterr()
    assert captured.out == ""
    (line,) = captured.err.splitlines()
    assert line.startswith("auricle: deaf.wav: not heard well: silence 4.0")


def test_channels_that_cancel_are_a_line_that_names_the_option(
    folder: Folder, capfd: pytest.CaptureFixture[str]
) -> None:
    samples = _with_tone(16, 2, 10)
    soundfile.write("opposed.wav", np.stack([samples, -samples], axis=1), RATE_HZ, subtype="PCM_16")
    assert folder.run("opposed.wav", events="-") == 0
    captured = capfd.readouterr()
    assert captured.out == ""
    (line,) = captured.err.splitlines()
    assert line.startswith("auricle: opposed.wav: not heard well: cancellation 0.00 to 16.00 s (the channels cancel")
    assert line.endswith("(2.5 s); hear one: channel = 1, or --channel 1 for a replay)")
    folder.run("opposed.wav", events="events.jsonl", channel=0)
    assert [event["phase"] for event in folder.events()] == ["begin", "end"]
    assert capfd.readouterr().err == ""


def test_sound_behind_what_the_header_counts_is_heard_and_said_on_stderr_and_on_the_page(
    folder: Folder, capfd: pytest.CaptureFixture[str]
) -> None:
    content = bytearray((folder.path / "long.wav").read_bytes())
    at = content.index(b"data")
    content[at + 4 : at + 8] = RATE_HZ.to_bytes(4, "little")
    (folder.path / "killed.wav").write_bytes(content)
    assert folder.run("killed.wav", events="events.jsonl", report="page.html") == 0
    assert [event["phase"] for event in folder.events()] == ["begin", "end"]
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith("auricle: killed.wav: it holds ")
    assert "more than the 22050 that its header declares" in line
    assert "more than the 22050 that its header declares" in (folder.path / "page.html").read_text()


def test_a_folder_with_sound_that_cannot_be_read_says_so_and_fails(
    folder: Folder, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    (folder.path / "night").mkdir()
    loud_s = np.arange(8 * 48000) / 48000
    tone = np.concatenate([np.zeros(96000), 0.3 * np.sin(2000 * np.pi * loud_s), np.zeros(288000)])
    noise = 1e-3 * np.random.default_rng(0).standard_normal(len(tone))
    soundfile.write("night/a.opus", tone + noise, 48000, format="OGG", subtype="OPUS")
    (folder.path / "night" / "b.m4a").write_bytes(b"\0\0\0 ftypM4A ")
    assert folder.run("night", events="events.jsonl") == 2
    assert {event["source"] for event in folder.events()} == {"night/a.opus"}
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith("auricle: night holds 1 sound file that cannot be read here (1 .m4a): pip install")


def test_one_label_track_is_a_file_and_several_are_a_folder(folder: Folder) -> None:
    folder.run("tone.flac", labels="track.txt")
    start, end, label = (folder.path / "track.txt").read_text().rstrip("\n").split("\t")
    assert label == "tone"
    assert (float(start), float(end)) == pytest.approx((5.0, 10.0), abs=0.2)
    folder.run("tone.flac", "quiet.wav", labels="tracks")
    assert sorted(path.name for path in (folder.path / "tracks").iterdir()) == ["quiet.txt", "tone.txt"]


def test_one_page_is_a_file_and_several_are_a_folder_with_an_index(folder: Folder) -> None:
    folder.run("tone.flac", report="page.html")
    assert "<audio" in (folder.path / "page.html").read_text()
    folder.run("tone.flac", "quiet.wav", "empty.wav", report="pages")
    assert sorted(path.name for path in (folder.path / "pages").iterdir()) == ["index.html", "quiet.html", "tone.html"]
    assert "empty.wav" in (folder.path / "pages" / "index.html").read_text()


def test_several_recordings_need_a_folder(folder: Folder) -> None:
    with pytest.raises(ConfigError, match=r"tone\.flac is a file; several recordings"):
        folder.run("tone.flac", "quiet.wav", labels="tone.flac")


def test_two_results_cannot_share_standard_output(folder: Folder) -> None:
    with pytest.raises(ConfigError, match="two results are to go to standard output"):
        folder.run("quiet.wav", events="-", scores="-")


@pytest.mark.parametrize("option", ["events", "scores", "labels", "report"])
@pytest.mark.parametrize("name", ["quiet.wav", "link.wav", "hard.wav", "./sub/../quiet.wav"])
def test_an_output_that_is_an_input_is_refused_and_the_recording_stays(folder: Folder, option: str, name: str) -> None:
    before = (folder.path / "quiet.wav").read_bytes()
    (folder.path / "sub").mkdir()
    (folder.path / "link.wav").symlink_to("quiet.wav")
    (folder.path / "hard.wav").hardlink_to("quiet.wav")
    with pytest.raises(ConfigError, match=rf"--{option} .* is the input quiet\.wav; name another file"):
        folder.run("quiet.wav", **{option: name})
    assert (folder.path / "quiet.wav").read_bytes() == before


def test_the_model_is_no_output_either(folder: Folder) -> None:
    with pytest.raises(ConfigError, match="is the input"):
        folder.run("quiet.wav", scores=folder.options.models[0])


def test_the_configuration_and_a_shipped_model_are_no_outputs(folder: Folder) -> None:
    (folder.path / "a.toml").write_text("")
    with pytest.raises(ConfigError, match=r"--events a\.toml is the input a\.toml"):
        folder.run("quiet.wav", events="a.toml", config="a.toml")
    cry = shipped_bundles()["cry"]
    with pytest.raises(ConfigError, match="is the input"):
        folder.run("quiet.wav", events=str(cry), models=("cry",))
    with pytest.raises(ConfigError, match="is the input"):
        folder.run("quiet.wav", scores=str(cry), models=())  # those of the settings
    assert cry.stat().st_size > 100_000


def test_a_start_that_fails_leaves_older_results_whole(folder: Folder) -> None:
    (folder.path / "bad.tflite").write_bytes((folder.path / "quiet.wav").read_bytes())
    for name in ("events.jsonl", "scores.csv"):
        (folder.path / name).write_text("old\n")
    with pytest.raises(BundleError):
        folder.run("quiet.wav", events="events.jsonl", scores="scores.csv", models=("bad.tflite",))
    assert (folder.path / "events.jsonl").read_text() == "old\n"
    assert (folder.path / "scores.csv").read_text() == "old\n"
    assert folder.run("quiet.wav", events="events.jsonl") == 0
    assert (folder.path / "events.jsonl").read_text() == ""


def test_a_start_that_fails_leaves_no_folder(folder: Folder) -> None:
    (folder.path / "bad.tflite").write_bytes((folder.path / "quiet.wav").read_bytes())
    with pytest.raises(BundleError):
        folder.run("quiet.wav", "tone.flac", report="pages/new", labels="tracks", models=("bad.tflite",))
    assert not (folder.path / "pages").exists()
    assert not (folder.path / "tracks").exists()


@pytest.mark.parametrize("workers", [1, 2])
def test_a_full_disk_leaves_no_empty_folder(folder: Folder, workers: int) -> None:
    """A folder without a page used to stay behind, whether the disk was full at once or in the middle."""
    if os.geteuid() != 0:
        pytest.skip("only root mounts")
    disk = folder.path / "disk"
    disk.mkdir()
    subprocess.run([program("mount"), "-t", "tmpfs", "-o", "size=16k", "none", disk], check=True)
    try:
        with pytest.raises(OSError, match="No space left"):  # a page does not fit
            folder.run("quiet.wav", "tone.flac", report="disk/pages/new", workers=workers)
        assert list(disk.iterdir()) == []
        (disk / "full").write_bytes(bytes(16384))  # nothing fits
        with pytest.raises(ConfigError, match=r"--report .* cannot be written \(No space left on device\)"):
            folder.run("quiet.wav", "tone.flac", report="disk/pages", workers=workers)
        assert [each.name for each in disk.iterdir()] == ["full"]
    finally:
        subprocess.run([program("umount"), disk], check=True)


def test_the_workers_of_a_replay_try_no_bundle_again(folder: Folder) -> None:
    command = [sys.executable, "-m", "device", "replay", "--workers", "3", "--model", folder.options.models[0]]
    trials: set[int] = set()
    with subprocess.Popen([*command, "quiet.wav", "tone.flac", "deaf.wav"], stdout=subprocess.DEVNULL) as process:
        while process.poll() is None:
            trials |= _trials_of(process.pid)
            time.sleep(0.02)
    assert process.returncode == 0
    assert len(trials) == 1


def _trials_of(pid: int) -> set[int]:
    """The processes below one that try a bundle, each in a session of its own."""
    found = set()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                words = (entry / "cmdline").read_bytes().split(b"\0")
                environment = (entry / "cwd").readlink()
                if b"device.runtime.bundle_trial.trial_child" in words and environment == Path.cwd():
                    found.add(int(entry.name))
    return found - {pid}


def test_two_outputs_in_one_file_are_refused(folder: Folder) -> None:
    (folder.path / "link").symlink_to("out")
    with pytest.raises(ConfigError, match=r"--scores link is the same file as --events out"):
        folder.run("quiet.wav", events="out", scores="link")


@pytest.mark.parametrize("option", ["events", "scores", "labels", "report"])
def test_an_output_that_cannot_be_written_is_refused_before_anything_is_heard(folder: Folder, option: str) -> None:
    with pytest.raises(ConfigError, match=rf"--{option} nowhere/x cannot be written \(No such file or directory\)"):
        folder.run("no-such-model.wav", "quiet.wav", **{option: "nowhere/x"}) if option in ("events", "scores") else (
            folder.run("quiet.wav", **{option: "nowhere/x"})
        )


def test_a_recording_without_an_alert_ends_with_a_line(folder: Folder, capfd: pytest.CaptureFixture[str]) -> None:
    folder.run("quiet.wav")
    assert capfd.readouterr().out == "quiet.wav  no alert in 5.00 s\n"
    folder.run("deaf.wav")
    assert capfd.readouterr().out == "deaf.wav  no alert in 10.00 s, but it was not heard well\n"


@pytest.mark.parametrize("workers", [1, 2])
def test_a_run_of_many_ends_with_a_line(folder: Folder, capfd: pytest.CaptureFixture[str], workers: int) -> None:
    folder.run("quiet.wav", "tone.flac", "cut.wav", "deaf.wav", "empty.wav", workers=workers)
    last = capfd.readouterr().out.splitlines()[-1]
    assert last == "5 recordings: 2 with an alert (2 alerts), 2 not heard to the end, 1 not heard well"
    folder.run("quiet.wav", "quiet.wav", workers=workers)
    assert capfd.readouterr().out == "2 recordings: none with an alert\n"


def test_names_are_printed_without_control_characters(folder: Folder, capfd: pytest.CaptureFixture[str]) -> None:
    name = "a\n\x1b[2J\u202egnp.wav"
    (folder.path / "quiet.wav").rename(folder.path / name)
    (folder.path / ("=1+1" + name)).write_bytes(b"no sound")
    folder.run(name)
    folder.run("=1+1" + name)
    captured = capfd.readouterr()
    assert captured.out == "a\\n\\u001b[2J\\u202egnp.wav  no alert in 5.00 s\n"
    assert captured.err.startswith("auricle: =1+1a\\n\\u001b[2J\\u202egnp.wav is not audio")
    assert len(captured.err.splitlines()) == 1


@pytest.mark.parametrize("name", ["=1+1.wav", "+1.wav", "-1.wav", "@1.wav", "\t=1.wav", "\r1.wav"])
def test_no_cell_of_the_score_table_is_a_formula(folder: Folder, name: str) -> None:
    (folder.path / "quiet.wav").rename(folder.path / name)
    folder.run(name, scores="scores.csv")
    with (folder.path / "scores.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["source"] for row in rows} == {f"'{name}"}


def test_an_alert_and_silence_are_explained(folder: Folder, capfd: pytest.CaptureFixture[str]) -> None:
    folder.run("tone.flac", explain_s=6.0)
    heard = capfd.readouterr().out
    assert "tiny-tone/tone: an alert" in heard
    assert "windows at or above 0.50" in heard
    folder.run("tone.flac", explain_s=1.0)
    silent = capfd.readouterr().out
    assert "tiny-tone/tone: no alert; surest was 0.0" in silent
    assert "is below on 0.50" in silent


def test_a_second_past_the_end_is_explained_as_such(folder: Folder, capfd: pytest.CaptureFixture[str]) -> None:
    folder.run("quiet.wav", explain_s=99.0)
    assert "was not heard: the recording was heard from 0 to 5.00 s" in capfd.readouterr().out


def test_several_models_at_different_rates_hear_one_recording(folder: Folder, tiny_low_bundle_path: Path) -> None:
    models = (*folder.options.models, str(tiny_low_bundle_path))
    folder.run("tone.flac", models=models, scores="scores.csv")
    with (folder.path / "scores.csv").open(newline="") as file:
        found = {(row["model"], row["label"]) for row in csv.DictReader(file)}
    assert found == {("tiny-tone", "tone"), ("tiny-low", "low"), ("tiny-low", "normal")}


def test_a_path_given_twice_has_two_ids() -> None:
    first, second, third = stream_ids(["a.wav", "b.wav", "a.wav"])
    assert third == f"{first}.2"
    assert first != second


def test_progress_is_for_terminals_only(folder: Folder, capfd: pytest.CaptureFixture[str]) -> None:
    folder.run("quiet.wav", "tone.flac")
    assert "recordings" not in capfd.readouterr().err


def test_windows_follow_the_configured_hop(folder: Folder) -> None:
    settings: Settings = folder.options.settings
    hop = replace(settings, listen=replace(settings.listen, hop_s=1.0))
    folder.run("quiet.wav", settings=hop, scores="scores.csv")
    starts = [line.split(",")[2] for line in (folder.path / "scores.csv").read_text().splitlines()[1:]]
    assert starts == ["0.000000", "1.000000", "2.000000", "3.000000"]


def test_the_loudness_alarm_is_in_events_scores_and_page_and_the_same_whatever_runs_it(
    folder: Folder, capfd: pytest.CaptureFixture[str]
) -> None:
    text = '[loudness]\nlevel_dbfs = -20\npriority = "low"\n[schedule.loud]\notherwise = "off"'
    settings = parse_config(text, source="a.toml")
    folder.options = replace(folder.options, settings=settings)
    soundfile.write("other.wav", _with_tone(4, 0, 3), RATE_HZ)
    names = ["tone.flac", "other.wav"]
    assert folder.run(*names, events="1.jsonl", scores="1.csv", report="pages") == 0
    assert folder.run(*names, events="2.jsonl", scores="2.csv", workers=2) == 0
    assert folder.run(*names, events="3.jsonl", scores="3.csv") == 0
    for name in ("jsonl", "csv"):
        versions = {(folder.path / f"{number}.{name}").read_bytes() for number in (1, 2, 3)}
        assert len(versions) == 1
    loud = [event for event in folder.events("1.jsonl") if event["label"] == "loud"]
    assert [(event["phase"], event["start_s"], event["decided_s"], event["priority"]) for event in loud[:1]] == [
        ("begin", 5.0, 7.0, "low")
    ]
    assert loud[0]["reason"] == "4 of 8 windows at or above -20.0 dBFS"
    assert loud[1]["reason"] == "end_of_file"
    (page,) = (path.read_text() for path in (folder.path / "pages").glob("*tone*"))
    assert "4 of 8 windows at or above -20.0 dBFS" in page
    assert "A recording has no time of day: its alerts are shown whatever [schedule.loud] would let through." in page
    capfd.readouterr()
    assert folder.run("tone.flac", explain_s=4.7) == 0
    assert "loudness/loud: no alert" in capfd.readouterr().out
