"""Where an installation lies, and what is seen of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from device.errors import ConfigError
from device.tools.install.layout import UNIT_FILE, Layout, read_installed, read_systemd_files

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    made = Layout(tmp_path)
    for name in ("1.0-aa", "1.1-bb", ".building"):
        (made.versions / name).mkdir(parents=True)
    made.current.symlink_to("versions/1.1-bb")
    made.previous.symlink_to("versions/1.0-aa")
    return made


def test_a_bare_root_holds_nothing(tmp_path: Path) -> None:
    installed = read_installed(Layout(tmp_path))
    assert (installed.current, installed.previous, installed.versions, installed.configs) == (None, None, (), ())
    assert installed.launcher_is_ours


def test_complete_versions_and_leftovers_are_told_apart(layout: Layout) -> None:
    installed = read_installed(layout)
    assert installed.versions == ("1.0-aa", "1.1-bb")
    assert installed.leftovers == (layout.building,)
    assert (installed.current, installed.previous) == ("1.1-bb", "1.0-aa")


def test_a_link_to_what_is_gone_is_none(layout: Layout) -> None:
    (layout.versions / "1.0-aa").rmdir()
    assert read_installed(layout).previous is None


def test_a_rollback_that_was_cut_off_between_its_links_can_be_gone_back_on(layout: Layout) -> None:
    layout.current.unlink()
    layout.current.symlink_to("versions/1.0-aa")
    assert read_installed(layout).previous == "1.1-bb"


def test_paths_are_shown_as_the_machine_that_boots_knows_them(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    assert layout.target_path(layout.config("anna")) == "/etc/auricle/anna.toml"
    assert layout.target_path(layout.systemd_paths()[UNIT_FILE]) == "/etc/systemd/system/auricle@.service"


@pytest.mark.parametrize("name", ["../x", "Anna", ""])
def test_an_instance_must_be_able_to_stand_in_a_path(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match="cannot name an instance"):
        Layout(tmp_path).config(name)


def test_configurations_and_enabled_instances_are_found(layout: Layout) -> None:
    layout.configs.mkdir(parents=True)
    layout.config("ben").touch()
    (layout.configs / ".ben.toml.new").touch()
    layout.boot_link("ben").parent.mkdir(parents=True)
    layout.boot_link("ben").symlink_to("/etc/systemd/system/auricle@.service")
    installed = read_installed(layout)
    assert installed.configs == (layout.config("ben"),)
    assert installed.boot_links == (layout.boot_link("ben"),)


def test_a_launcher_that_leads_elsewhere_is_not_ours(layout: Layout) -> None:
    layout.launcher.parent.mkdir(parents=True)
    layout.launcher.symlink_to(layout.program)
    assert read_installed(layout).launcher_is_ours
    layout.launcher.unlink()
    layout.launcher.write_text("#!/bin/sh\n")
    assert not read_installed(layout).launcher_is_ours


def test_a_version_carries_what_systemd_reads_of_it(layout: Layout) -> None:
    package = layout.versions / "1.0-aa" / "lib" / "python3.13" / "site-packages" / "systemd"
    for name in ("sysusers.d", "tmpfiles.d"):
        (package / name).mkdir(parents=True)
        (package / name / "auricle.conf").write_text(name)
    (package / "auricle@.service").write_text("unit")
    read = read_systemd_files(layout.versions / "1.0-aa")
    assert read[UNIT_FILE] == b"unit"
    assert "systemd/auricle-push@.service" not in read  # as in a version from before there was one
