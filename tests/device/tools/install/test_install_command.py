"""Installing, going back and taking away on roots of their own, with commands that take no time."""

from __future__ import annotations

import fcntl
import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from device.config.loading import parse_config, profile
from device.config.profiles import PROFILES
from device.errors import ConfigError, ServiceError
from device.tools.install import install_command
from device.tools.install.install_command import InstallOptions, config_text, install, rollback
from device.tools.install.layout import Layout, read_installed
from device.tools.install.uninstall_command import uninstall

if TYPE_CHECKING:
    from types import ModuleType

CHECKOUT = Path(__file__).resolve().parents[4]
SCRIPT = Path(__file__).with_name("simulated_commands.py")


def _simulated_commands() -> ModuleType:
    spec = importlib.util.spec_from_file_location("simulated_commands", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["simulated_commands"] = module
    spec.loader.exec_module(module)
    return module


simulated: Any = _simulated_commands()


@pytest.fixture
def origins(tmp_path: Path) -> list[Path]:
    return [simulated.checkout_of(CHECKOUT, tmp_path / version, version) for version in ("1.0", "1.1", "1.2")]


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    root = tmp_path / "root"
    root.mkdir()
    return Layout(root)


def options(origin: Path, **changes: Any) -> InstallOptions:
    return InstallOptions(origin=origin, **changes)


def everything(root: Path) -> dict[str, tuple[int, int]]:
    """Path -> inode and time of the last change, of all that lies below a root."""
    return {str(path): (path.lstat().st_ino, path.lstat().st_mtime_ns) for path in root.rglob("*")}


def test_a_second_install_touches_nothing(layout: Layout, origins: list[Path]) -> None:
    install(options(origins[0]), root=layout.root, runner=simulated.SimulatedCommands())
    before = everything(layout.root)
    again = simulated.SimulatedCommands()
    assert install(options(origins[0]), root=layout.root, runner=again) == 0
    assert everything(layout.root) == before
    assert not any("pip" in command for command in again.commands)


def test_an_upgrade_keeps_one_version_and_a_rollback_goes_back_and_forward(
    layout: Layout, origins: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    for origin in origins:
        install(options(origin), root=layout.root, runner=simulated.SimulatedCommands())
    assert [name[:3] for name in read_installed(layout).versions] == ["1.1", "1.2"]
    unit = layout.root / "etc/systemd/system/auricle@.service"
    for expected in ("1.1", "1.2"):
        capsys.readouterr()
        rollback(root=layout.root, runner=simulated.SimulatedCommands())
        assert str(read_installed(layout).current).startswith(expected)
        assert capsys.readouterr().out.splitlines()[-1].startswith(f"{expected}-")
        assert unit.read_text().endswith(f"# {expected}\n")


def test_the_owners_configuration_survives_everything_but_a_purge(layout: Layout, origins: list[Path]) -> None:
    install(options(origins[0]), root=layout.root, runner=simulated.SimulatedCommands())
    config = layout.config("nursery")
    config.write_text("[listen]\nhop_s = 1.0\n")
    install(options(origins[1]), root=layout.root, runner=simulated.SimulatedCommands())
    rollback(root=layout.root, runner=simulated.SimulatedCommands())
    uninstall(root=layout.root)
    assert config.read_text() == "[listen]\nhop_s = 1.0\n"
    uninstall(root=layout.root, purge=True)
    assert [path for path in layout.root.rglob("*") if not path.is_dir()] == []


def test_an_uninstall_leaves_nothing_of_ours_and_can_be_repeated(
    layout: Layout, origins: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    install(options(origins[0]), root=layout.root, runner=simulated.SimulatedCommands())
    uninstall(root=layout.root)
    assert [path for path in layout.root.rglob("*") if not path.is_dir()] == [layout.config("nursery")]
    capsys.readouterr()
    assert uninstall(root=layout.root) == 0
    assert capsys.readouterr().out == "nothing of Auricle is installed here\n"


def test_a_broken_configuration_is_refused_before_anything_is_changed(layout: Layout, origins: list[Path]) -> None:
    layout.configs.mkdir(parents=True)
    layout.config("nursery").write_text("hop = 1\n")
    before = everything(layout.root)
    with pytest.raises(ConfigError, match=r"nursery\.toml, line 1"):
        install(options(origins[0]), root=layout.root, runner=simulated.SimulatedCommands())
    assert everything(layout.root) == before


@pytest.mark.parametrize("fails", ["venv", "-r", "--no-deps", "verify", "--check"])
def test_what_cannot_be_built_or_verified_leaves_what_runs(layout: Layout, origins: list[Path], fails: str) -> None:
    install(options(origins[0]), root=layout.root, runner=simulated.SimulatedCommands())
    current = read_installed(layout).current
    with pytest.raises(ServiceError, match="it failed"):
        install(options(origins[1]), root=layout.root, runner=simulated.SimulatedCommands(fails=fails))
    after = read_installed(layout)
    assert (after.current, after.versions) == (current, (current,))
    assert simulated.is_complete(layout.current)


def test_a_dry_run_prints_the_plan_and_changes_nothing(
    layout: Layout, origins: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    commands = simulated.SimulatedCommands()
    install(options(origins[0]), root=layout.root, dry_run=True, runner=commands)
    planned = capsys.readouterr().out
    assert everything(layout.root) == {}
    assert commands.commands == []
    install(options(origins[0]), root=layout.root, runner=simulated.SimulatedCommands())
    assert capsys.readouterr().out == planned
    before = everything(layout.root)
    uninstall(root=layout.root, dry_run=True, purge=True)
    assert everything(layout.root) == before


def test_without_a_previous_version_a_rollback_is_refused(layout: Layout, origins: list[Path]) -> None:
    install(options(origins[0]), root=layout.root, runner=simulated.SimulatedCommands())
    with pytest.raises(ServiceError, match="no previous version"):
        rollback(root=layout.root, runner=simulated.SimulatedCommands())


def test_two_installs_at_once_are_one_too_many(layout: Layout, origins: list[Path]) -> None:
    held = os.open(layout.root, os.O_RDONLY)
    try:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(ServiceError, match="another auricle install"):
            install(options(origins[0]), root=layout.root, runner=simulated.SimulatedCommands())
    finally:
        os.close(held)


def test_each_instance_has_its_own_configuration(layout: Layout, origins: list[Path]) -> None:
    for name in ("anna", "ben"):
        install(options(origins[0], instance=name), root=layout.root, runner=simulated.SimulatedCommands())
    assert read_installed(layout).configs == (layout.config("anna"), layout.config("ben"))
    assert read_installed(layout).boot_links == (layout.boot_link("anna"), layout.boot_link("ben"))


@pytest.mark.parametrize("name", sorted(PROFILES))
def test_a_first_configuration_is_exactly_its_profile(name: str) -> None:
    assert parse_config(config_text(name), source="x") == profile(name)
    assert f'\nprofile = "{name}"\n' in config_text(name)


def test_a_profile_whose_model_is_not_shipped_is_refused_before_anything_is_changed(
    layout: Layout, origins: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(install_command, "shipped_bundles", lambda: {"cry": Path("cry.tflite")})
    with pytest.raises(ConfigError, match=r'stethoscope\.toml: .*lacks the model "lung"'):
        install(options(origins[0], profile="stethoscope"), root=layout.root, runner=simulated.SimulatedCommands())
    assert everything(layout.root) == {}


def test_a_crash_at_any_change_of_the_disk_leaves_a_version_that_works(tmp_path: Path) -> None:
    """Some 90 SIGKILLs, during an upgrade and a rollback, each healed by the next install."""
    done = subprocess.run(
        [sys.executable, SCRIPT, CHECKOUT, tmp_path], check=False, capture_output=True, text=True, cwd=CHECKOUT
    )
    assert done.stdout == "SURVIVED\n", done.stdout + done.stderr
    assert sum(int(line.split()[1]) for line in done.stderr.splitlines()) > 50


@pytest.mark.parametrize("verb", [lambda root: install(InstallOptions(), root=root), lambda root: uninstall(root=root)])
def test_a_root_that_is_not_there_is_said_in_one_sentence(tmp_path: Path, verb: Any) -> None:
    with pytest.raises(ServiceError, match="nowhere is no folder; --root names"):
        verb(tmp_path / "nowhere")
