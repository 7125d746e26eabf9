"""The identity of a device: new ones differ, and a machine without a journal keeps its own."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from device.runtime.device_identity import device_id_of_machine, new_device_id

if TYPE_CHECKING:
    from pathlib import Path

_ID = re.compile(r"auricle_anna_[0-9a-f]{8}")


def test_each_new_identity_is_another_and_fits_a_topic() -> None:
    ids = {new_device_id("anna") for _ in range(50)}
    assert len(ids) == 50
    assert all(_ID.fullmatch(each) for each in ids)


def test_a_machine_has_one_identity_for_each_instance_and_does_not_reveal_its_own_id(tmp_path: Path) -> None:
    path, other = tmp_path / "machine-id", tmp_path / "other"
    path.write_text("0123456789abcdef0123456789abcdef\n")
    other.write_text("fedcba9876543210fedcba9876543210\n")
    own = device_id_of_machine("anna", path)
    assert own == device_id_of_machine("anna", path)
    assert _ID.fullmatch(own)
    assert len({own, device_id_of_machine("ben", path), device_id_of_machine("anna", other)}) == 3
    assert own.rpartition("_")[2] not in path.read_text()


def test_a_machine_without_an_id_has_an_identity_too(tmp_path: Path) -> None:
    assert _ID.fullmatch(device_id_of_machine("anna", tmp_path / "missing"))
