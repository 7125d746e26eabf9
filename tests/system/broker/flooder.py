"""A client of a broker that publishes as fast as it can. Arguments: port, topic, QoS and payload bytes."""

from __future__ import annotations

import socket
import sys
import threading

from tests.system.broker.hostile_broker import packet, publish, text

_CHUNK_BYTES = 1 << 16


def main() -> None:
    """Publish until killed."""
    port, topic, qos, size = int(sys.argv[1]), sys.argv[2].encode(), int(sys.argv[3]), int(sys.argv[4])
    with socket.create_connection(("127.0.0.1", port)) as broker:
        broker.sendall(packet(0x10, text(b"MQTT") + b"\4\2\0\0" + text(b"flooder")))
        broker.recv(4)
        threading.Thread(target=_drain, args=(broker,), daemon=True).start()
        message = publish(qos, 1, topic, bytes(size), is_v5=False)
        chunk = message * (1 + _CHUNK_BYTES // len(message))
        while True:
            broker.sendall(chunk)


def _drain(broker: socket.socket) -> None:
    while broker.recv(1 << 16):
        pass


if __name__ == "__main__":
    main()
