"""The socket to an MQTT broker, with or without TLS, as an MQTT library reads and writes it.

Everything that the broker sends goes through a `PacketGuard`. A flood is dropped there. What
would take too much of a processor is left in the network, so that it delays neither alarms nor the main loop.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import socket
import ssl
import sys
import termios
import time
from typing import TYPE_CHECKING

from device.allowance import Allowance
from device.sinks.mqtt.flood.packet_guard import PacketGuard, PacketRefusedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_SEND_BUFFER_BYTES = 1 << 15
"""What a broker that reads nothing is sent at most; all alarms in flight are hardly more."""

_RECEIVE_BUFFER_BYTES = 1 << 16
"""What waits unread in the kernel at most, twice over: the acknowledgement of an alarm may be behind it."""

_READ_BYTES = 1 << 18
_READ_PER_S, _READ_AT_ONCE = 50_000.0, 10_000.0
"""Work, in packets that are looked at: some 3 us each on a desktop. A flood is left in the network beyond that."""

_BYTES_AS_A_PACKET = 4000.0  # to copy them takes as long
_READING_AS_PACKETS = 30.0  # one turn of the session: where it waits for a moment, more comes at once


class BrokerSocket:
    """A connected socket as an MQTT library reads and writes it; remembers its last error, and guards what comes.

    Args:
        connected: TCP, or TLS after its handshake; closed by this object.
        clock: monotonic, in seconds.

    Attributes:
        guard: follows and thins out what the broker sends.
    """

    def __init__(self, connected: socket.socket, clock: Callable[[], float] = time.monotonic) -> None:
        self._socket = connected
        self._clock = clock
        self.guard = PacketGuard(clock())
        self._reading = Allowance(at_once=_READ_AT_ONCE, per_s=_READ_PER_S, now_s=clock())
        self._passed = b""  # by the guard, and not yet read
        self._resumes = False  # the guard has held bytes back
        self._broken: OSError | None = None  # nothing can be sent any more; what was received may say why
        self.error: OSError | None = None

    def __repr__(self) -> str:
        return f"BrokerSocket({'closed' if self.fileno() < 0 else 'open'}, {self.error!r})"

    @property
    def is_tls(self) -> bool:
        """Whether it is encrypted."""
        return isinstance(self._socket, ssl.SSLSocket)

    @property
    def certificate_expires_utc_s(self) -> float | None:
        """Until when the broker's certificate is valid; None without TLS."""
        shown = self._socket.getpeercert() if isinstance(self._socket, ssl.SSLSocket) else None
        return ssl.cert_time_to_seconds(str(shown["notAfter"])) if shown else None

    def recv(self, buffer_size: int) -> bytes:
        """Receive at most so many bytes of what the guard passes on; empty at the end of the connection.

        Raises:
            OSError: of the socket, or since a packet begins that is not accepted; its content is not read.
                BlockingIOError if there is nothing to read now, see `pause_s`.
        """
        if not self._passed and self._read():
            self.error = self._broken or self.error
            return b""
        if not self._passed:
            if self._broken is not None:
                self.error = self._broken
                raise self._broken
            raise BlockingIOError
        received, self._passed = self._passed[:buffer_size], self._passed[buffer_size:]
        return received

    def _read(self) -> bool:
        """Read from the network what is allowed now; whether the connection has ended."""
        now_s = self._clock()
        if self.pause_s() or self.guard.is_held:
            return False
        before = self.guard.work
        try:
            received = b"" if self._resumes else self._socket.recv(_READ_BYTES)
            ended = not (received or self._resumes)
            self._resumes = False
            self._passed = self.guard.push(received, now_s)
        except PacketRefusedError as refused:
            self.error = OSError(errno.EPROTO, str(refused))
            raise self.error from None
        except OSError as error:
            self._remember(error)
            raise
        self._reading.use(self.guard.work - before + len(received) / _BYTES_AS_A_PACKET + _READING_AS_PACKETS, now_s)
        self._resumes = self.guard.holds
        self._acknowledge_at_once()
        return ended

    def pause_s(self) -> float:
        """How long not to read: a flood is left in the network, from where the broker sends no more of it."""
        return 0.0 if self._passed else self._reading.ready_in_s(self._clock())

    def allow_topics(self, topics: Iterable[str]) -> None:
        """Accept messages on topics of this length; of none before the first call."""
        sizes = [len(topic.encode()) for topic in topics]
        self.guard.longest_topic_bytes = max([self.guard.longest_topic_bytes, *sizes])

    def send(self, buffer: bytes | bytearray) -> int:
        """Send what the kernel accepts now; how many bytes.

        Raises:
            OSError: of the socket. BlockingIOError too if the broker has closed the connection: before that it may have
                sent its reason, which is still to be read.
        """
        try:
            return self._socket.send(buffer)
        except (BrokenPipeError, ConnectionResetError) as error:
            self._broken = error
            raise BlockingIOError from None
        except OSError as error:
            self._remember(error)
            raise

    @property
    def is_broken(self) -> bool:
        """Whether nothing can be sent any more."""
        return self._broken is not None

    @property
    def has_passed(self) -> bool:
        """Whether bytes wait that the guard has passed on."""
        return bool(self._passed)

    def pending(self) -> bool:
        """Whether bytes were received and not yet read: no poll shows them."""
        decrypted = self._socket.pending() if isinstance(self._socket, ssl.SSLSocket) else 0
        return self.has_passed or self._resumes or decrypted > 0

    def unacknowledged_bytes(self) -> int:
        """What was sent and not accepted by the broker's machine; 0 where the kernel does not say."""
        with contextlib.suppress(OSError, ValueError):  # closed, or no TCP
            queued = fcntl.ioctl(self.fileno(), termios.TIOCOUTQ, bytes(4))  # as SIOCOUTQ, see tcp(7)
            return int.from_bytes(queued, sys.byteorder)
        return 0

    def fileno(self) -> int:
        """Its descriptor; -1 once it is closed."""
        return self._socket.fileno()

    def setblocking(self, flag: bool) -> None:  # noqa: FBT001 - as a socket has it
        """As of a socket."""
        self._socket.setblocking(flag)

    def close(self) -> None:
        """Close it; idempotent."""
        self._socket.close()

    def _acknowledge_at_once(self) -> None:
        """Do not delay the TCP acknowledgement by 40 ms, for which a broker with Nagle's algorithm would wait.

        The next packet may be the acknowledgement of an alarm; mosquitto is such a broker. The option does not last,
        see tcp(7).
        """
        with contextlib.suppress(OSError):  # without this option only the 40 ms are lost
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)

    def _remember(self, error: OSError) -> None:
        if not isinstance(error, BlockingIOError | ssl.SSLWantReadError | ssl.SSLWantWriteError):
            self.error = error


def open_socket(
    host: str, port: int, tls: ssl.SSLContext | None, *, timeout_s: float, clock: Callable[[], float] = time.monotonic
) -> BrokerSocket:
    """Connect, and shake hands.

    Args:
        host: name or address.
        port: of the broker.
        tls: None for none.
        timeout_s: for each address of the host, and for the handshake.
        clock: monotonic, in seconds.

    Raises:
        OSError: see `trouble_of`.
    """
    connected = socket.create_connection((host, port), timeout=timeout_s)
    try:
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # no packet waits for another
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER_BYTES)
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER_BYTES)
        if tls is None:
            return BrokerSocket(connected, clock)
        # Of an address the certificate is compared with its IP addresses, which have no zone ("%eth0").
        return BrokerSocket(tls.wrap_socket(connected, server_hostname=host.partition("%")[0]), clock)
    except BaseException:
        connected.close()
        raise
