"""Why a stream could not be opened, in one sentence that people can act on.

PyAV's own sentences hold the address with its login: none of them is passed on.
"""

from __future__ import annotations

import errno
import socket
from typing import Any, NamedTuple
from urllib.parse import urlsplit

_NO_LOGIN = 'refuses the login: are "username" and the password in [microphone] right?'
_NOT_HEARD = "sends nothing that can be heard: a stream of AAC, MP3, Opus, FLAC or WAV could be"

_USUAL_PORTS = {"rtsps": 322, "https": 443}
_CONNECTS_WITHIN_S = 3.0


class StreamAddress(NamedTuple):
    """What to open.

    Attributes:
        address: with the login; never to be shown.
        name: without it, for sentences.
        ca_file: authorities that may vouch for the server.
    """

    address: str
    name: str
    ca_file: str | None

    @property
    def scheme(self) -> str:
        """In lower case."""
        return self.address.partition(":")[0].lower()

    @property
    def is_secure(self) -> bool:
        """Whether it is encrypted, and the server's certificate verified."""
        return self.scheme in _USUAL_PORTS


def no_sound(name: str) -> str:
    """The sentence for a stream of pictures alone."""
    return f'"{name}" sends pictures, but no sound: switch on its microphone, or its sound in the stream'


def refusal(av: Any, where: StreamAddress, error: Exception, *, late_s: float | None) -> str:
    """Why a stream could not be opened; nothing in it is the server's own text, and no address but the shown one.

    Args:
        av: the module.
        where: what was to be opened.
        error: that PyAV raised.
        late_s: for how long it was waited for in vain; None if it failed before.
    """
    known = (
        ((av.error.HTTPUnauthorizedError, av.error.HTTPForbiddenError), _NO_LOGIN),
        (av.error.HTTPNotFoundError, "is not there: the server answers, but has nothing at this path"),
        (ConnectionRefusedError, "refuses the connection: is it switched on, and is the port right?"),
        (object if late_s else TimeoutError, f"does not answer: it gave no sound within {late_s or 0.0:g} s"),
        ((av.error.InvalidDataError, av.error.DecoderNotFoundError, ValueError), _NOT_HEARD),
    )
    why = next((sentence for kinds, sentence in known if isinstance(error, kinds)), None)
    return f'"{where.name}" {why or _other_reason(where, error)}'


def _other_reason(where: StreamAddress, error: Exception) -> str:
    """FFmpeg has one word for much: no such host, no such certificate, and an end without sound."""
    if getattr(error, "errno", None) == errno.EIO:
        found = _unknown_host(where) or _untrusted(where)
        if found:
            return f"cannot be opened: {found}"
        if where.scheme.startswith("http"):
            return _NOT_HEARD
    return f"cannot be opened: {reason(error)}"


def _unknown_host(where: StreamAddress) -> str:
    host = urlsplit(where.address).hostname or ""
    try:
        socket.getaddrinfo(host, None)
    except OSError:
        return f"no machine of the name {host} is known here; its address works as well"
    return ""


def _untrusted(where: StreamAddress) -> str:
    """What is wrong with the server's certificate; empty if nothing is, or there is none."""
    if not where.is_secure:
        return ""
    import ssl  # for this alone

    parts = urlsplit(where.address)
    try:
        context = ssl.create_default_context(cafile=where.ca_file)
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT  # as FFmpeg: authorities made by hand lack extensions
        port = parts.port or _USUAL_PORTS[where.scheme]
        with socket.create_connection((parts.hostname, port), _CONNECTS_WITHIN_S) as connection:
            context.wrap_socket(connection, server_hostname=parts.hostname).close()
    except ssl.SSLCertVerificationError as error:
        return f'nobody vouches for its certificate ({error.verify_message}); "ca_file" names who does'
    except ssl.SSLError:
        return "it answers without TLS: rtsp:// or http:// may be right"
    except OSError:
        return ""
    return ""


def reason(error: Exception) -> str:
    """FFmpeg's words for an error, without the address."""
    return " ".join(str(getattr(error, "strerror", None) or type(error).__name__).split()).rstrip(".")
