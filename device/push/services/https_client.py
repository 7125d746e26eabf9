"""One HTTPS request to one server: certificates are verified, nothing is followed elsewhere, and the time is bounded.

The standard library's `http.client` is enough: it follows no redirect, so that no token reaches another host, and reads
no proxy from the environment. Each request has a connection of its own: there are a few in a night.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import math
import socket
import ssl
import threading
import time
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from device.printable import excerpt
from device.push.services.delivery_error import DeliveryError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from device.push.services.server_address import ServerAddress

CONNECT_WITHIN_S = 10.0
ANSWER_WITHIN_S = 20.0
"""From the begin of a request to the end of its answer."""

MOST_ANSWER_BYTES = 1 << 18
MOST_RETRY_AFTER_S = 3600.0
"""A service that asks for more is asked again after this: an alarm waits."""

_OUT_OF_TIME = {9, 10}  # X509_V_ERR_CERT_NOT_YET_VALID and _HAS_EXPIRED of OpenSSL


@dataclass(frozen=True, slots=True)
class Answer:
    """A complete answer.

    Attributes:
        status: of HTTP.
        body: of at most `MOST_ANSWER_BYTES`.
        retry_after_s: that the service asks for; None if it does not.
    """

    status: int
    body: bytes
    retry_after_s: float | None


class HttpsClient:
    """Requests to one server.

    Args:
        address: of the server.
        ca_file: authorities that may vouch for it; None for those of the system.
        within_s: for a request and its answer.

    Raises:
        DeliveryError: the file of authorities cannot be used.
    """

    def __init__(
        self, address: ServerAddress, ca_file: str | None = None, *, within_s: float = ANSWER_WITHIN_S
    ) -> None:
        self._address = address
        self._within_s = within_s
        self._context: ssl.SSLContext | None = None
        if address.is_encrypted:
            try:
                self._context = ssl.create_default_context(cafile=ca_file)
            except (OSError, ssl.SSLError) as error:
                raise DeliveryError("refused", f'"ca_file" cannot be used ({_why(error)}); correct it') from None
            if ca_file is not None:
                # As for a broker: Python 3.13 demands extensions that authorities made by hand often lack.
                self._context.verify_flags &= ~ssl.VERIFY_X509_STRICT

    def __repr__(self) -> str:
        return f"HttpsClient({self._address.host!r})"

    def request(self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] = {}) -> Answer:
        """Send a request, and return its complete answer, whatever its status.

        Raises:
            DeliveryError: there is no complete answer.
        """
        host = self._address.host
        try:
            with self._connection() as connection:
                sent = {"Host": self._address.host_header, "User-Agent": "auricle", "Connection": "close", **headers}
                connection.request(method, path, body, sent)
                response = connection.getresponse()
                data = response.read(MOST_ANSWER_BYTES + 1)
                if response.length and len(data) <= MOST_ANSWER_BYTES:  # `read` of so many bytes does not say so itself
                    raise http.client.IncompleteRead(data, response.length)
        except ssl.SSLCertVerificationError as error:
            raise _untrusted(error, host) from None
        except TimeoutError:
            raise DeliveryError("network", f"{host} does not answer within {self._within_s:g} s") from None
        except socket.gaierror as error:
            raise DeliveryError("network", f"no network, or no host {host} ({error.strerror})") from None
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise DeliveryError("network", f"{host} cannot be reached ({_why(error)})") from None
        if len(data) > MOST_ANSWER_BYTES:
            raise DeliveryError("busy", f"{host} answers with more than {MOST_ANSWER_BYTES // 1024} KiB")
        return Answer(response.status, data, _retry_after_s(response.headers.get("Retry-After"), time.time()))

    @contextlib.contextmanager
    def _connection(self) -> Iterator[http.client.HTTPConnection]:
        """A connection that is cut at the deadline, however slowly the other side writes."""
        address, connect_s = self._address, min(CONNECT_WITHIN_S, self._within_s)
        connection: http.client.HTTPConnection
        if self._context is None:
            connection = http.client.HTTPConnection(address.host, address.port, timeout=connect_s)
        else:
            connection = http.client.HTTPSConnection(
                address.host, address.port, timeout=connect_s, context=self._context
            )
        is_late = threading.Event()
        cutter = threading.Timer(self._within_s, _cut, (connection, is_late))
        cutter.daemon = True
        cutter.start()
        try:
            yield connection
        except (OSError, http.client.HTTPException, ValueError):
            if is_late.is_set():
                raise TimeoutError from None
            raise
        finally:
            cutter.cancel()
            connection.close()


def json_object(data: bytes) -> dict[str, Any]:
    """The members of a JSON object; none for anything else, as a proxy in between may answer."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _cut(connection: http.client.HTTPConnection, is_late: threading.Event) -> None:
    is_late.set()
    with contextlib.suppress(OSError, AttributeError):  # not connected yet: its own timeout ends that
        connection.sock.shutdown(socket.SHUT_RDWR)


def _retry_after_s(value: str | None, utc_s: float) -> float | None:
    """Seconds from the header Retry-After, which holds seconds or a date; None if it holds neither."""
    if value is None:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(value).timestamp() - utc_s
        except (ValueError, TypeError, OverflowError):
            return None
    return min(max(0.0, seconds), MOST_RETRY_AFTER_S) if math.isfinite(seconds) else None


def _untrusted(error: ssl.SSLCertVerificationError, host: str) -> DeliveryError:
    """A wrong time passes by itself: a Pi has no clock of its own, and gets the time some seconds after its start."""
    if error.verify_code in _OUT_OF_TIME:
        return DeliveryError("network", f"the certificate of {host} is not valid by this machine's clock")
    return DeliveryError("refused", f"the certificate of {host} is not trusted ({error.verify_message})")


def _why(error: Exception) -> str:
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error) or type(error).__name__
    return excerpt(" ".join(text.split()), 120)
