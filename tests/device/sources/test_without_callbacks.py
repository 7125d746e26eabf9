"""Recordings are decoded without callbacks, which need memory that is written and executed, and to the same bits."""

from __future__ import annotations

import ctypes
import errno
import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from device.errors import RecordingError
from device.sources.containers.sound_layout import PcmFormat, StreamLink
from device.sources.decoding import section as sections
from device.sources.decoding.bare_samples import BareSamples
from device.sources.decoding.section import FileSection
from device.sources.decoding.sndfile import SndfileDecoder
from device.sources.decoding.spare_files import SpareFiles
from device.sources.recording import Recording
from tests.device.sources.sound_files import RATE_HZ, heard, tone

if TYPE_CHECKING:
    import numpy.typing as npt

_PR_SET_MDWE, _REFUSE_EXEC_GAIN = 65, 1
_WIDTHS = {"PCM_U8": 1, "PCM_16": 2, "PCM_24": 3, "PCM_32": 4, "FLOAT": 4, "DOUBLE": 8, "ULAW": 1, "ALAW": 1}

_HEARING = f"""
import ctypes, hashlib, json, sys
from device.sources.recording import Recording

if sys.argv[1] == "confined":
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.prctl({_PR_SET_MDWE}, {_REFUSE_EXEC_GAIN}, 0, 0, 0) == 0, ctypes.get_errno()
found = {{}}
for path in sys.argv[2:]:
    digest = hashlib.sha256()
    with Recording(path) as recording:
        for block in recording.blocks():
            digest.update(block.samples.tobytes())
    found[path] = digest.hexdigest()
print(json.dumps(found))
"""


def _section(data: bytes) -> FileSection:
    return FileSection(io.BytesIO(data), StreamLink(0, len(data)), {})


def _all(decoder: Any) -> npt.NDArray[Any]:
    pieces = []
    while len(frames := decoder.read(100)):
        pieces.append(frames.copy())
    return np.concatenate(pieces) if pieces else np.empty((0, decoder.channels), np.float32)


@settings(deadline=None, max_examples=60)
@given(
    data=st.binary(min_size=1, max_size=3000),
    subtype=st.sampled_from(sorted(_WIDTHS)),
    channels=st.integers(1, 3),
    endian=st.sampled_from(["LITTLE", "BIG"]),
)
def test_bare_samples_are_those_of_libsndfile_bit_for_bit(
    data: bytes, subtype: str, channels: int, endian: Any
) -> None:
    frame = _WIDTHS[subtype] * channels
    data = (data * frame)[: max(1, len(data) // frame) * frame]
    pcm = PcmFormat(RATE_HZ, channels, subtype, endian)
    ours, theirs = _all(BareSamples(_section(data), 64, pcm)), _all(SndfileDecoder(_section(data), 64, pcm))
    assert ours.dtype == theirs.dtype
    assert ours.tobytes() == theirs.tobytes()


@pytest.mark.parametrize("subtype", ["ULAW", "ALAW"])
def test_every_code_of_a_companded_sample_is_that_of_libsndfile(subtype: str) -> None:
    pcm, codes = PcmFormat(8000, 1, subtype, "LITTLE"), bytes(range(256))
    ours = _all(BareSamples(_section(codes), 256, pcm))
    assert ours.tobytes() == _all(SndfileDecoder(_section(codes), 256, pcm)).tobytes()


@pytest.fixture(scope="module")
def forms(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Recordings in every way in which a section of a file reaches a decoder."""
    folder = tmp_path_factory.mktemp("forms")
    samples = tone(1.0)
    for name, form in (
        ("bare.wav", {"subtype": "PCM_16"}),
        ("alaw.wav", {"subtype": "ALAW"}),
        ("adpcm.wav", {"subtype": "MS_ADPCM"}),
        ("big.wav", {"subtype": "PCM_24", "endian": "BIG"}),
        ("a.flac", {}),
        ("vorbis.ogg", {"subtype": "VORBIS"}),
        ("opus.ogg", {"subtype": "OPUS"}),
        ("a.mp3", {}),
        ("a.aiff", {}),
        ("a.caf", {"subtype": "PCM_16"}),
    ):
        soundfile.write(folder / name, samples, RATE_HZ, **form)
    (folder / "chained.ogg").write_bytes(2 * (folder / "vorbis.ogg").read_bytes())
    (folder / "tagged.flac").write_bytes(
        b"ID3\x04\x00\x00\x00\x00\x00\x0a" + bytes(10) + (folder / "a.flac").read_bytes()
    )
    (folder / "killed.wav").write_bytes(_unfinished((folder / "adpcm.wav").read_bytes()))
    return [str(path) for path in sorted(folder.iterdir())]


def _unfinished(wav: bytes) -> bytes:
    """A WAV whose sizes were never written, as of a writer that was killed."""
    at = wav.index(b"data") + 4
    return wav[:4] + bytes(4) + wav[8:at] + bytes(4) + wav[at + 4 :]


def _heard_by_a_process(how: str, paths: list[str]) -> dict[str, str]:
    command = [sys.executable, "-c", _HEARING, how, *paths]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    digests: dict[str, str] = json.loads(done.stdout)
    return digests


def test_every_form_is_heard_where_no_memory_may_be_written_and_executed(forms: list[str]) -> None:
    free = _heard_by_a_process("free", forms)
    assert len(free) == len(forms)
    if not _kernel_confines():
        pytest.skip("confining a process needs Linux 6.3")
    assert _heard_by_a_process("confined", forms) == free


def _kernel_confines() -> bool:
    """Whether this kernel answers PR_GET_MDWE."""
    libc = ctypes.CDLL(None, use_errno=True)
    return bool(libc.prctl(_PR_SET_MDWE + 1, 0, 0, 0, 0) >= 0)


@pytest.mark.parametrize("keeps", [0, 2])
def test_a_section_that_is_too_large_for_memory_is_copied_to_a_file_and_heard_alike(
    forms: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, keeps: int
) -> None:
    sectioned = [Path(form) for form in forms if Path(form).name in {"chained.ogg", "killed.wav", "tagged.flac"}]
    copied = [heard(path)[0] for path in sectioned]
    spare = SpareFiles()
    monkeypatch.setattr(sections, "MOST_COPIED_BYTES", 0)
    monkeypatch.setattr(sections, "SPARE_FILES", spare)
    if keeps:
        spare.keep(tmp_path, keeps)
    for path, expected in zip(2 * sectioned, 2 * copied, strict=True):
        assert heard(path)[0].tobytes() == expected.tobytes()
        assert repr(spare) == f"SpareFiles({keeps} kept)"
        assert all(file.seek(0, os.SEEK_END) == 0 for file in spare._kept), "nothing of it is left"
    for file in spare._kept:
        file.close()


def test_long_sections_are_heard_where_no_memory_may_be_written_and_executed(tmp_path: Path) -> None:
    """More than 32 MB of a form that is no whole file is copied to a file."""
    noise = np.random.default_rng(0).integers(-(2**15), 2**15, 10_000_000, dtype=np.int16)
    soundfile.write(tmp_path / "long.flac", np.tile(noise, 2), RATE_HZ)
    tagged = b"ID3\x04\x00\x00\x00\x00\x00\x0a" + bytes(10) + (tmp_path / "long.flac").read_bytes()
    (tmp_path / "tagged.flac").write_bytes(tagged)
    soundfile.write(tmp_path / "long.wav", np.tile(noise, 7), RATE_HZ, subtype="MS_ADPCM")
    (tmp_path / "killed.wav").write_bytes(_unfinished((tmp_path / "long.wav").read_bytes()))
    paths = [str(tmp_path / name) for name in ("tagged.flac", "killed.wav")]
    assert all(Path(path).stat().st_size > sections.MOST_COPIED_BYTES for path in paths)
    whole = _heard_by_a_process("free", [str(tmp_path / name) for name in ("long.flac", "long.wav")])
    how = "confined" if _kernel_confines() else "free"
    assert list(_heard_by_a_process(how, paths).values()) == list(whole.values())


def test_a_copy_that_has_no_room_is_an_error_of_the_disk_and_leaves_no_descriptor(
    forms: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tagged,) = [form for form in forms if Path(form).name == "tagged.flac"]
    before = len(list(Path("/proc/self/fd").iterdir()))

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    for most in (0, 1 << 20):
        monkeypatch.setattr(sections, "MOST_COPIED_BYTES", most)
        with pytest.raises(RecordingError, match="No space left on device"):
            Recording(tagged)
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_a_decoder_that_refuses_a_file_leaves_it_where_it_stood(tmp_path: Path) -> None:
    """The next decoder reads through the same file object, whose buffer knows no other position."""
    content = os.urandom(50_000)
    (tmp_path / "a").write_bytes(content)
    with (tmp_path / "a").open("rb") as file:
        assert file.read(10) == content[:10]
        section = FileSection(file, StreamLink(0, len(content)), {})
        descriptor = section.open_descriptor()
        assert os.read(descriptor, 20_000) == content[:20_000]
        os.close(descriptor)
        section.close()
        section.close()
        assert section.read() == content


def test_a_disk_that_fails_under_a_decoder_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").write_bytes(bytes(1000))
    with (tmp_path / "a").open("rb") as file:
        section = FileSection(file, StreamLink(0, 1000), {})
        descriptor = section.open_descriptor()
        assert _reason_after_a_check(section) is None

        def failing(*_: object) -> bytes:
            raise OSError(errno.EIO, "Input/output error")

        monkeypatch.setattr(os, "pread", failing)
        assert _reason_after_a_check(section) == "Input/output error"
        os.close(descriptor)


def _reason_after_a_check(section: FileSection) -> str | None:
    section.check_disk()
    return None if section.error is None else section.error.strerror
