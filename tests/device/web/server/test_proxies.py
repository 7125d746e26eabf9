"""Behind a proxy or in Home Assistant's frame: the configured address alone is believed, and any path works."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from device.config.web_settings import WebSettings
from tests.device.web.site import PASSWORD, TOKEN, Site

if TYPE_CHECKING:
    from pathlib import Path

    from device.runtime.daemon_state import DaemonState

INGRESS = {"x-ingress-path": "/api/hassio_ingress/abc", "x-forwarded-for": "192.0.2.7", "x-forwarded-proto": "https"}


def test_what_the_configured_proxy_says_is_believed(tmp_path: Path, state: DaemonState) -> None:
    web = WebSettings(proxy="127.0.0.1", frame_ancestors="self")
    with Site(tmp_path, state, web=web) as site:
        answer = site.client.post("/login", data={"name": "anna", "password": PASSWORD}, headers=INGRESS)
        cookie = answer.headers["set-cookie"]
        assert "Path=/api/hassio_ingress/abc/" in cookie
        assert "Secure" in cookie
        assert "SameSite=lax" in cookie
        assert "HttpOnly" in cookie
        assert cookie.startswith("auricle_session_anna="), "another instance on this host has a cookie of its own"
        assert answer.headers["location"] == "./"
        assert site.reported == ["anna (operator) logs in from 192.0.2.7"]
        assert "frame-ancestors 'self'" in answer.headers["content-security-policy"]
        assert "x-frame-options" not in answer.headers


@pytest.mark.parametrize("proxy", [None, "192.0.2.1"])
def test_what_anybody_else_says_is_not(tmp_path: Path, state: DaemonState, proxy: str | None) -> None:
    with Site(tmp_path, state, web=WebSettings(proxy=proxy)) as site:
        answer = site.client.post("/login", data={"name": "anna", "password": PASSWORD}, headers=INGRESS)
        cookie = answer.headers["set-cookie"]
        assert "Path=/;" in cookie
        assert "Secure" not in cookie
        assert site.reported == ["anna (operator) logs in from 127.0.0.1"]
        wrong = {"name": "anna", "password": "x"}
        for number in range(6):
            told = site.client.post("/login", data=wrong, headers={"x-forwarded-for": f"198.51.100.{number}"})
        assert told.status_code == 429, "a made-up address does not buy another try"


@pytest.mark.parametrize("prefix", ["/auricle", "//evil.example", "/a\\b", "/a;b=c", "/" + "a" * 300])
def test_a_path_that_is_none_is_ignored(tmp_path: Path, state: DaemonState, prefix: str) -> None:
    with Site(tmp_path, state, web=WebSettings(proxy="127.0.0.1")) as site:
        headers = {"x-ingress-path": prefix}
        answer = site.client.post("/login", data={"name": "anna", "password": PASSWORD}, headers=headers)
        path = "/auricle/" if prefix == "/auricle" else "/"
        assert f"Path={path};" in answer.headers["set-cookie"]


def test_the_page_works_below_a_path_that_a_proxy_passes_on(tmp_path: Path, state: DaemonState) -> None:
    with Site(tmp_path, state, web=WebSettings(base_path="/auricle/")) as site:
        told = site.client.get("/auricle/api/state", headers={"authorization": f"Bearer {TOKEN}"})
        assert told.json()["hears"] is True
        answer = site.client.get("/auricle/")
        assert (answer.status_code, answer.headers["location"]) == (303, "./login")
        assert site.client.get("/auricle/static/auricle.css").status_code == 200
        assert (
            "Path=/auricle/"
            in site.client.post("/auricle/login", data={"name": "anna", "password": PASSWORD}).headers["set-cookie"]
        )
