"""Signals to a real `auricle push`: another configuration by SIGHUP, the old one kept where that is wrong, the end."""

from __future__ import annotations

import os
import signal
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.device.push.phone_services import PhoneServices
from tests.system.conftest import wait_until
from tests.system.running_daemon import AURICLE, private

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.system


def test_sighup_reads_the_configuration_anew_and_keeps_the_old_one_if_it_is_wrong(tmp_path: Path) -> None:
    config, printed = tmp_path / "anna.toml", tmp_path / "push.out"
    (tmp_path / "state" / "auricle" / "anna").mkdir(parents=True)
    with PhoneServices() as phone, printed.open("wb") as output:
        (tmp_path / "ping").write_text(f"{phone.origin}/ping/1")
        (tmp_path / "ping").chmod(0o600)
        config.write_text('[[notify]]\naddress_file = "gone"\n')
        process = subprocess.Popen(
            [str(AURICLE), "push", "--config", str(config)], env=private(tmp_path, {}), stdout=output, stderr=output
        )
        try:
            receipts = tmp_path / "state" / "auricle" / "anna" / "push.db"
            wait_until(receipts.exists, "the file of receipts")
            config.write_text("[[notify]]\nname = 'A'\n")
            wait_until(lambda: _asked(process, printed, 'line 2: "name" in [[notify]] is "A"'), "the refusal")
            assert "what was configured before is kept" in printed.read_text()
            config.write_text("")
            wait_until(lambda: _asked(process, printed, "[[notify]] is missing in the configuration"), "another")
            assert process.poll() is None
            process.send_signal(signal.SIGTERM)
            assert process.wait(20.0) == 0
        finally:
            process.kill()
            process.wait()
    assert receipts.stat().st_mode & 0o777 == 0o600


def _asked(process: subprocess.Popen[bytes], printed: Path, sentence: str) -> bool:
    process.send_signal(signal.SIGHUP)
    return sentence in printed.read_text()


def test_without_anybody_to_notify_it_says_so_and_ends(tmp_path: Path) -> None:
    config = tmp_path / "anna.toml"
    config.write_text("")
    ended = subprocess.run(
        [str(AURICLE), "push", "--config", str(config)],
        env=private(tmp_path, os.environ),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert ended.returncode == 2
    assert ended.stderr == (
        "auricle: [[notify]] is missing in the configuration: nobody is to be notified, see docs/push.md\n"
    )
