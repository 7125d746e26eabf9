"""The steps of an installation, each on its own."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import pytest

from device.errors import ServiceError
from device.tools.install.steps import (
    CommandResult,
    MakeFolder,
    MoveIntoPlace,
    Note,
    RemovePath,
    RemoveVersion,
    RunCommand,
    SwitchLink,
    WriteFile,
    run_command,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path


def nothing_runs(command: Sequence[str], _: Mapping[str, str]) -> CommandResult:
    raise AssertionError(command)


def test_a_file_is_written_whole_for_all_to_read(tmp_path: Path) -> None:
    path = tmp_path / "etc" / "a.conf"
    before = os.umask(0o077)
    try:
        WriteFile("", path, b"one").execute(nothing_runs)
        WriteFile("", path, b"two").execute(nothing_runs)
    finally:
        os.umask(before)
    assert path.read_bytes() == b"two"
    assert path.stat().st_mode & 0o777 == 0o644
    assert list(path.parent.iterdir()) == [path]


def test_a_link_is_exchanged_even_where_an_exchange_was_cut_off(tmp_path: Path) -> None:
    link = tmp_path / "current"
    SwitchLink("", link, "versions/a").execute(nothing_runs)
    (tmp_path / ".current.new").symlink_to("versions/leftover")
    SwitchLink("", link, "versions/b").execute(nothing_runs)
    assert str(link.readlink()) == "versions/b"
    assert list(tmp_path.iterdir()) == [link]


def test_what_was_built_aside_settles_with_scripts_that_name_its_place(tmp_path: Path) -> None:
    building, place = tmp_path / ".building", tmp_path / "1.0"
    (building / "bin").mkdir(parents=True)
    (building / "bin" / "auricle").write_text(f"#!{building}/bin/python\nimport sys\n")
    (building / "bin" / "auricle").chmod(0o755)
    (building / "bin" / "python").symlink_to(sys.executable)
    MoveIntoPlace("", building, place, "/opt/1.0").execute(nothing_runs)
    assert not building.exists()
    assert (place / "bin" / "auricle").read_text() == "#!/opt/1.0/bin/python\nimport sys\n"
    assert os.access(place / "bin" / "auricle", os.X_OK)
    assert (place / "bin" / "python").is_symlink()


def test_removing_a_link_leaves_what_it_leads_to(tmp_path: Path) -> None:
    folder, link = tmp_path / "folder", tmp_path / "link"
    MakeFolder("", folder / "deep").execute(nothing_runs)
    link.symlink_to(folder)
    RemovePath("", link).execute(nothing_runs)
    assert (folder / "deep").is_dir()
    assert not link.is_symlink()
    RemovePath("", folder).execute(nothing_runs)
    RemovePath("", folder).execute(nothing_runs)
    assert list(tmp_path.iterdir()) == []


def test_a_version_that_goes_is_at_no_moment_there_half(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    version = tmp_path / "1.0"
    version.mkdir()

    def cut_off(path: Path) -> None:
        raise KeyboardInterrupt(path)

    with monkeypatch.context() as cut:
        cut.setattr("device.tools.install.steps.shutil.rmtree", cut_off)
        with pytest.raises(KeyboardInterrupt):
            RemoveVersion("", version).execute(nothing_runs)
    assert [path.name[0] for path in tmp_path.iterdir()] == ["."]
    other = tmp_path / "1.1"
    other.mkdir()
    RemoveVersion("", other).execute(nothing_runs)
    assert not any(path.name.startswith((".1.1", "1.1")) for path in tmp_path.iterdir())


def test_saying_something_does_nothing(tmp_path: Path) -> None:
    Note("a line").execute(nothing_runs)
    assert list(tmp_path.iterdir()) == []


def test_a_command_that_fails_tells_what_it_said_and_what_to_do() -> None:
    def fails(command: Sequence[str], variables: Mapping[str, str]) -> CommandResult:
        assert (command, variables) == (("pip", "install"), {"TMPDIR": "/x"})
        return CommandResult(1, "a long story\nno space left\n")

    step = RunCommand("install it", ("pip", "install"), "run it again", {"TMPDIR": "/x"})
    with pytest.raises(ServiceError, match=r"^could not install it: a long story no space left; run it again$"):
        step.execute(fails)


def test_a_silent_failure_tells_its_exit_code() -> None:
    with pytest.raises(ServiceError, match="exit code 3"):
        RunCommand("x", (sys.executable, "-c", "raise SystemExit(3)"), "y").execute(run_command)


def test_commands_run_without_a_shell_and_with_their_variables() -> None:
    program = "import os, sys; print(os.environ['NAME'], sys.argv[1:])"
    ended = run_command((sys.executable, "-c", program, "$HOME; *"), {"NAME": "value"})
    assert (ended.code, ended.output) == (0, "value ['$HOME; *']\n")


def test_a_program_that_is_not_there_counts_as_failed() -> None:
    ended = run_command(("/nowhere/at/all",), {})
    assert ended.code == 127
    assert "/nowhere/at/all" in ended.output
