"""Run README's two commands on a new machine of each supported release: what `make test-fresh` does.

    python -m tests.fresh.try_releases [--release bookworm] [--out build/fresh] [--keep]

For each release of the distribution a minimal tree is unpacked below `--out`, with the packages that README asks for
and no other. A clone of the last commit is laid into it, `../shared` beside it where this machine has one, and
`make demo` and `make test` run there as on a machine that nobody prepared. Needs root, debootstrap, the mirror that
this machine's apt is configured with, and whatever package registry its pip is configured with.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from tests.system.debian import demand_debootstrap, mirror

CHECKOUT = Path(__file__).resolve().parents[2]

RELEASES = ("bookworm", "trixie")
README_ASKS_FOR = ("git", "make", "python3", "python3-venv", "ca-certificates")
"""Packages beyond the minimal system: what README says that `make demo` needs, and what lets pip trust a registry."""

COMMANDS = (("make", "demo"), ("make", "test"))
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"

_CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
_PASSED_ON = ("PIP_CERT", "SSL_CERT_FILE", "http_proxy", "https_proxy", "no_proxy")
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_ENTER = """set -e
mount --rbind "$1" "$1"  # as on a machine, the root is a mount of its own: unshare changes its propagation
cd "$1"
shift
mount -t proc proc proc
mount --rbind /sys sys
mount --rbind /dev dev
pivot_root . mnt  # a chroot would not do: whoever enters these mounts from a process of another root leaves the tree
exec chroot . sh -c 'umount --lazy /mnt; cd /srv/auricle; exec "$@"' sh "$@"
"""


def main() -> int:
    """Try each release; the exit code is 1 if a command failed on one of them."""
    given = _arguments()
    demand_debootstrap("make test-fresh")
    failed = [
        release for release in given.release or RELEASES if not _holds(release, given.out.resolve(), keep=given.keep)
    ]
    _say(f"FAILED on {', '.join(failed)}" if failed else "BOTH COMMANDS WORK ON EVERY RELEASE")
    return 1 if failed else 0


def _holds(release: str, out: Path, *, keep: bool) -> bool:
    """Whether both commands succeed on a new machine of that release; the tree is removed unless it is kept."""
    tree = out / release
    make_tree(release, tree)
    lay_checkout(tree)
    try:
        return all(run_in(tree, command, out / f"{release}-{command[-1]}.log") for command in COMMANDS)
    finally:
        if not keep:
            shutil.rmtree(tree, ignore_errors=True)


def make_tree(release: str, tree: Path) -> None:
    """Unpack a minimal system anew, with what README asks for; names and certificates are found as on this machine."""
    shutil.rmtree(tree, ignore_errors=True)
    tree.parent.mkdir(parents=True, exist_ok=True)
    packages = f"--include={','.join(README_ASKS_FOR)}"
    _run("debootstrap", "--variant=minbase", packages, f"--keyring={KEYRING}", release, tree, mirror())
    shutil.copyfile("/etc/resolv.conf", tree / "etc" / "resolv.conf")
    # Every installer writes it, debootstrap does not: without it `localhost` is nobody's name.
    (tree / "etc" / "hosts").write_text("127.0.0.1 localhost\n::1 localhost\n", encoding="utf-8")
    shutil.copyfile(_CERTIFICATES, tree / _CERTIFICATES.relative_to("/"))


def lay_checkout(tree: Path) -> None:
    """A clone of the last commit, and `../shared` beside it: copied, because the tree is entered without this disk."""
    _run("git", "clone", "--quiet", "--no-hardlinks", CHECKOUT, tree / "srv" / "auricle")
    shared = CHECKOUT.parent / "shared"
    if shared.is_dir():
        shutil.copytree(shared, tree / "srv" / "shared", symlinks=True)


def run_in(tree: Path, command: tuple[str, ...], log: Path) -> bool:
    """Run a command in the tree's checkout, in namespaces of its own for mounts and processes; whether it succeeded.

    Args:
        tree: of `make_tree`.
        command: and its arguments.
        log: receives what it prints.
    """
    began_s = time.monotonic()
    with log.open("w", encoding="utf-8") as output:
        done = subprocess.run(
            entered(tree, command), check=False, env=_environment(), stdout=output, stderr=subprocess.STDOUT
        )
    verdict = "works" if done.returncode == 0 else f"FAILS ({done.returncode}), see {log}"
    _say(f"{tree.name}: {' '.join(command)} {verdict}, {time.monotonic() - began_s:.0f} s")
    return done.returncode == 0


def entered(tree: Path, command: tuple[str, ...]) -> tuple[str, ...]:
    """The command that runs another one in a tree's checkout, with the tree as the root of its mounts, as on a machine.

    Args:
        tree: holds `proc`, `sys`, `dev`, `mnt`, `srv/auricle` and a shell.
        command: and its arguments, looked up in the tree.
    """
    return ("unshare", "--mount", "--pid", "--fork", "sh", "-c", _ENTER, "sh", str(tree), *command)


def _environment() -> dict[str, str]:
    passed_on = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    return {"PATH": _PATH, "HOME": "/root", "CI": "true", **passed_on}


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _run(*command: str | Path) -> None:
    done = subprocess.run(command, check=False, cwd="/", capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))} failed:\n{done.stdout[-2000:]}{done.stderr[-4000:]}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--release", choices=RELEASES, action="append", help="only this one; repeat")
    parser.add_argument("--out", type=Path, default=CHECKOUT / "build" / "fresh", help="for trees and logs")
    parser.add_argument("--keep", action="store_true", help="keep the trees")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
