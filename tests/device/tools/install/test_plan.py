"""The plans, inspected before any step is executed."""

from __future__ import annotations

import dataclasses
import tomllib
from importlib import metadata
from pathlib import Path

import pytest

from device.errors import ServiceError
from device.tools.install.layout import SYSTEMD_PATHS, Installed, Layout, read_installed
from device.tools.install.origin import Origin
from device.tools.install.plan import BEST_EFFORT, PYAV, InstallRequest, plan_install, plan_rollback, plan_uninstall
from device.tools.install.steps import MoveIntoPlace, RemovePath, RemoveVersion, RunCommand, Step, SwitchLink, WriteFile

LAYOUT = Layout()
RESTART = (
    "systemctl",
    "try-restart",
    "auricle@*.service",
    "auricle-push@*.service",
    "auricle-web@*.service",
    "auricle-ward@*.service",
)
UNITS = dict.fromkeys(SYSTEMD_PATHS, b"unit")
NEW = Origin(Path("/src/auricle"), "1.1-bb", "numpy==2\n", UNITS)
BARE = Installed(None, None, (), (), False, {}, (), (), True, ())
ONE = dataclasses.replace(
    BARE,
    current="1.0-aa",
    versions=("1.0-aa",),
    systemd_files=dict.fromkeys(LAYOUT.systemd_paths().values(), b"old"),
    configs=(LAYOUT.config("anna"), LAYOUT.config("ben")),
)
REQUEST = InstallRequest(
    instance="anna", config="text", bundles=("cry",), start=True, python="/usr/bin/python3", bits=64, has_systemd=True
)


def commands(steps: tuple[Step, ...]) -> list[tuple[str, ...]]:
    return [step.command for step in steps if isinstance(step, RunCommand)]


def position(steps: tuple[Step, ...], wanted: object) -> int:
    return next(at for at, step in enumerate(steps) if wanted in (step, type(step), getattr(step, "link", None)))


def test_a_first_install_builds_verifies_settles_swaps_and_starts_in_this_order() -> None:
    steps = plan_install(LAYOUT, BARE, NEW, REQUEST)
    building = str(LAYOUT.building / "bin" / "python")
    verified = next(step for step in steps if isinstance(step, RunCommand) and "verify" in step.command)
    assert verified.command == (building, "-I", "-m", "device", "models", "verify", "cry")
    order = [position(steps, step) for step in (verified, MoveIntoPlace, LAYOUT.current)]
    assert order == sorted(order)
    assert commands(steps)[-1] == ("systemctl", "enable", "--now", "auricle@anna.service")
    assert WriteFile("write /etc/auricle/anna.toml", LAYOUT.config("anna"), b"text") in steps


def test_dependencies_are_installed_by_hash_and_from_wheels_alone() -> None:
    pip = next(command for command in commands(plan_install(LAYOUT, BARE, NEW, REQUEST)) if "-r" in command)
    assert {"--require-hashes", "--only-binary", ":all:"} < set(pip)


def test_downloads_do_not_fill_a_tmp_that_lies_in_memory() -> None:
    pips = [
        step
        for step in plan_install(LAYOUT, BARE, NEW, REQUEST)
        if isinstance(step, RunCommand) and "pip" in step.command
    ]
    assert [step.variables["TMPDIR"] for step in pips] == [str(LAYOUT.building / "tmp")] * 2


def test_an_upgrade_reads_every_instances_configuration_with_the_new_version_first() -> None:
    steps = plan_install(LAYOUT, ONE, NEW, REQUEST)
    checked = [step for step in steps if isinstance(step, RunCommand) and "--check" in step.command]
    assert [step.command[-1] for step in checked] == ["/etc/auricle/anna.toml", "/etc/auricle/ben.toml"]
    assert all(str(LAYOUT.building) in step.command[0] for step in checked)
    assert position(steps, checked[-1]) < position(steps, LAYOUT.current)


def test_an_upgrade_brings_pyav_where_the_version_that_runs_has_it_and_nowhere_else(tmp_path: Path) -> None:
    pyav = plan_install(LAYOUT, dataclasses.replace(ONE, has_pyav=True), NEW, REQUEST)
    assert [command[-1] for command in commands(pyav) if PYAV in command] == [PYAV]
    assert not any(PYAV in command for command in commands(plan_install(LAYOUT, ONE, NEW, REQUEST)))
    pyproject = tomllib.loads((Path(__file__).parents[4] / "pyproject.toml").read_text(encoding="utf-8"))
    assert PYAV in pyproject["project"]["optional-dependencies"]["formats"]
    layout = Layout(tmp_path)
    library = layout.versions / "1.0-aa" / "lib" / "python3.11" / "site-packages"
    library.mkdir(parents=True)
    layout.current.symlink_to("versions/1.0-aa")
    assert not read_installed(layout).has_pyav
    (library / "av").mkdir()
    assert read_installed(layout).has_pyav


def test_an_upgrade_keeps_the_version_that_ran_and_restarts_what_runs() -> None:
    steps = plan_install(LAYOUT, ONE, NEW, REQUEST)
    links = [(step.link, step.target) for step in steps if isinstance(step, SwitchLink)]
    assert links[:2] == [(LAYOUT.previous, "versions/1.0-aa"), (LAYOUT.current, "versions/1.1-bb")]
    assert RESTART in commands(steps)
    assert not any(isinstance(step, RemoveVersion) for step in steps)


def test_a_third_version_drives_out_the_first() -> None:
    two = dataclasses.replace(ONE, current="1.0-b", previous="1.0-aa", versions=("1.0-aa", "1.0-b"))
    gone = [step.version.name for step in plan_install(LAYOUT, two, NEW, REQUEST) if isinstance(step, RemoveVersion)]
    assert gone == ["1.0-aa"]


def test_a_configuration_is_never_written_twice() -> None:
    written = [step.path for step in plan_install(LAYOUT, ONE, NEW, REQUEST) if isinstance(step, WriteFile)]
    assert not set(written) & set(ONE.configs)


def test_an_install_that_changes_nothing_neither_builds_nor_writes_nor_restarts() -> None:
    same = dataclasses.replace(
        ONE,
        current=NEW.name,
        versions=(NEW.name,),
        systemd_files=dict.fromkeys(LAYOUT.systemd_paths().values(), b"unit"),
    )
    steps = plan_install(LAYOUT, same, NEW, REQUEST)
    changes = [step for step in steps if isinstance(step, WriteFile | MoveIntoPlace | RemoveVersion | RemovePath)]
    assert changes == []
    assert not any("pip" in command or "try-restart" in command for command in commands(steps))
    assert [step.link for step in steps if isinstance(step, SwitchLink)] == [LAYOUT.launcher]


def test_a_restart_that_a_crash_has_swallowed_is_made_up_for() -> None:
    owing = dataclasses.replace(
        ONE, current=NEW.name, versions=(NEW.name,), restart_pending=True,
        systemd_files=dict.fromkeys(LAYOUT.systemd_paths().values(), b"unit"),
    )  # fmt: skip
    steps = plan_install(LAYOUT, owing, NEW, REQUEST)
    assert RESTART in commands(steps)
    assert steps[-1] == RemovePath("", LAYOUT.restart_pending)


def test_no_start_enables_nothing() -> None:
    steps = plan_install(LAYOUT, BARE, NEW, dataclasses.replace(REQUEST, start=False))
    assert not any("enable" in command for command in commands(steps))


def test_where_no_systemd_runs_it_is_left_to_the_boot_and_said() -> None:
    steps = plan_install(LAYOUT, BARE, NEW, dataclasses.replace(REQUEST, has_systemd=False))
    assert not any(command[0].startswith("system") for command in commands(steps))
    link = next(step for step in steps if isinstance(step, SwitchLink) and step.link == LAYOUT.boot_link("anna"))
    assert link.target == "/etc/systemd/system/auricle@.service"
    assert any("no systemd runs here" in step.message for step in steps)


def test_a_32_bit_system_gets_wheels_that_are_not_locked() -> None:
    steps = plan_install(LAYOUT, BARE, NEW, dataclasses.replace(REQUEST, bits=32))
    pip = next(command for command in commands(steps) if "--prefer-binary" in command)
    assert pip[-len(BEST_EFFORT) :] == BEST_EFFORT
    assert "--require-hashes" not in pip


def test_a_32_bit_system_gets_every_library_of_the_device_and_what_its_page_needs() -> None:
    lines = [line for line in metadata.requires("auricle") or [] if "extra == 'device'" in line]
    names = {line.split(">")[0].split(";")[0].strip() for line in lines} - {"ai-edge-litert"}
    page = {"python-multipart", "starlette", "uvicorn"}  # cryptography has no wheel there
    assert names | page == {name.split(">")[0].split("<")[0] for name in BEST_EFFORT}


def test_somebody_elses_program_of_our_name_stays() -> None:
    steps = plan_install(LAYOUT, dataclasses.replace(BARE, launcher_is_ours=False), NEW, REQUEST)
    assert not any(isinstance(step, SwitchLink) and step.link == LAYOUT.launcher for step in steps)
    assert any("/usr/local/bin/auricle is not ours" in step.message for step in steps)


def test_a_rollback_swaps_restarts_and_says_what_runs() -> None:
    two = dataclasses.replace(ONE, previous="0.9-z", versions=("0.9-z", "1.0-aa"))
    steps = plan_rollback(LAYOUT, two, UNITS, has_systemd=True)
    links = [(step.link, step.target) for step in steps if isinstance(step, SwitchLink)]
    assert links == [(LAYOUT.current, "versions/0.9-z"), (LAYOUT.previous, "versions/1.0-aa")]
    assert RESTART in commands(steps)
    assert steps[-1].message.startswith("0.9-z runs now")


def test_a_rollback_first_lets_the_old_version_read_the_configurations() -> None:
    two = dataclasses.replace(ONE, previous="0.9-z", versions=("0.9-z", "1.0-aa"))
    first = plan_rollback(LAYOUT, two, UNITS, has_systemd=True)[0]
    assert isinstance(first, RunCommand)
    assert first.command[0] == "/opt/auricle/versions/0.9-z/bin/python"
    assert first.command[-1] == "/etc/auricle/anna.toml"


@pytest.mark.parametrize("installed", [BARE, ONE])
def test_without_a_previous_version_there_is_no_rollback(installed: Installed) -> None:
    with pytest.raises(ServiceError, match="no previous version"):
        plan_rollback(LAYOUT, installed, {}, has_systemd=True)


def test_an_uninstall_stops_first_and_keeps_what_is_the_owners(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    layout.configs.mkdir(parents=True)
    layout.home.mkdir(parents=True)
    installed = dataclasses.replace(ONE, systemd_files={layout.systemd_paths()["systemd/auricle@.service"]: b""})
    steps = plan_uninstall(layout, installed, purge=False, has_systemd=True)
    assert commands(steps) == [
        (
            "systemctl",
            "stop",
            "auricle@*.service",
            "auricle-push@*.service",
            "auricle-web@*.service",
            "auricle-ward@*.service",
        ),
        ("systemctl", "daemon-reload"),
    ]
    assert isinstance(steps[0], RunCommand)
    removed = [step.path for step in steps if isinstance(step, RemovePath)]
    assert layout.home in removed
    assert layout.configs not in removed
    purged = plan_uninstall(layout, installed, purge=True, has_systemd=True)
    assert layout.configs in [step.path for step in purged if isinstance(step, RemovePath)]


def test_where_nothing_is_installed_an_uninstall_says_so(tmp_path: Path) -> None:
    steps = plan_uninstall(Layout(tmp_path), BARE, purge=False, has_systemd=True)
    assert [step.message for step in steps] == ["nothing of Auricle is installed here"]


def test_a_rollback_to_a_version_without_a_page_takes_its_unit_away() -> None:
    two = dataclasses.replace(ONE, current="1.0-b", previous="1.0-aa", versions=("1.0-aa", "1.0-b"))
    before = {name: content for name, content in UNITS.items() if "web" not in name}
    removed = [
        step.path for step in plan_rollback(LAYOUT, two, before, has_systemd=True) if isinstance(step, RemovePath)
    ]
    assert removed == [LAYOUT.systemd_paths()["systemd/auricle-web@.service"], LAYOUT.restart_pending]
