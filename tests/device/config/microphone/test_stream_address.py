"""Addresses of streams: a login in one is refused without being shown, and put in only where the stream is opened."""

from __future__ import annotations

from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.config.loading import parse_config
from device.config.microphone.stream_address import address_mistake, is_stream, shown_address, with_login
from device.errors import ConfigError


@pytest.mark.parametrize(
    "address",
    [
        "rtsp://192.168.1.20/stream1",
        "rtsps://camera.local:322/live?channel=1&subtype=0",
        "http://[fe80::1]:8000/radio.mp3",
        "HTTPS://example.org",
        "rtsp://192.168.1.20/user={username}&password={password}&channel=1",
        "rtsp://cam/?token={password}",
        "http://cam/monkey=3",
    ],
)
def test_an_address_without_a_login_is_accepted(address: str) -> None:
    assert is_stream(address)
    assert address_mistake(address) is None


@pytest.mark.parametrize("device", ["default", "USB Audio", "rtsp", "rtsp camera", "port:1-1.2", "ftp://host/x"])
def test_a_sound_card_is_no_stream(device: str) -> None:
    assert not is_stream(device)


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("rtsp://anna:hunter2@192.168.1.20/x", "holds a login"),
        ("rtsp://hunter2@192.168.1.20/x", "holds a login"),
        ("rtsp://anna:hunt/er2@192.168.1.20/x", "holds a login"),
        ("rtsp://cam/user=anna&password=hunter2&channel=1", "holds a login"),
        ("http://cam/x?pwd=hunter2", "holds a login"),
        ("http://cam/x?token={password}hunter2", "holds a login"),
        ("rtsp://anna:hunter2?@cam/x", "is no address"),
        ("rtsp://cam/hunter2\t", "a space or a control character"),
        (" rtsp://cam/hunter2", "a space or a control character"),
        ("rtsp:/hunter2", "is no address"),
        ("rtsp://", "is no address"),
        ("rtsp://cam:99999/hunter2", "is no address"),
        ("rtsp://cam:0/hunter2", "is no address"),
        ("rtsp://cam:55\u0664/hunter2", "is no address"),  # a digit of another script
        ("rt\u017fp://cam/hunter2", "is no address"),  # a long s, which is an s in disguise
        ("rtsp://cam:hunter2/", "is no address"),
        ("rtsp://[::1/hunter2", "is no address"),
    ],
)
def test_a_mistake_in_an_address_is_a_sentence_that_shows_nothing_of_it(address: str, says: str) -> None:
    text = '[microphone]\ndevice = "' + address.replace("\t", "\\t") + '"\n'
    with pytest.raises(ConfigError, match=says) as refused:
        parse_config(text, source="anna.toml")
    assert str(refused.value).startswith('anna.toml, line 2: in [microphone] "device" ')
    assert "hunter2" not in str(refused.value)


def test_a_stream_has_its_own_rate() -> None:
    with pytest.raises(ConfigError, match=r'line 3: in \[microphone\] "sample_rate_hz" is for a sound card'):
        parse_config('[microphone]\ndevice = "rtsp://cam/x"\nsample_rate_hz = 16000\n', source="anna.toml")


@given(st.text(min_size=1).filter(str.isprintable), st.text().filter(str.isprintable))
def test_whatever_a_login_holds_a_client_reads_it_from_the_address(username: str, password: str) -> None:
    opened = urlsplit(with_login("rtsp://camera:554/live?channel=1", username, password))
    assert (opened.hostname, opened.port, opened.path, opened.query) == ("camera", 554, "/live", "channel=1")
    assert (unquote(opened.username or ""), unquote(opened.password or "")) == (username, password)


def test_a_camera_that_wants_the_login_elsewhere_gets_it_there_alone() -> None:
    address = "rtsp://cam/user={username}&password={password}"
    assert with_login(address, "anna", "a&b") == "rtsp://cam/user=anna&password=a%26b"
    assert with_login("rtsp://cam/?token={password}", None, "x") == "rtsp://cam/?token=x"


def test_without_a_login_nothing_is_added_and_a_query_is_not_shown() -> None:
    assert with_login("HTTP://cam/X?key=1", None, None) == "http://cam/X?key=1"
    assert shown_address("http://cam/x?key=1#2") == "http://cam/x"
