"""What `auricle status` prints: first whether a cry would be heard."""

from __future__ import annotations

import dataclasses
import io
import json
from typing import TYPE_CHECKING, Any, get_args

import pytest

from device.errors import ConfigError, ServiceError
from device.fault_info import FAULTS
from device.messages import FaultKind
from device.runtime.daemon_state import DaemonState, FaultStatus, from_json
from device.runtime.sockets.status_socket import StatusServer
from device.tools.status import ABSENT, DEAF, HEARS, show_status, status_lines

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_NOW_UTC_S = 1795230847.0  # 2026-11-21T03:14:07Z


def _lines(state: DaemonState, **changed: object) -> list[str]:
    return list(status_lines(dataclasses.replace(state, **changed), _NOW_UTC_S))  # type: ignore[arg-type]


def _fault(kind: FaultKind, ago_s: float = 185.0) -> FaultStatus:
    return FaultStatus(kind, _NOW_UTC_S - ago_s, "a figure")


def test_a_daemon_that_is_well_is_told_like_this(state: DaemonState) -> None:
    assert _lines(state) == [
        "anna  hears: yes",
        "  source      usb:0d8c:0014 (USB Audio Device), 48000 Hz",
        "  level       -52.3 dBFS, peak -31.0 dBFS",
        "  listened    99.9 % of the time, 100.0 % of the windows (7190 of 7200 since the start)",
        "  hop         a window every 0.5 s; 0.1 s of sound wait",
        "  label       cry (cry): ON since 2026-11-21T03:13:07Z (1 min 0 s), score 0.97",
        "  events      3 since the start; last: cry begin (0.97, 3 of 3 windows)",
        "  ALARM       high cry (cry): active; 3 of 3 windows",
        "  delivery    alarms are kept; broker lost, 2 changes of alarms are owed to it",
        "  counted     faults 2, gaps 4, overruns 5, reopened 6, lines dropped 0",
        "  running     auricle 0.2.0 with cry 1.0.0; process 4711, since 2026-11-21T02:14:07Z (1 h 0 min)",
    ]


def test_a_deaf_one_says_so_first_and_what_to_do_last(state: DaemonState) -> None:
    lines = _lines(state, hearing=False, faults=(_fault("clipping", 999.0), _fault("microphone")))
    since = "since 2026-11-21T03:11:02Z (3 min 5 s)"
    assert lines[0] == f"anna  hears NOTHING: no sound comes from the microphone {since}"
    assert lines[-2:] == [
        f"  FAULT       microphone {since}: a figure",
        f"              what to do: {FAULTS['microphone'].cure}",
    ]


def test_one_that_begins_is_not_called_deaf_for_a_fault_that_deafens_nobody(state: DaemonState) -> None:
    assert _lines(state, hearing=False, faults=(_fault("clipping"),))[0] == "anna  hears NOTHING yet: it is starting"


def test_a_loop_that_hangs_is_told_whatever_it_last_said(state: DaemonState) -> None:
    assert _lines(state, age_s=75.0)[0] == "anna  hears NOTHING: its main loop has hung for 1 min 15 s, restart it"


@pytest.mark.parametrize("kind", get_args(FaultKind))
def test_there_is_something_to_do_about_every_fault(state: DaemonState, kind: FaultKind) -> None:
    lines = _lines(state, hearing=False, faults=(_fault(kind),))
    assert len(lines[-1].removeprefix("              what to do: ")) > 20


def test_digital_silence_is_no_level_and_least_of_all_0_dbfs(state: DaemonState) -> None:
    lines = _lines(state, level_dbfs=None, peak_dbfs=None)
    assert "  level       no signal" in lines


def test_overload_is_told_with_what_it_costs(state: DaemonState) -> None:
    lines = _lines(state, hop_s=1.0, backlog_s=2.5, dropped_s=12.0)
    text = "a window every 1 s instead of 0.5 s: the machine cannot keep up; 2.5 s of sound wait, 12.0 s were dropped"
    assert f"  hop         {text}" in lines


def test_a_share_that_is_not_whole_is_never_rounded_up_to_it(state: DaemonState) -> None:
    assert any("99.9 % of the time" in line for line in _lines(state, listened=0.99999))


def test_before_the_first_window_no_share_is_invented(state: DaemonState) -> None:
    assert any(
        "listened    - of the time, - of the windows" in line for line in _lines(state, listened=None, windows=None)
    )


def test_a_clock_that_was_set_back_gives_no_negative_time(state: DaemonState) -> None:
    lines = list(status_lines(state, _NOW_UTC_S - 86400))
    assert not any("(-" in line for line in lines)


def test_what_a_daemon_tells_cannot_play_with_the_terminal(state: DaemonState) -> None:
    lines = _lines(state, source="\x1b[2J", device="a\nb", last_event="\r", faults=(FaultStatus("gap", 0.0, "\x07"),))
    assert all(line.isprintable() for line in lines)


# --- the command


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return {"XDG_RUNTIME_DIR": str(tmp_path / "run"), "HOME": str(tmp_path)}


@pytest.fixture
def two_daemons(tmp_path: Path, state: DaemonState) -> Iterator[list[DaemonState]]:
    """`anna` hears, `ben` does not."""
    states = [state, dataclasses.replace(state, instance="ben", hearing=False)]
    folder = tmp_path / "run" / "auricle"
    with (
        StatusServer(folder / "anna" / "status.sock", lambda: states[0]),
        StatusServer(folder / "ben" / "status.sock", lambda: states[1]),
    ):
        yield states


@pytest.mark.usefixtures("two_daemons")
@pytest.mark.parametrize(("instance", "code"), [("anna", HEARS), ("ben", DEAF), (None, DEAF)])
def test_the_exit_code_says_whether_all_that_were_asked_hear(
    environment: dict[str, str], instance: str | None, code: int
) -> None:
    out = io.StringIO()
    assert show_status(instance, as_json=False, out=out, environment=environment) == code
    shown = [line.split()[0] for line in out.getvalue().splitlines() if not line.startswith(" ")]
    assert shown == ([instance] if instance else ["anna", "ben"])


def test_programs_are_told_one_object_a_line(environment: dict[str, str], two_daemons: list[DaemonState]) -> None:
    out = io.StringIO()
    assert show_status(None, as_json=True, out=out, environment=environment) == DEAF
    shown = [from_json(line.encode()) for line in out.getvalue().splitlines()]
    assert [dataclasses.replace(one, age_s=0.0) for one in shown] == two_daemons
    assert all(json.loads(line)["version"] == 2 for line in out.getvalue().splitlines())


@pytest.mark.usefixtures("two_daemons")
def test_one_that_died_hides_none_of_the_others(
    environment: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    dead = tmp_path / "run" / "auricle" / "carl" / "status.sock"
    dead.parent.mkdir()
    dead.touch()
    out = io.StringIO()
    assert show_status(None, as_json=False, out=out, environment=environment) == ABSENT
    assert "anna  hears: yes" in out.getvalue()
    assert "carl" in capsys.readouterr().err


def test_where_none_runs_the_sentence_says_how_to_start_one(environment: dict[str, str]) -> None:
    with pytest.raises(ServiceError, match="auricle listen starts one"):
        show_status("anna", as_json=False, out=io.StringIO(), environment=environment)
    with pytest.raises(ServiceError, match="auricle listen starts one"):
        show_status(None, as_json=False, out=io.StringIO(), environment=environment)


def test_a_name_that_can_be_none_is_refused(environment: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match="cannot name an instance"):
        show_status("../anna", as_json=False, out=io.StringIO(), environment=environment)


@pytest.mark.parametrize(
    ("value", "configured", "shown"),
    [
        (0, 0, "score 0.97"),
        (2, 2, "score 0.97, sensitivity +2"),
        (2, -1, "score 0.97, sensitivity +2 set by a command, where the configuration says -1"),
    ],
)
def test_a_sensitivity_is_shown_and_both_where_a_command_has_set_another(
    state: DaemonState, value: int, configured: int, shown: str
) -> None:
    label = dataclasses.replace(state.labels[0], sensitivity=value, configured_sensitivity=configured)
    (line,) = [line for line in _lines(state, labels=(label,)) if line.startswith("  label")]
    assert line.endswith(shown)


@pytest.mark.parametrize(
    ("changes", "shown"),
    [
        ({}, "score 0.97"),
        ({"mode": "log", "mode_cause": "hours"}, "score 0.97; it is only logged, by the hour"),
        ({"mode": "off", "mode_cause": "switch", "score": None}, "no score yet; it is not listened for, as it was set"),
        ({"mode_cause": "clock"}, "score 0.97; it raises alarms, while the clock is not synchronized"),
    ],
)
def test_what_a_scheduled_label_does_is_shown_with_its_reason(
    state: DaemonState, changes: dict[str, Any], shown: str
) -> None:
    label = dataclasses.replace(state.labels[0], **changes)
    (line,) = [line for line in _lines(state, labels=(label,)) if line.startswith("  label")]
    assert line.endswith(shown)


@pytest.mark.parametrize(
    ("people", "line"),
    [
        (None, None),
        ((), "  listened in by nobody now"),
        (("anna (auricle-web)", "\u202eben"), "  listened in by 2: anna (auricle-web), \\u202eben"),
    ],
)
def test_who_listens_in_is_shown_where_it_is_on(
    state: DaemonState, people: tuple[str, ...] | None, line: str | None
) -> None:
    lines = list(status_lines(dataclasses.replace(state, listening_in=people), 0.0))
    assert [each for each in lines if "listened in" in each] == ([line] if line else [])
