"""A real nginx in front of a page, with the lines that docs/web.md tells people to write."""

from __future__ import annotations

import re
import socket
import ssl
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Self

from tests.programs import program
from tests.system.conftest import wait_until

if TYPE_CHECKING:
    from collections.abc import Mapping

GUIDE = Path(__file__).resolve().parents[3] / "docs" / "web.md"
BASE_PATH = "/auricle/"
UP_WITHIN_S = 60.0
_MAIN = """
daemon off;
user root;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
{server}
}}
"""


class Nginx:
    """A context manager that kills it at the end.

    Args:
        folder: for its configuration, logs and temporary files; no other nginx uses it.
        page_port: of the page, on this machine.
        certificate: and its key, as files.
        key: of it.

    Attributes:
        address: of the page behind it, with its path.
    """

    def __init__(self, folder: Path, *, page_port: int, certificate: Path, key: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port: int = free.getsockname()[1]
        self.address = f"https://127.0.0.1:{self._port}{BASE_PATH}"
        self._folder = folder
        self._certificate = certificate
        self._process: subprocess.Popen[bytes] | None = None
        given = {
            "443": str(self._port),
            "127.0.0.1:8127": f"127.0.0.1:{page_port}",
            "nursery.local": "127.0.0.1",
            "/etc/ssl/nursery.crt": str(certificate),
            "/etc/ssl/nursery.key": str(key),
        }
        (folder / "nginx.conf").write_text(_MAIN.format(folder=folder, server=documented(given)))

    def __enter__(self) -> Self:
        command = [program("nginx"), "-p", str(self._folder), "-c", str(self._folder / "nginx.conf")]
        self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
        wait_until(self._answers, "an answer of nginx", UP_WITHIN_S)
        return self

    def __exit__(self, *_error: object) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(20.0)

    def _answers(self) -> bool:
        trust = ssl.create_default_context(cafile=self._certificate)
        try:
            with socket.create_connection(("127.0.0.1", self._port), 2.0) as connection:
                trust.wrap_socket(connection, server_hostname="127.0.0.1").close()
        except OSError:
            return False
        return True


def documented(given: Mapping[str, str]) -> str:
    """The lines of the guide, with what is of this trial in place of what is of a nursery."""
    found = re.search(r"```nginx\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
    assert found is not None
    lines = found[1]
    for written, ours in given.items():
        assert written in lines, written
        lines = lines.replace(written, ours)
    return lines
