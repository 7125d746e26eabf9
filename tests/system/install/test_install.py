"""A real installation below a private root: real virtual environments, wheels and a replay."""

from __future__ import annotations

import contextlib
import io
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from device.tools.install.install_command import InstallOptions, install, rollback
from device.tools.install.layout import UNIT_FILE, Layout, read_installed
from device.tools.install.uninstall_command import uninstall

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.system

CHECKOUT = Path(__file__).resolve().parents[3]
PACKAGES = ("device", "training", "converter", "systemd")
FILES = ("pyproject.toml", "README.md", "LICENSE", "requirements.txt")
LATER = "0.1.999"


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of this checkout, which nobody changes during the test."""
    return copied(CHECKOUT, tmp_path_factory.mktemp("checkout"))


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory, checkout: Path) -> Path:
    """A root with an installation."""
    folder = tmp_path_factory.mktemp("root")
    quietly(lambda: install(InstallOptions(origin=checkout, instance="anna"), root=folder))
    return folder


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory, checkout: Path) -> Path:
    """A later version, as a wheel."""
    later, out = copied(checkout, tmp_path_factory.mktemp("later")), tmp_path_factory.mktemp("dist")
    project = later / "pyproject.toml"
    project.write_text(re.sub(r'(?m)^version = ".*"$', f'version = "{LATER}"', project.read_text("utf-8")), "utf-8")
    with (later / UNIT_FILE).open("a") as unit:
        unit.write("# a later version\n")
    subprocess.run(
        [Path(sys.executable).with_name("uv"), "build", "--quiet", "--wheel", "--out-dir", out, later], check=True
    )
    return next(out.glob("*.whl"))


def copied(checkout: Path, folder: Path) -> Path:
    for name in PACKAGES:
        shutil.copytree(checkout / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in FILES:
        shutil.copyfile(checkout / name, folder / name)
    return folder


def quietly(do: Callable[[], int]) -> str:
    with contextlib.redirect_stdout(io.StringIO()) as said:
        assert do() == 0
    return said.getvalue()


def auricle(root: Path, *arguments: str) -> str:
    """Run the current version below a root; its launcher names the path that it will have after the boot."""
    python = Layout(root).current / "bin" / "python"
    command: list[str | Path] = [python, "-I", "-m", "device", *arguments]
    return str(subprocess.run(command, check=True, capture_output=True, text=True, cwd="/").stdout)


def seen(path: Path) -> tuple[int, int]:
    return path.lstat().st_ino, path.lstat().st_mtime_ns


def test_what_is_installed_holds_without_the_checkout(root: Path) -> None:
    assert "cry 2.0.0 is sound" in auricle(root, "models", "verify", "cry")
    config = Layout(root).config("anna")
    assert auricle(root, "config", "--check", str(config)) == f"{config} holds\n"
    where = "import device, systemd; print(device.__file__); print(systemd.__file__)"
    python = Layout(root).current / "bin" / "python"
    found = subprocess.run([python, "-I", "-c", where], check=True, capture_output=True, text=True, cwd="/").stdout
    assert all(Path(path).resolve().is_relative_to(Layout(root).versions) for path in found.splitlines())


def test_the_launcher_names_the_place_it_will_run_from(root: Path) -> None:
    current = read_installed(Layout(root)).current
    script = (Layout(root).current / "bin" / "auricle").read_text()
    assert f"/opt/auricle/versions/{current}/bin/python" in script.splitlines()[0] + script.splitlines()[1]
    assert str(root) not in script


def test_every_file_can_be_read_by_the_daemons_user(root: Path) -> None:
    for path in (Layout(root).home, *Layout(root).home.rglob("*")):
        if not path.is_symlink():
            assert path.stat().st_mode & 0o004, path


def test_repeated_upgraded_rolled_back_and_taken_away(root: Path, checkout: Path, wheel: Path) -> None:
    """One test, because each stage needs the state that the previous one left."""
    layout = Layout(root)
    config = layout.config("anna")
    config.write_text('profile = "nursery"\n[microphone]\nchannel = 2\n')
    first = str(read_installed(layout).current)
    watched = [config, layout.current, *layout.systemd_paths().values(), layout.current.resolve() / "bin" / "python"]
    before = [seen(path) for path in watched]

    said = quietly(lambda: install(InstallOptions(origin=checkout, instance="anna"), root=root))
    assert [seen(path) for path in watched] == before
    assert f"{first} is built already" in said

    quietly(lambda: install(InstallOptions(origin=wheel, instance="anna"), root=root))
    assert auricle(root, "--version") == f"auricle {LATER}\n"
    assert (layout.previous.resolve().name, seen(config)) == (first, before[0])
    assert layout.systemd_paths()[UNIT_FILE].read_text().endswith("# a later version\n")

    assert f"{first} runs now" in quietly(lambda: rollback(root=root))
    assert LATER not in auricle(root, "--version")
    assert layout.systemd_paths()[UNIT_FILE].read_bytes() == (checkout / UNIT_FILE).read_bytes()
    quietly(lambda: rollback(root=root))
    assert auricle(root, "--version") == f"auricle {LATER}\n"

    quietly(lambda: uninstall(root=root))
    assert [path for path in root.rglob("*") if not path.is_dir()] == [config]
    assert config.read_text().endswith("channel = 2\n")
    quietly(lambda: uninstall(root=root, purge=True))
    assert not os.path.lexists(layout.configs)
