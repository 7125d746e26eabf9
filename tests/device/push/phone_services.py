"""A local server that behaves like ntfy and Pushover, as their public documentation describes them, faults included.

Faults are queued: each request takes the next one. What a phone would show is in `shown`; what was asked in `requests`.
"""

from __future__ import annotations

import json
import socket
import struct
import threading
import time
from collections import deque
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import parse_qs, urlsplit

if TYPE_CHECKING:
    import ssl

TOPIC = "room-of-anna-7f3k9"
NTFY_TOKEN = "tk_" + "n" * 29
APP_TOKEN = "a" * 30
USER_KEY = "u" * 30


class PhoneServices:
    """The server; a context manager.

    Args:
        context: for TLS; None for none.

    Attributes:
        shown: messages that were accepted, as sent: JSON of ntfy, form of Pushover.
        requests: (method, path, headers) of all.
        faults: what happens to the next requests: a status, "reset", "half", "slow", "elsewhere", or a pair of a status
            and a value of Retry-After.
        ntfy_token: that ntfy wants; None for none.
        replies: published to reply topics, as ntfy's stream has them.
        receipts: of emergencies: receipt -> its state.
        pings: paths of a watcher that were called.
        is_down: every connection is reset.
    """

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        self.shown: list[dict[str, Any]] = []
        self.requests: list[tuple[str, str, dict[str, str]]] = []
        self.faults: deque[Any] = deque()
        self.ntfy_token: str | None = None
        self.replies: list[dict[str, Any]] = []
        self.receipts: dict[str, dict[str, Any]] = {}
        self.cancelled: list[str] = []
        self.pings: list[str] = []
        self.elsewhere = "http://127.0.0.1:9/"
        self.is_down = False
        self.slow_s = 3.0
        self.lock = threading.Lock()
        services = self

        class Handler(_Handler):
            phone = services

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.scheme = "http"
        if context is not None:
            self.scheme = "https"
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.port = int(self._server.server_address[1])
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def origin(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}"

    @property
    def ntfy_url(self) -> str:
        return f"{self.origin}/{TOPIC}"

    def messages(self) -> list[dict[str, Any]]:
        with self.lock:
            return list(self.shown)

    def press(self, message: dict[str, Any], button: int = 0) -> None:
        """What the app does when somebody presses a button of a message of ntfy."""
        action = message["actions"][button]
        topic = urlsplit(action["url"]).path.rpartition("/")[2]
        with self.lock:
            number = len(self.replies) + 1
            self.replies.append({"id": f"r{number}", "event": "message", "topic": topic, "message": action["body"]})

    def acknowledge(self, receipt: str, device: str = "iphone") -> None:
        """What Pushover notes when somebody acknowledges an emergency."""
        with self.lock:
            self.receipts[receipt] |= {"acknowledged": 1, "acknowledged_by_device": device}


class _Handler(BaseHTTPRequestHandler):
    phone: PhoneServices
    protocol_version = "HTTP/1.1"

    def log_message(self, *_arguments: object) -> None:
        return

    def do_POST(self) -> None:
        self._handle()

    def do_GET(self) -> None:
        self._handle()

    def _handle(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        phone = self.phone
        with phone.lock:
            phone.requests.append((self.command, self.path, dict(self.headers.items())))
            fault = phone.faults.popleft() if phone.faults else None
        if phone.is_down:
            fault = "reset"
        if fault is not None:
            self._fail(fault)
            return
        with phone.lock:
            status, answer = self._answer(body)
        self._send(status, answer)

    def _fail(self, fault: Any) -> None:
        match fault:
            case "reset":
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.close_connection = True
                self.connection.close()
            case "half":
                self.wfile.write(
                    b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 400\r\n\r\n{"id"'
                )
                self.wfile.flush()
                self.close_connection = True
                self.connection.shutdown(socket.SHUT_RDWR)
            case "slow":
                deadline_s = time.monotonic() + self.phone.slow_s
                try:
                    while time.monotonic() < deadline_s:
                        self.wfile.write(b"H")
                        self.wfile.flush()
                        time.sleep(0.05)
                except OSError:
                    pass
                self.close_connection = True
            case "elsewhere":
                self._send(307, {}, {"Location": self.phone.elsewhere})
            case (int(status), str(after)):
                self._send(status, {"error": "wait"}, {"Retry-After": after})
            case _:
                self._send(int(fault), {"error": "no", "errors": ["no"], "status": 0})

    def _answer(self, body: bytes) -> tuple[int, Any]:
        parts = urlsplit(self.path)
        if parts.path.startswith("/ping/"):
            self.phone.pings.append(parts.path)
            return 200, "OK"
        if parts.path.startswith("/1/"):
            return self._pushover(
                parts.path,
                {
                    name: values[0]
                    for name, values in parse_qs(parts.query if self.command == "GET" else body.decode()).items()
                },
            )
        return self._ntfy(parts.path, parts.query, body)

    # --- ntfy

    def _ntfy(self, path: str, query: str, body: bytes) -> tuple[int, Any]:
        phone = self.phone
        if phone.ntfy_token is not None and self.headers.get("Authorization") != f"Bearer {phone.ntfy_token}":
            return 401, {"code": 40101, "http": 401, "error": "unauthorized"}
        if self.command == "GET":
            topic, since = path.split("/")[-2], parse_qs(query)["since"][0]
            ids = [reply["id"] for reply in phone.replies]
            after = phone.replies[ids.index(since) + 1 :] if since in ids else phone.replies
            return 200, "\n".join(json.dumps(reply) for reply in after if reply["topic"] == topic)
        message = json.loads(body)
        if path != "/" or message["topic"] != TOPIC or len(message["message"].encode()) > 4096:
            return 400, {"code": 40009, "http": 400, "error": "invalid"}
        phone.shown.append(message)
        return 200, {"id": f"m{len(phone.shown)}", "event": "message", **message}

    # --- Pushover

    def _pushover(self, path: str, fields: dict[str, str]) -> tuple[int, Any]:
        phone = self.phone
        if fields.get("token") != APP_TOKEN:
            return 400, {"token": "invalid", "errors": ["application token is invalid"], "status": 0}
        if path == "/1/messages.json":
            return self._pushover_message(fields)
        receipt = path.split("/")[3].removesuffix(".json")
        if receipt not in phone.receipts:
            return 404, {"receipt": "not found", "errors": ["receipt not found"], "status": 0}
        if path.endswith("/cancel.json"):
            phone.cancelled.append(receipt)
            return 200, {"status": 1}
        return 200, {"status": 1, **phone.receipts[receipt]}

    def _pushover_message(self, fields: dict[str, str]) -> tuple[int, Any]:
        phone = self.phone
        if fields.get("user") != USER_KEY:
            return 400, {"user": "invalid", "errors": ["user identifier is invalid"], "status": 0}
        if not fields.get("message") or len(fields["message"]) > 1024 or len(fields.get("title", "")) > 250:
            return 400, {"message": "invalid", "errors": ["message is invalid"], "status": 0}
        answer: dict[str, Any] = {"status": 1, "request": f"q{len(phone.shown)}"}
        if fields.get("priority") == "2":
            if not int(fields.get("retry", "0")) >= 30 or not 1 <= int(fields.get("expire", "0")) <= 10800:
                return 400, {"retry": "invalid", "errors": ["retry and expire are needed"], "status": 0}
            answer["receipt"] = f"r{len(phone.receipts)}".ljust(30, "x")
            phone.receipts[answer["receipt"]] = {"acknowledged": 0, "expired": 0, "acknowledged_by_device": ""}
        phone.shown.append({**fields, "receipt": answer.get("receipt", "")})
        return 200, answer

    def _send(self, status: int, answer: Any, headers: dict[str, str] | None = None) -> None:
        data = (answer if isinstance(answer, str) else json.dumps(answer)).encode()
        try:
            self.send_response(status)
            for name, value in {"Content-Length": str(len(data)), **(headers or {})}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(data)
        except OSError:
            pass
