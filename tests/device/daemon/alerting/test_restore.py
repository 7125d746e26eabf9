"""A restart brings back open alarms and the pause, under numbers that were never used."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from device.commands import Acknowledge
from device.daemon.alerting.epoch import EPOCH, Epoch
from device.daemon.alerting.restore import PAUSED_UNTIL
from device.messages import Heard
from tests.device.daemon.alerting.stage import Stage
from tests.device.daemon.scripted import NOON_S

if TYPE_CHECKING:
    from pathlib import Path


def test_a_stop_ends_no_alarm_and_the_next_start_takes_up_what_was_open(stage: Stage) -> None:
    stage.turn(10.0)
    stage.cry()
    stage.hear(Heard(faults=[stage.fault("microphone")]))
    stage.controller.finish_stream(Heard(faults=[stage.fault("microphone", begins=False)]))
    stage.cry("end", reason="stopped")
    stage.settle()
    assert {alarm.state for alarm in stage.controller.machine.alarms} == {"active", "latched"}
    last = {entry.alarm_id: (entry.alarm, entry.seq) for entry in stage.journal.committed}

    stage.clocks.advance(30.0)
    after = Stage(clocks=stage.clocks, boot="c")
    until_utc_s = stage.clocks.utc_s + 100.0
    after.journal.open(list(last.values()), {PAUSED_UNTIL: repr(until_utc_s)}, owed=4)
    after.turn()
    assert after.controller.summary.paused
    assert after.controller.summary.owed == 6
    after.journal.commit()
    restored = {body["name"]: (body["change"], body["cause"], body["seq"]) for body in after.entries}
    assert restored["cry"][:2] == ("reminded", "interrupted")
    assert restored["microphone"][:2] == ("latched", "interrupted")
    assert restored["cry"][2] >= 1001
    assert restored["microphone"][2] >= 1000 + last["b-microphone-0"][1]
    starts = {body["name"]: body["start_utc"] for body in (*stage.entries, *after.entries)}
    assert after.entries[0]["start_utc"] == starts["cry"] == stage.entries[0]["start_utc"]


def test_numbers_never_come_again_though_no_disk_takes_anything_and_the_clock_goes_back(
    stage: Stage, tmp_path: Path
) -> None:
    """The bug: two starts between which the clock had gone back published two changes under one number."""
    stage.turn(10.0)
    stage.cry()
    stage.settle()
    kept = [(entry.alarm, entry.seq) for entry in stage.journal.committed]
    seqs: list[int] = []
    for boot, step_s in zip("cdef", (0.0, -7200.0, -86400.0, 3.0), strict=True):
        stage.clocks.advance(2.0)  # each finds what the first left, since the disk has taken nothing since
        stage.clocks.utc_s += step_s
        epoch = Epoch.at_start(tmp_path, utc_s=stage.clocks.utc_s, uptime_s=stage.clocks.now_s)
        after = Stage(clocks=stage.clocks, boot=boot, epoch=epoch)
        after.journal.open(kept)
        after.turn()
        after.journal.commit()
        seqs += [body["seq"] for body in after.entries if body["name"] == "cry"]
    assert len(seqs) == 4
    assert seqs == sorted(set(seqs))


def test_the_epoch_is_noted_in_the_journal_for_the_next_start(stage: Stage) -> None:
    stage.journal.open(notes={EPOCH: "10000000000"})
    stage.turn()
    assert int(stage.journal.notes[EPOCH]) > 10000000000


def test_a_pause_that_is_over_by_now_is_over_and_a_note_that_is_none_is_none(stage: Stage) -> None:
    for note in (repr(NOON_S - 5.0), "nonsense", ""):
        stage.journal.open(notes={PAUSED_UNTIL: note})
        stage.turn()
        assert not stage.controller.summary.paused


def test_an_alarm_that_cannot_be_read_hinders_no_other(stage: Stage) -> None:
    stage.turn(10.0)
    stage.cry()
    stage.journal.commit()
    (entry,) = stage.journal.committed
    after = Stage(boot="c")
    after.journal.open([("{}", 3), (entry.alarm, entry.seq)])
    (note,) = [note for note in after.turn().notes if note.kind == "journal"]
    assert "cannot be taken up" in note.detail
    assert [alarm.alarm_id for alarm in after.controller.machine.alarms] == ["s-cry-cry-0"]


def test_an_acknowledged_alarm_of_a_failed_self_test_is_published_again_after_a_restart_with_who_saw_it(
    stage: Stage,
) -> None:
    """The bug: a ward that was started after the restart of the bed knew neither the alarm nor who had been there."""
    stage.turn(10.0)
    stage.hear(Heard(faults=[stage.fault("self_test")]))
    stage.settle()
    stage.replies.commanded(Acknowledge(None, "Nora (mqtt)"))
    stage.settle()
    last = {entry.alarm_id: (entry.alarm, entry.seq) for entry in stage.journal.committed}
    bodies = [entry for entry in stage.journal.committed if json.loads(entry.body)["change"] == "acknowledged"]
    for kept, known in (({entry.alarm_id: entry.body for entry in bodies}, "Nora (mqtt)"), ({}, None)):
        after = Stage(clocks=stage.clocks, boot="c")
        after.journal.open(list(last.values()), acknowledgements=kept)
        after.settle()
        listed = [(each["name"], each["acknowledged"], each["acknowledged_by"]) for each in after.state()["alarms"]]
        assert listed == [("self_test", True, known)]
