"""A Pi compiles nothing: every library of the device has a wheel for 64-bit ARM, on both supported systems."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

pytestmark = pytest.mark.system

CHECKOUT = Path(__file__).resolve().parents[3]
LOCK = "requirements.txt"
UV = Path(sys.executable).with_name("uv")
SYSTEMS = [
    pytest.param("3.11", "aarch64-manylinux_2_36", id="bookworm"),
    pytest.param("3.13", "aarch64-manylinux_2_40", id="trixie"),  # has 2.41; uv names none beyond 2.40
]
PACKAGE = re.compile(r"^([a-z0-9-]+)==[0-9]", re.MULTILINE)
LIBRARIES = {
    "numpy",
    "scipy",
    "soundfile",
    "soxr",
    "pillow",
    "jinja2",
    "sounddevice",
    "prometheus-client",
    "ai-edge-litert",
}


def uv(*arguments: str | Path, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([UV, *arguments], check=False, cwd=folder, capture_output=True, text=True)


@pytest.mark.parametrize(("python", "platform"), SYSTEMS)
def test_whatever_the_device_asks_for_resolves_to_wheels(python: str, platform: str) -> None:
    target = ("--python-version", python, "--python-platform", platform, "--only-binary", ":all:")
    done = uv("pip", "compile", "--quiet", "pyproject.toml", "--extra", "device", *target, folder=CHECKOUT)
    assert done.returncode == 0, done.stderr
    assert set(PACKAGE.findall(done.stdout)) > LIBRARIES


@pytest.mark.parametrize(("python", "platform"), SYSTEMS)
def test_the_lock_holds_the_hash_of_such_a_wheel_for_each(python: str, platform: str, tmp_path: Path) -> None:
    wheels = wheels_of_the_lock(python, platform, tmp_path)
    assert set(wheels) > LIBRARIES
    assert without_hash((CHECKOUT / LOCK).read_text("utf-8"), wheels) == []


def test_a_lock_without_the_hash_of_an_arm_wheel_is_noticed(tmp_path: Path) -> None:
    wheels = wheels_of_the_lock("3.11", "aarch64-manylinux_2_36", tmp_path)
    lock = (CHECKOUT / LOCK).read_text("utf-8")
    for of_soxr in wheels["soxr"]:
        lock = lock.replace(of_soxr, "0" * 64)
    assert without_hash(lock, wheels) == ["soxr"]


def wheels_of_the_lock(python: str, platform: str, folder: Path) -> dict[str, set[str]]:
    """Name -> SHA-256 of the wheels that fit a system, in the locked versions; fetches none."""
    target = ("--python-version", python, "--python-platform", platform, "--only-binary", ":all:")
    out = folder / "pylock.toml"
    done = uv("pip", "compile", "--quiet", CHECKOUT / LOCK, "--output-file", out, *target, folder=folder)
    assert done.returncode == 0, done.stderr
    packages = tomllib.loads(out.read_text("utf-8"))["packages"]
    return {item["name"]: {wheel["hashes"]["sha256"] for wheel in item["wheels"]} for item in packages}


def without_hash(lock: str, wheels: dict[str, set[str]]) -> list[str]:
    """Names of libraries that have wheels, but none with a locked hash."""
    locked = set(re.findall(r"sha256:([0-9a-f]{64})", lock))
    return [name for name, hashes in wheels.items() if not hashes & locked]
