"""Every operation of the HTTP interface, asked by schemathesis as its OpenAPI document allows, and as it does not.

A real page beside a real daemon that raises alarms, answers commands and keeps clips. Nothing may fail, and every
status, header and content must be one that the document names. The examples are the same in every run.
"""

from __future__ import annotations

import io
import itertools
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import schemathesis
import soundfile
from hypothesis import HealthCheck, settings
from schemathesis.checks import load_all_checks
from schemathesis.config import SchemathesisConfig
from schemathesis.specs.openapi.checks import positive_data_acceptance

from device.web.access.accounts import Account, write_accounts
from device.web.access.proofs import new_token, token_proof
from device.web.server.openapi import openapi_document
from tests.system.conftest import wait_until
from tests.system.operation.running_page import RunningPage
from tests.system.running_daemon import AURICLE, RATE_HZ, RunningDaemon, Sounds

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.system

WITHIN_S = 30.0
EXAMPLES = 8
"""For each operation, beside those at the edges of what it allows."""

TOKENS = [new_token() for _ in range(8)]
TURNS = itertools.cycle(TOKENS)
"""Programs ask in turn: one alone would often be told to wait before its next command."""
CONFIG = """
[web]
classify = true
accounts_file = "{folder}/accounts"
[clips]
enabled = true
folder = "{folder}/clips"
after_s = 1
[alarms]
latch = "high"
"""
CLIP = "/api/clips/{year}/{month}/{name}"
UNNAMED = {"/api/classify", "/api/sound", CLIP}
"""Is off here; or takes recordings, names of models and parts of files that no schema can describe, and most that it
allows is refused."""

DOCUMENT = schemathesis.openapi.from_dict(
    openapi_document(), config=SchemathesisConfig.from_dict({"seed": 1, "max-stream-events": 1})
)
load_all_checks()


@schemathesis.serializer("audio/flac")
def _a_recording(_context: schemathesis.SerializationContext, _value: object) -> bytes:
    """A real one, that is heard."""
    file = io.BytesIO()
    soundfile.write(file, np.zeros(RATE_HZ, np.int16), RATE_HZ, format="FLAC")
    return file.getvalue()


@schemathesis.serializer("audio/wav", "audio/ogg")
def _no_recording(_context: schemathesis.SerializationContext, value: object) -> bytes:
    return str(value).encode()


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPage]:
    folder = tmp_path_factory.mktemp("interface")
    programs = [Account(f"program-{number}", "operator", token_proof(token)) for number, token in enumerate(TOKENS)]
    write_accounts(folder / "accounts", programs)
    sounds = Sounds(folder)
    night = sounds.write("night.wav", [sounds.room(2.0), sounds.crying(4.0), sounds.room(8.0)] * 10)
    command = [str(AURICLE), "listen", "--source", str(night), "--loop", "--shed"]
    with RunningDaemon(folder, {}, CONFIG.format(folder=folder), command=command) as daemon:
        daemon.wait_until_it_hears()
        with RunningPage(daemon) as page:
            wait_until(lambda: _clip(page), "a clip", WITHIN_S)
            yield page


@DOCUMENT.parametrize()
@settings(
    max_examples=EXAMPLES, derandomize=True, database=None, deadline=None, suppress_health_check=list(HealthCheck)
)
def test_every_operation_answers_as_the_document_says(case: schemathesis.Case[Any], page: RunningPage) -> None:
    if case.path == CLIP and case.method == "GET" and case.meta and case.meta.generation.mode.is_positive:
        clip = _clip(page)
        assert clip is not None
        case.path_parameters = dict(zip(("year", "month", "name"), clip["sound"].split("/")[2:], strict=True))
    bearer = _bearer(next(TURNS))
    answer = case.call(base_url=page.address.rstrip("/"), headers=bearer, timeout=WITHIN_S)
    while answer.status_code == 429:
        time.sleep(float(answer.headers["retry-after"][0]))
        answer = case.call(base_url=page.address.rstrip("/"), headers=bearer, timeout=WITHIN_S)
    excluded: Any = [positive_data_acceptance] if case.path in UNNAMED else []
    case.validate_response(answer, headers=bearer, excluded_checks=excluded)


def _bearer(token: str = TOKENS[0]) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def _clip(page: RunningPage) -> dict[str, Any] | None:
    """The newest clip."""
    clips = page.browser().get("api/clips", headers=_bearer()).json()["clips"]
    return clips[-1] if clips else None
