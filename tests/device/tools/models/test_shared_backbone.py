"""`auricle models install` with two bundles that share a backbone, of which one alone is replaced."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from device.hearing.bundle.reader import read_bundle
from tests.device.tools.models.installing_bedside import Bedside

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def bedside(tmp_path_factory: pytest.TempPathFactory, carrying_bundle_paths: tuple[Path, Path]) -> Iterator[Bedside]:
    models = dict(zip(("cry", "scream"), carrying_bundle_paths, strict=True))
    made = Bedside(tmp_path_factory.mktemp("bedside"), models)
    with made.daemon as daemon:
        daemon.wait_until_it_runs()
        yield made


def _sha256(bedside: Bedside, name: str) -> str:
    return read_bundle(bedside.target(name)).sha256


def test_one_of_two_is_replaced_and_both_run(bedside: Bedside) -> None:
    """First with the backbone that it shared, then with one of its own, then the other model follows."""
    longer = read_bundle(bedside.target("cry")).network + bytes(16)  # other bytes, the same function
    steps: tuple[tuple[str, str, dict[str, Any], tuple[str, str]], ...] = (
        ("cry", "1.1.0", {}, ("cry 1.1.0", "scream 1.0.0")),
        ("cry", "1.2.0", {"network": longer}, ("cry 1.2.0", "scream 1.0.0")),
        ("scream", "1.2.0", {"network": longer}, ("cry 1.2.0", "scream 1.2.0")),
    )
    for name, version, changes, models in steps:
        before = bedside.state()
        code, out, err = bedside.install(bedside.update(name, version, **changes), "--model", name)
        assert (code, err) == (0, "")
        assert out.endswith("the daemon ran it for 3 s; the old one is let go\n")
        after = bedside.state()
        assert (after.pid, after.started_utc_s) == (before.pid, before.started_utc_s)
        assert after.models == models
        assert after.bundles == (_sha256(bedside, "cry"), _sha256(bedside, "scream"))
        assert after.windows_scored > 0
        assert not after.faults


@pytest.mark.parametrize(("version", "why"), [("2.0.0", "the daemon refused it: "), ("3.0.0", "the daemon crashed")])
def test_one_of_two_that_the_daemon_cannot_stand_is_taken_back_and_both_run_on(
    bedside: Bedside, version: str, why: str
) -> None:
    before, running = bedside.target("scream").read_bytes(), bedside.state().bundles
    code, _, err = bedside.install(bedside.update("scream", version), "--model", "scream")
    assert code == 2
    assert "was installed and taken back, the one before is in its place: " + why in err
    assert err.count("\n") == 1
    assert bedside.target("scream").read_bytes() == before
    bedside.daemon.wait_until(lambda: bedside.state().bundles == running, "both models", 30.0)
    assert not list(bedside.folder.glob(".scream*"))
    noted = [line for line in bedside.daemon.lines() if f"carrying-scream {version}" in str(line)]
    assert any("was installed" in str(line) for line in noted)
    assert any("was taken back" in str(line) for line in noted)
