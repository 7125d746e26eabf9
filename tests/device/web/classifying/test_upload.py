"""A recording on its way to the disk: in pieces of any size, from a silent client, to a disk that is full."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from device.web.classifying import upload
from device.web.classifying.classify_process import NotHeardError
from device.web.classifying.private_folder import PrivateFolder, delete_abandoned
from device.web.classifying.upload import receive_recording

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

RECORDING = b"fLaC" + bytes(range(256)) * 8 + b"\r\n--b\r\n--"  # as good as a boundary
TAG = b"ID3\4\0\0\0\0\2\0" + bytes(256)
FORM = (
    b'--b1\r\nContent-Disposition: form-data; name="recording"; filename="../a\x00.wav"\r\n\r\n%s\r\n--b1--\r\n'
    % RECORDING
)


async def _pieces(data: bytes, size: int) -> AsyncIterator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]


@pytest.mark.parametrize("size", [1, 7, 4096])
@pytest.mark.parametrize(("content", "boundary"), [(RECORDING, None), (FORM, b"b1")])
def test_it_is_written_whole_under_our_name_whatever_the_pieces(
    content: bytes, boundary: bytes | None, size: int, tmp_path: Path
) -> None:
    name = asyncio.run(receive_recording(_pieces(content, size), tmp_path, max_bytes=9999, boundary=boundary))
    assert name == "recording.flac"
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_bytes() == RECORDING


@pytest.mark.parametrize("size", [1, 7, 4096])
def test_flac_behind_tags_is_flac_whatever_the_pieces(size: int, tmp_path: Path) -> None:
    content = TAG + TAG + RECORDING
    assert asyncio.run(receive_recording(_pieces(content, size), tmp_path, max_bytes=9999)) == "recording.flac"
    assert (tmp_path / "recording.flac").read_bytes() == content


@pytest.mark.parametrize(
    "content",
    [TAG + b"\xff\xfb\x90\x00" + bytes(999), TAG + b"RIFF" + bytes(99), TAG, TAG[:99], b"ID3\4", b"fL", b"\0" * 99],
)
def test_what_is_of_another_kind_is_refused_also_behind_a_tag(content: bytes, tmp_path: Path) -> None:
    with pytest.raises(NotHeardError, match="it is no WAV, FLAC or OGG file") as refused:
        asyncio.run(receive_recording(_pieces(content, 99), tmp_path, max_bytes=9999))
    assert refused.value.status == 415


def test_a_client_that_says_nothing_more_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upload, "SILENT_WITHIN_S", 0.05)

    async def silent() -> AsyncIterator[bytes]:
        yield RECORDING
        await asyncio.sleep(9.0)

    with pytest.raises(NotHeardError, match="nothing of the recording came for") as refused:
        asyncio.run(receive_recording(silent(), tmp_path, max_bytes=9999))
    assert refused.value.status == 408


def test_a_disk_without_room_for_the_journal_takes_no_recording(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upload, "KEPT_FREE_BYTES", 1 << 60)
    with pytest.raises(NotHeardError, match="the disk is too full") as refused:
        asyncio.run(receive_recording(_pieces(RECORDING, 99), tmp_path, max_bytes=9999))
    assert refused.value.status == 507
    assert list(tmp_path.iterdir()) == []


def test_what_follows_a_form_is_bounded_too(tmp_path: Path) -> None:
    with pytest.raises(NotHeardError, match="may have"):
        asyncio.run(receive_recording(_pieces(FORM + bytes(99999), 999), tmp_path, max_bytes=9999, boundary=b"b1"))


def test_a_folder_in_use_stays_and_one_of_a_process_that_is_gone_goes(tmp_path: Path) -> None:
    (tmp_path / "left").mkdir()
    (tmp_path / "left" / "recording.wav").write_bytes(b"RIFF")
    with PrivateFolder(tmp_path) as folder:
        delete_abandoned(tmp_path)
        assert list(tmp_path.iterdir()) == [folder.path]
        assert folder.path.stat().st_mode & 0o777 == 0o700
    assert list(tmp_path.iterdir()) == []
