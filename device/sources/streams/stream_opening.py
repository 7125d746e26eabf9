"""Opens a stream with PyAV, in the capture process alone: what FFmpeg may do there, and why it cannot, in one sentence.

FFmpeg is told which protocols and containers it may use: some are lists of other addresses to open.
"""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from device.errors import MicrophoneError
from device.sources.conversion import INSTALL
from device.sources.streams.stream_refusal import StreamAddress, no_sound, reason, refusal

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST_CHANNELS = 8
RATES_HZ = range(8000, 192001)

_OPENS_WITHIN_S = 6.0
_LISTS_WITHIN_S = 4.0
_NETWORK = "tcp,tls"
_CONTAINERS = "aac,ac3,amr,asf,caf,eac3,flac,flv,live_flv,loas,matroska,webm,mov,mp4,mp3,mpegts,mpeg,ogg,wav,w64,au"
_GONE = "the stream has ended, or the connection is lost"


class StreamSource:
    """One open stream of sound.

    Args:
        where: to open it.

    Raises:
        MicrophoneError: it cannot be opened, or has no sound that can be decoded.
    """

    def __init__(self, where: StreamAddress) -> None:
        self.name = where.name
        self._av = _pyav()
        self._container = _opened(self._av, where)
        self._stream: Any = next(iter(self._container.streams.audio), None)
        if self._stream is None:
            raise MicrophoneError(no_sound(where.name))
        if self._stream.codec_context is None:
            raise MicrophoneError(f'"{self.name}" sends sound that cannot be decoded here: AAC, Opus or G.711 can')

    def packets(self) -> Iterator[Any]:
        """Packets of sound until the stream ends.

        Raises:
            MicrophoneError: it has ended, or the connection is lost.
        """
        try:
            yield from self._container.demux(self._stream)
        except MemoryError:
            raise
        except (self._av.FFmpegError, ValueError) as error:
            raise MicrophoneError(f'"{self.name}" is gone: {_GONE} ({reason(error)})') from None
        raise MicrophoneError(f'"{self.name}" is gone: {_GONE}')

    def decoded(self, packet: Any) -> list[Any] | None:
        """The frames of a packet; None if it cannot be decoded."""
        try:
            return list(packet.decode())
        except MemoryError:
            raise
        except (self._av.FFmpegError, ValueError):
            return None

    def converter(self, frame: Any) -> Any:
        """Makes interleaved float32 of frames like this one."""
        return self._av.AudioResampler(format="flt", layout=frame.layout, rate=frame.sample_rate)


def _pyav() -> Any:
    try:
        import av
    except ImportError as error:
        raise MicrophoneError(f"PyAV, which hears streams, is not installed: {INSTALL} brings it") from error
    av.logging.set_level(None)  # FFmpeg's own lines may show the address with its login
    return av


def _opened(av: Any, where: StreamAddress) -> Any:
    is_rtsp = where.scheme.startswith("rtsp")
    options = _rtsp_options(where) if is_rtsp else _http_options(where)
    began_s = time.monotonic()
    try:
        return _open(av, where, options, _OPENS_WITHIN_S)
    except MemoryError:
        raise
    except (av.FFmpegError, ValueError, OverflowError) as error:
        is_late = time.monotonic() - began_s >= _OPENS_WITHIN_S  # whatever FFmpeg calls it then
        # Asked for its sound alone, a server that has none refuses to play, or plays nothing.
        may_lack_sound = is_late or isinstance(error, av.error.HTTPOtherClientError | av.error.InvalidDataError)
        if is_rtsp and may_lack_sound and _has_pictures_alone(av, where, options):
            raise MicrophoneError(no_sound(where.name)) from None
        late_s = _OPENS_WITHIN_S if is_late else None
        raise MicrophoneError(refusal(av, where, error, late_s=late_s)) from None  # the cause shows the address


def _open(av: Any, where: StreamAddress, options: dict[str, str], within_s: float) -> Any:
    demuxer = "rtsp" if where.scheme.startswith("rtsp") else None
    return av.open(where.address, format=demuxer, options=options, timeout=(within_s, None), metadata_errors="replace")


def _has_pictures_alone(av: Any, where: StreamAddress, options: dict[str, str]) -> bool:
    with suppress(av.FFmpegError, ValueError):
        everything = {name: value for name, value in options.items() if name != "allowed_media_types"}
        with _open(av, where, everything, _LISTS_WITHIN_S) as container:
            return bool(container.streams) and not container.streams.audio
    return False


def _rtsp_options(where: StreamAddress) -> dict[str, str]:
    """Over TCP, which loses nothing and opens no port; the sound alone, since pictures are megabits a second."""
    return {
        "protocol_whitelist": f"rtsp,rtsps,rtp,{_NETWORK}",
        "rtsp_transport": "tcp",
        "allowed_media_types": "audio",
        **_usual_options(where),
    }


def _http_options(where: StreamAddress) -> dict[str, str]:
    return {
        "protocol_whitelist": f"http,https,httpproxy,{_NETWORK}",
        "format_whitelist": _CONTAINERS,
        "seekable": "0",
        **_usual_options(where),
    }


def _usual_options(where: StreamAddress) -> dict[str, str]:
    verified = {"tls_verify": "1", "verify": "1"} | ({"ca_file": where.ca_file} if where.ca_file else {})
    return {"analyzeduration": "1000000", "user_agent": "auricle", **(verified if where.is_secure else {})}
