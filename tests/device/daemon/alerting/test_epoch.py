"""The epoch grows with every start, as long as one of its sources is left."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from device.daemon.alerting.epoch import Epoch

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

NOW_UTC_S = 1.8e9


@given(steps_s=st.lists(st.tuples(st.floats(1.0, 1e5), st.floats(-1e9, 1e9)), min_size=2, max_size=10))
def test_within_one_boot_no_clock_step_makes_a_number_come_again(
    tmp_path_factory: pytest.TempPathFactory, steps_s: list[tuple[float, float]]
) -> None:
    folder = tmp_path_factory.mktemp("run")
    uptime_s, seqs = 100.0, []
    for passed_s, step_s in steps_s:
        uptime_s += passed_s
        epoch = Epoch.at_start(folder, utc_s=max(0.0, NOW_UTC_S + step_s), uptime_s=uptime_s).after("12345")
        seqs.append(epoch.continue_seq(7))
    assert seqs == sorted(set(seqs))


def test_after_a_reboot_the_note_of_the_journal_counts_though_the_clock_went_back(tmp_path: Path) -> None:
    before = Epoch.at_start(tmp_path / "first", utc_s=NOW_UTC_S, uptime_s=1e6).after(None)
    after = Epoch.at_start(tmp_path / "second", utc_s=0.0, uptime_s=30.0).after(str(before.number))
    assert after.continue_seq(7) > before.continue_seq(7) + 1000


def test_after_a_reboot_with_a_disk_that_takes_nothing_the_clock_counts(tmp_path: Path) -> None:
    before = Epoch.at_start(tmp_path / "first", utc_s=NOW_UTC_S, uptime_s=1e6).after("5")
    after = Epoch.at_start(tmp_path / "second", utc_s=NOW_UTC_S + 60.0, uptime_s=30.0).after("5")
    assert after.continue_seq(7) >= before.continue_seq(7) + 600


def test_a_folder_that_outlives_a_reboot_is_right_too(tmp_path: Path) -> None:
    before = Epoch.at_start(tmp_path, utc_s=NOW_UTC_S, uptime_s=1e6)
    after = Epoch.at_start(tmp_path, utc_s=0.0, uptime_s=30.0)
    assert after.number > before.number


def test_a_note_or_file_that_is_none_counts_as_missing(tmp_path: Path) -> None:
    expected = Epoch.at_start(tmp_path / "none", utc_s=NOW_UTC_S, uptime_s=30.0)
    for content in ("", "{", "[]", json.dumps({"number": "x", "uptime_s": 1}), json.dumps({"number": 1})):
        (tmp_path / "epoch.json").write_text(content)
        assert Epoch.at_start(tmp_path, utc_s=NOW_UTC_S, uptime_s=30.0) == expected
    assert expected.after("nonsense") == expected.after(None)


def test_a_folder_that_cannot_be_written_ends_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert Epoch.at_start(tmp_path / "file", utc_s=NOW_UTC_S, uptime_s=30.0).number > 0


def test_numbers_stay_small_enough_for_what_receivers_count_with(tmp_path: Path) -> None:
    assert Epoch.at_start(tmp_path, utc_s=NOW_UTC_S, uptime_s=1e7).continue_seq(7) < 2**31
