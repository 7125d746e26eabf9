"""Paths of an instance's files, and which daemons are found."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from device.config.loading import parse_config
from device.errors import ServiceError
from device.runtime import paths
from device.runtime.paths import (
    clips_folder,
    journal_file,
    journal_files,
    kept_folders,
    log_file,
    status_socket,
    status_sockets,
)
from device.runtime.sockets.status_socket import read_status

if TYPE_CHECKING:
    from collections.abc import Iterator

NOBODY = 65534


@pytest.fixture
def runtime(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A /run/auricle that every user may list."""
    with tempfile.TemporaryDirectory(prefix="auricle-") as folder:
        Path(folder).chmod(0o755)
        monkeypatch.setattr(paths, "SYSTEM_RUNTIME", Path(folder))
        yield Path(folder)


@contextlib.contextmanager
def another_user() -> Iterator[None]:
    """Root may read every folder, so it becomes another user for a while."""
    before = os.geteuid()
    if before == 0:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(before)


def test_a_daemon_in_a_folder_that_is_closed_to_this_user_is_found_and_said_to_be_closed(runtime: Path) -> None:
    """Regression: outside the daemon's group, `auricle status` reported that no daemon runs."""
    closed = runtime / "anna"
    closed.mkdir()
    (closed / "status.sock").touch()
    closed.chmod(0)
    try:
        with another_user():
            found = status_sockets({"HOME": str(runtime)})
            assert found == {"anna": closed / "status.sock"}
            with pytest.raises(ServiceError, match="closed to this user"):
                read_status(found["anna"])
    finally:
        closed.chmod(0o755)


def test_a_folder_without_a_socket_is_no_daemon(runtime: Path) -> None:
    (runtime / "anna").mkdir()
    (runtime / "file").touch()
    assert status_sockets({"HOME": str(runtime)}) == {}
    assert status_sockets({"HOME": "/nonexistent", "XDG_RUNTIME_DIR": "/nonexistent"}) == {}


def test_a_system_daemon_goes_before_ones_own_of_the_same_name(runtime: Path) -> None:
    for folder in (runtime / "anna", runtime / "own/auricle/anna", runtime / "own/auricle/ben"):
        folder.mkdir(parents=True)
        (folder / "status.sock").touch()
    found = status_sockets({"XDG_RUNTIME_DIR": str(runtime / "own")})
    assert found == {"anna": runtime / "anna/status.sock", "ben": runtime / "own/auricle/ben/status.sock"}


def test_what_systemd_names_goes_before_the_users_own_folders() -> None:
    own = {"HOME": "/home/x"}
    assert status_socket("anna", own) == Path("/home/x/.local/state/auricle/anna/status.sock")
    assert log_file("anna", own) == Path("/home/x/.local/state/auricle/anna/heard.jsonl")
    told = {**own, "RUNTIME_DIRECTORY": "/run/auricle/anna", "LOGS_DIRECTORY": "/var/log/auricle/anna:/var/log/x"}
    assert status_socket("anna", told) == Path("/run/auricle/anna/status.sock")
    assert log_file("anna", told) == Path("/var/log/auricle/anna/heard.jsonl")


def test_alarms_and_their_sound_are_kept_where_they_outlive_the_daemon() -> None:
    own = {"XDG_STATE_HOME": "/home/anna/state"}
    assert journal_file("anna", own) == Path("/home/anna/state/auricle/anna/alarms.db")
    systemds = {**own, "STATE_DIRECTORY": "/var/lib/auricle/anna"}
    assert journal_file("anna", systemds) == Path("/var/lib/auricle/anna/alarms.db")
    assert clips_folder("anna", systemds) == Path("/var/lib/auricle/anna/clips")


def test_what_is_kept_lies_where_the_settings_say() -> None:
    systemd = {"STATE_DIRECTORY": "/var/lib/auricle/anna", "LOGS_DIRECTORY": "/var/log/auricle/anna"}
    usual = {"journal": Path("/var/lib/auricle/anna"), "log": Path("/var/log/auricle/anna")}
    assert kept_folders(parse_config('profile = "nursery"', source="anna.toml"), "anna", systemd) == usual
    own = '[journal]\nfile = "/data/a.db"\n[log]\nfile = "off"\n[clips]\nenabled = true\nfolder = "/big"\n'
    assert kept_folders(parse_config(own, source="anna.toml"), "anna", systemd) == {
        "journal": Path("/data"),
        "clips": Path("/big"),
    }


def test_journals_are_found_the_systems_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paths, "SYSTEM_STATE", tmp_path / "system")
    own = {"XDG_STATE_HOME": str(tmp_path)}
    for name in ("system/anna", "system/none", "auricle/anna", "auricle/ben"):
        (tmp_path / name).mkdir(parents=True)
        if not name.endswith("none"):
            (tmp_path / name / "alarms.db").touch()
    assert journal_files(own) == {
        "anna": tmp_path / "system/anna/alarms.db",
        "ben": tmp_path / "auricle/ben/alarms.db",
    }
