"""The verdict of systemd's own tools on the installed files: the unit, its user, its folders."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

from tests.programs import program

SHIPPED = Path(__file__).resolve().parents[3] / "systemd"
UNIT = SHIPPED / "auricle@.service"
PUSH_UNIT = SHIPPED / "auricle-push@.service"
WEB_UNIT = SHIPPED / "auricle-web@.service"
WARD_UNIT = SHIPPED / "auricle-ward@.service"
SYSUSERS = SHIPPED / "sysusers.d" / "auricle.conf"
TMPFILES = SHIPPED / "tmpfiles.d" / "auricle.conf"
GREATEST_EXPOSURE = 1.5
GREATEST_EXPOSURE_OF_THE_PAGE = 2.0

pytestmark = pytest.mark.system


def _run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def _directives(text: str) -> dict[str, list[str]]:
    """Directive -> its values, as systemd reads them: comments out, and a name may come again."""
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        if line and not line.startswith(("#", ";", "[")):
            name, _, value = line.partition("=")
            found.setdefault(name, []).append(value)
    return found


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root with systemd's own units and our program; nothing is started."""
    root = tmp_path_factory.mktemp("machine")
    for name in ("auricle", "kill"):
        target = root / {"auricle": "opt/auricle/current/bin/auricle", "kill": "bin/kill"}[name]
        target.parent.mkdir(parents=True)
        shutil.copy2(program("true"), target)
    shutil.copytree("/usr/lib/systemd/system", root / "usr/lib/systemd/system", symlinks=True)
    (root / "lib").symlink_to("usr/lib")
    (root / "etc/systemd/system").mkdir(parents=True)
    return root


def _complaints(machine: Path, unit: str, name: str = "auricle") -> str:
    """Complaints of systemd about an instance of a unit; its exit status is no verdict, as a typo leaves it 0."""
    (machine / f"etc/systemd/system/{name}@.service").write_text(unit)
    return _run(program("systemd-analyze"), "verify", "--man=no", f"--root={machine}", f"{name}@anna.service").stderr


def test_systemd_has_nothing_to_say_of_the_unit(machine: Path) -> None:
    assert _complaints(machine, UNIT.read_text()) == ""


def test_systemd_has_nothing_to_say_of_the_unit_that_pushes_and_it_is_exposed_no_more_than_promised(
    machine: Path,
) -> None:
    assert _complaints(machine, PUSH_UNIT.read_text(), "auricle-push") == ""
    judged = _run(program("systemd-analyze"), "security", "--offline=true", "--threshold=15", str(PUSH_UNIT))
    assert judged.returncode == 0, judged.stdout + judged.stderr


def test_the_unit_that_pushes_takes_no_folder_of_the_daemon_with_it_when_it_stops() -> None:
    said = _directives(PUSH_UNIT.read_text())
    assert "RuntimeDirectory" not in said
    assert said["Environment"][0] == "RUNTIME_DIRECTORY=%t/auricle/%i"
    assert (said["User"], said["StateDirectory"]) == (["auricle"], ["auricle/%i"])
    assert said["ExecStart"] == ["/opt/auricle/current/bin/auricle push --config /etc/auricle/%i.toml --instance %i"]


def test_systemd_has_nothing_to_say_of_the_unit_of_the_page(machine: Path) -> None:
    assert _complaints(machine, WEB_UNIT.read_text(), "auricle-web") == ""


def test_the_unit_of_the_page_is_exposed_no_more_than_promised_and_not_the_daemons_user() -> None:
    tenths = round(10 * GREATEST_EXPOSURE_OF_THE_PAGE)
    judged = _run(program("systemd-analyze"), "security", "--offline=true", f"--threshold={tenths}", str(WEB_UNIT))
    assert judged.returncode == 0, judged.stdout + judged.stderr
    said, of_daemon = _directives(WEB_UNIT.read_text()), _directives(UNIT.read_text())
    assert said["ExecStart"] == ["/opt/auricle/current/bin/auricle web --config /etc/auricle/%i.toml --instance %i"]
    assert said["User"] == ["auricle-web"] != of_daemon["User"]
    assert said["StateDirectory"] == ["auricle-web/%i"]
    assert "Requires" not in said
    assert "BindsTo" not in said
    assert int(said["CPUWeight"][0]) < int(of_daemon["CPUWeight"][0])
    assert int(said["OOMScoreAdjust"][0]) > 0 > int(of_daemon["OOMScoreAdjust"][0])


def test_systemd_has_nothing_to_say_of_the_unit_of_a_ward_and_it_may_do_no_more_than_the_page_of_a_bed(
    machine: Path,
) -> None:
    assert _complaints(machine, WARD_UNIT.read_text(), "auricle-ward") == ""
    tenths = round(10 * GREATEST_EXPOSURE_OF_THE_PAGE)
    judged = _run(program("systemd-analyze"), "security", "--offline=true", f"--threshold={tenths}", str(WARD_UNIT))
    assert judged.returncode == 0, judged.stdout + judged.stderr
    said, of_page = _directives(WARD_UNIT.read_text()), _directives(WEB_UNIT.read_text())
    assert said["ExecStart"] == ["/opt/auricle/current/bin/auricle web --ward /etc/auricle/%i.toml --instance %i"]
    assert (said["User"], said["StateDirectory"]) == (["auricle-web"], ["auricle-ward/%i"])
    assert of_page.keys() <= said.keys()
    assert "RuntimeDirectory" not in said


@pytest.mark.parametrize(
    ("line", "wrong"),
    [
        ("WatchdogSec=20", "WatchDogSec=20"),
        ("WatchdogSec=20", "WatchdogSec=twenty"),
        ("Type=notify", "Type=notified"),
        ("KillMode=mixed", "KillMode=gentle"),
        ("SystemCallFilter=@system-service", "SystemCallFilter=@system-servant"),
        ("After=sound.target", "After=sound target"),
        ("Wants=modprobe@snd.service", "Want=modprobe@snd.service"),
        ("/opt/auricle/current/bin/auricle", "/opt/auricle/bin/auricle"),
    ],
)
def test_a_slip_of_the_pen_would_be_seen(machine: Path, line: str, wrong: str) -> None:
    text = UNIT.read_text()
    assert line in text
    assert _complaints(machine, text.replace(line, wrong)) != ""


def test_the_unit_is_exposed_no_more_than_promised() -> None:
    tenths = round(10 * GREATEST_EXPOSURE)
    judged = _run(program("systemd-analyze"), "security", "--offline=true", f"--threshold={tenths}", str(UNIT))
    assert judged.returncode == 0, judged.stdout + judged.stderr


def test_an_unconfined_unit_would_be_seen(tmp_path: Path) -> None:
    bare = tmp_path / UNIT.name
    bare.write_text(UNIT.read_text().replace("SystemCallFilter=", "#").replace("RestrictNamespaces=", "#"))
    judged = _run(program("systemd-analyze"), "security", "--offline=true", "--threshold=15", str(bare))
    assert judged.returncode != 0


@pytest.mark.parametrize(
    ("directive", "values"),
    [
        ("ExecStart", ["/opt/auricle/current/bin/auricle listen --config /etc/auricle/%i.toml --instance %i"]),
        ("Type", ["notify"]),
        ("NotifyAccess", ["main"]),
        ("Restart", ["always"]),
        ("StartLimitIntervalSec", ["0"]),
        ("WatchdogSec", ["20"]),
        ("User", ["auricle"]),
        ("RuntimeDirectory", ["auricle/%i"]),
        ("StateDirectory", ["auricle/%i"]),
        ("LogsDirectory", ["auricle/%i"]),
        ("DevicePolicy", ["closed"]),
        ("DeviceAllow", ["char-alsa rw", "char-gpiochip rw"]),
        ("ProcSubset", ["all"]),
        ("MemoryDenyWriteExecute", ["yes"]),
        ("RestrictAddressFamilies", ["AF_UNIX AF_INET AF_INET6"]),
        ("WantedBy", ["multi-user.target"]),
    ],
)
def test_the_unit_says_what_the_daemon_relies_on(directive: str, values: list[str]) -> None:
    assert _directives(UNIT.read_text())[directive] == values


def test_the_unit_leaves_the_daemon_its_five_seconds() -> None:
    assert float(_directives(UNIT.read_text())["TimeoutStopSec"][0]) > 5.0


def test_a_missing_group_cannot_keep_the_unit_from_starting() -> None:
    """With SupplementaryGroups=gpio and no such group, a unit never starts (216/GROUP)."""
    assert "SupplementaryGroups" not in _directives(UNIT.read_text())


def test_listening_never_waits_for_a_network_or_for_the_right_time() -> None:
    directives = _directives(UNIT.read_text())
    waits = [value for name in ("After", "Wants", "Requires", "BindsTo") for value in directives.get(name, [])]
    assert waits == ["sound.target", "modprobe@snd.service", "modprobe@snd.service"]


def _sysusers(root: Path) -> None:
    made = _run(program("systemd-sysusers"), f"--root={root}", str(SYSUSERS))
    assert made.returncode == 0, made.stderr


def _groups(root: Path) -> dict[str, tuple[str, set[str]]]:
    """Group -> its number and its members."""
    fields = [line.split(":") for line in (root / "etc/group").read_text().splitlines()]
    return {name: (number, set(members.split(","))) for name, _, number, members in fields}


def test_the_user_owns_no_shell_and_no_home_and_may_use_sound_and_lights(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    _sysusers(tmp_path)
    user, page = (line.split(":") for line in (tmp_path / "etc/passwd").read_text().splitlines())
    assert (user[0], page[0]) == ("auricle", "auricle-web")
    assert user[5:] == page[5:] == ["/", "/usr/sbin/nologin"]
    groups = _groups(tmp_path)
    assert user[3] == groups["auricle"][0] != page[3]
    assert groups["auricle"][1] == {"auricle-web"}, "the page may read what the daemon keeps, and command it"
    assert groups["audio"][1] == groups["gpio"][1] == {"auricle"}


def test_groups_that_are_there_keep_their_numbers_and_members(tmp_path: Path) -> None:
    """As on Raspberry Pi OS, where the devices already belong to them."""
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/group").write_text("audio:x:29:pi\ngpio:x:986:pi\n")
    _sysusers(tmp_path)
    groups = _groups(tmp_path)
    assert groups["audio"] == ("29", {"pi", "auricle"})
    assert groups["gpio"] == ("986", {"pi", "auricle"})


def test_making_the_user_again_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    _sysusers(tmp_path)
    before = [(tmp_path / "etc" / name).read_text() for name in ("passwd", "group")]
    _sysusers(tmp_path)
    assert [(tmp_path / "etc" / name).read_text() for name in ("passwd", "group")] == before


def test_configurations_are_for_the_group_to_read_and_for_root_to_write(tmp_path: Path) -> None:
    is_root = os.geteuid() == 0
    group_id = 4242 if is_root else 0  # without root, a namespace has one group only
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/group").write_text(f"auricle:x:{group_id}:\n")
    as_root = () if is_root else (program("unshare"), "--map-root-user")
    made = _run(*as_root, program("systemd-tmpfiles"), f"--root={tmp_path}", "--create", str(TMPFILES))
    assert (made.returncode, made.stderr) == (0, "")
    folder = (tmp_path / "etc/auricle").stat()
    assert stat.S_IMODE(folder.st_mode) == 0o750
    assert folder.st_uid == os.geteuid()
    assert not is_root or folder.st_gid == group_id
