"""A bare tree is entered as a machine is booted: what runs in it finds nothing of the machine that holds it.

Only root may enter one: for anybody else the tests are skipped, and say so.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.fresh.try_releases import entered
from tests.programs import program

_AROUND_THIS_USR = """set -e
mount --bind --read-only /usr "$1/usr"
shift
exec "$@"
"""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A root around this machine's /usr, which `_printed` mounts."""
    if subprocess.run([program("unshare"), "--mount", "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("entering a tree needs CAP_SYS_ADMIN: run the tests as root to see a tree entered")
    for name in ("dev", "mnt", "proc", "srv/auricle", "sys", "usr"):
        (tmp_path / name).mkdir(parents=True)
    for name in ("bin", "sbin", "lib", "lib32", "lib64", "libx32"):
        if Path("/", name).exists():
            (tmp_path / name).symlink_to(f"usr/{name}")
    return tmp_path


def _printed(tree: Path, *command: str) -> str:
    inside = entered(tree, command)
    around = (program("unshare"), "--mount", program("sh"), "-c", _AROUND_THIS_USR, "sh", str(tree), *inside)
    done = subprocess.run(around, env={"PATH": os.environ["PATH"]}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_a_command_runs_in_the_checkout_with_its_arguments(tree: Path) -> None:
    assert _printed(tree, "sh", "-c", 'pwd; echo "$1"', "sh", "two words").split("\n") == ["/srv/auricle", "two words"]


def test_the_tree_sees_its_own_processes_and_no_other_disk(tree: Path) -> None:
    (tree / "srv/auricle/here").touch()
    assert _printed(tree, "sh", "-c", "ls; ls /mnt; echo $$") == "here\n1"


def test_who_enters_the_mounts_of_a_process_in_the_tree_is_in_the_tree(tree: Path) -> None:
    """In a chroot it was outside: the tests' container said that its systemd, which ran, had not been booted."""
    (tree / "srv/auricle/here").touch()
    assert _printed(tree, "nsenter", "--mount=/proc/1/ns/mnt", "ls", "/srv/auricle") == "here"
