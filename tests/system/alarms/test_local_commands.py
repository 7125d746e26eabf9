"""Commands through the local socket of a real daemon, from its user, a member of its group, and strangers."""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.programs import program
from tests.system.running_daemon import AURICLE, RunningDaemon, Sounds

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can ask as other users"),
]

GROUP = 64123
"""Of the daemon; nobody on this machine is in it."""

MEMBER, STRANGER = 1, 65534
"""daemon and nobody, which every Debian has."""

CONFIG = """
[alarms]
latch = "high"
time_zone = "Europe/Berlin"
"""


@pytest.fixture
def daemon() -> Iterator[RunningDaemon]:
    """Of root and our group, with a cry that goes on, in a folder that everybody may enter."""
    with tempfile.TemporaryDirectory(prefix="auricle-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        cry = Sounds(folder).endless_cry()
        command = [program("setpriv"), f"--regid={GROUP}", "--clear-groups", str(AURICLE), "listen"]
        command += ["--source", str(cry), "--loop"]
        with RunningDaemon(folder, {}, CONFIG, command=command) as daemon:
            daemon.wait_for_a_cry(within_s=60.0)
            daemon.wait_until(lambda: (state := daemon.status()) is not None and state.alarms, "an open alarm", 20.0)
            yield daemon


def _ask_as(daemon: RunningDaemon, uid: int, groups: str, *words: str) -> subprocess.CompletedProcess[str]:
    user = [program("setpriv"), f"--reuid={uid}", f"--regid={uid}", groups]
    return subprocess.run(
        [*user, str(AURICLE), *words], env=daemon.environment, capture_output=True, text=True, check=False, timeout=60
    )


def test_a_member_of_the_group_is_let_in_and_named_and_a_stranger_is_not(daemon: RunningDaemon) -> None:
    socket_path = daemon.socket_path.with_name("command.sock")
    assert socket_path.stat().st_mode & 0o777 == 0o660
    assert socket_path.stat().st_gid == GROUP

    refused = _ask_as(daemon, STRANGER, "--clear-groups", "acknowledge")
    closed = f"auricle: {socket_path} is closed to this user: ask with sudo, or join the group auricle\n"
    assert (refused.returncode, refused.stdout, refused.stderr) == (2, "", closed)
    state = daemon.status()
    assert state is not None
    assert [alarm.acknowledged for alarm in state.alarms if alarm.name == "cry"] == [False]

    done = _ask_as(daemon, MEMBER, f"--groups={GROUP}", "acknowledge", "cry")
    assert (done.returncode, done.stdout, done.stderr) == (0, "acknowledged: cry (cry)\n", "")
    daemon.wait_until(lambda: "acknowledged by daemon" in daemon.ask("history").stdout, "the history", 20.0)
    assert "acknowledged by daemon after" in daemon.ask("history").stdout

    paused = _ask_as(daemon, MEMBER, f"--groups={GROUP}", "pause", "10")
    assert paused.returncode == 0
    assert paused.stdout.startswith("nothing sounds until ")
    daemon.wait_for({"happening": "asked", "detail": "daemon pauses signals for 600 s"}, within_s=20.0)
    assert daemon.ask("resume").stdout == "signals sound again\n"
    daemon.wait_for({"happening": "asked", "detail": "root lets signals sound again"}, within_s=20.0)


def test_what_was_asked_before_the_daemon_hangs_is_said_and_status_goes_on(daemon: RunningDaemon) -> None:
    unknown = daemon.ask("acknowledge", "no-such-alarm")
    assert unknown.returncode == 2
    assert unknown.stderr.startswith('auricle: no open alarm is "no-such-alarm"; open: cry (cry)')
    tested = daemon.ask("self-test")
    assert tested.stdout == "a self-test begins; console and log have its result in a minute\n"
    daemon.wait_for({"happening": "asked", "detail": "root asks for a self-test"}, within_s=20.0)
    assert daemon.ask("status", "--json").returncode in {0, 1}
    code, _ = daemon.terminate()
    assert code == 0
    gone = daemon.ask("resume")
    assert (gone.returncode, gone.stderr) == (2, "auricle: no daemon runs here; auricle listen starts one\n")
