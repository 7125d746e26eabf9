"""What `device = "..."` means: by name, USB identity or port, and never by a number that changes at boot."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.errors import MicrophoneError
from device.sources.device_match import (
    ListedDevice,
    UsbIdentity,
    card_identity,
    card_number,
    choose,
    identity,
    parse_device,
    stable_name,
)

if TYPE_CHECKING:
    from pathlib import Path

CHEAP = UsbIdentity("0d8c", "0014")


def listed(number: int, name: str, **more: object) -> ListedDevice:
    described = ListedDevice(number=number, name=name, host_api="ALSA", channels=1, default_rate_hz=48000)
    return described._replace(**more)  # type: ignore[arg-type]  # the fields of a test's case


LEFT = listed(1, "USB PnP Sound Device: Audio (hw:1,0)", usb=CHEAP, port="1-1.2")
RIGHT = listed(2, "USB PnP Sound Device: Audio (hw:2,0)", usb=CHEAP, port="1-1.3")
BLUE = listed(3, "Yeti: USB Audio (hw:3,0)", usb=UsbIdentity("b58e", "9e84", "REV8:1"), port="3-2")
DEFAULT = listed(4, "default", is_default=True)
SPEAKER = listed(5, "HDMI (hw:0,0)", channels=0)
ALL = [LEFT, RIGHT, BLUE, DEFAULT, SPEAKER]


def make_card(sysfs: Path, number: int, port: str, **attributes: str) -> None:
    """What the kernel makes of a USB microphone: the card's `device` leads to an interface below the USB device."""
    usb = sysfs / "devices" / "platform" / "usb1" / "1-1" / port
    interface = usb / f"{port}:1.0"
    interface.mkdir(parents=True)
    for name, value in attributes.items():
        (usb / name).write_text(f"{value}\n")
    card = sysfs / "class" / "sound" / f"card{number}"
    card.mkdir(parents=True)
    (card / "device").symlink_to(interface)


def test_a_usb_card_is_known_by_vendor_product_serial_and_port(tmp_path: Path) -> None:
    make_card(tmp_path, 1, "1-1.2", idVendor="0D8C", idProduct="0014", serial="A 1")
    assert card_identity(1, tmp_path) == (UsbIdentity("0d8c", "0014", "A 1"), "1-1.2")


def test_a_usb_card_without_serial_is_known_by_its_port_still(tmp_path: Path) -> None:
    make_card(tmp_path, 0, "1-1.3", idVendor="0d8c", idProduct="0014")
    assert card_identity(0, tmp_path) == (UsbIdentity("0d8c", "0014", None), "1-1.3")


def test_a_card_that_is_on_no_bus_or_gone_has_no_identity(tmp_path: Path) -> None:
    onboard = tmp_path / "devices" / "platform" / "soc" / "bcm2835_audio"
    onboard.mkdir(parents=True)
    card = tmp_path / "class" / "sound" / "card0"
    card.mkdir(parents=True)
    (card / "device").symlink_to(onboard)
    assert card_identity(0, tmp_path) == (None, None)
    assert card_identity(7, tmp_path) == (None, None)


def test_the_numbers_of_card_and_device_are_no_part_of_a_name() -> None:
    assert stable_name("USB PnP Sound Device: Audio (hw:1,0)") == "USB PnP Sound Device: Audio"
    assert stable_name("default") == "default"
    assert card_number("Yeti: USB Audio (hw:12,0)") == 12
    assert card_number("pulse") is None


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("default", DEFAULT),
        (" Default ", DEFAULT),
        ("yeti", BLUE),
        ("Yeti: USB Audio", BLUE),
        ("Yeti: USB Audio (hw:9,0)", BLUE),
        ("usb:b58e:9e84", BLUE),
        ("USB:B58E:9E84", BLUE),
        ("usb:b58e:9e84:rev8:1", BLUE),
        ("port:1-1.2", LEFT),
        ("port:1-1.3", RIGHT),
    ],
)
def test_a_microphone_is_meant_by_name_identity_or_port(text: str, meant: ListedDevice) -> None:
    assert choose(ALL, parse_device(text)) == meant


def test_an_exact_name_goes_before_a_part_of_one() -> None:
    mic, pro = listed(0, "Mic (hw:0,0)"), listed(1, "Mic Pro (hw:1,0)")
    assert choose([pro, mic], parse_device("mic")) == mic
    assert choose([mic, pro], parse_device("pro")) == pro


def test_a_number_in_a_name_is_never_matched() -> None:
    with pytest.raises(MicrophoneError, match='no microphone is "1,0"'):
        choose(ALL, parse_device("1,0"))


def test_two_identical_microphones_are_told_apart_by_their_port_and_the_message_says_so() -> None:
    for text in ("usb:0d8c:0014", "usb:d8c:14"):
        with pytest.raises(MicrophoneError) as caught:
            choose(ALL, parse_device(text))
        assert "only the port tells them apart" in str(caught.value)
        assert '"port:1-1.2" or "port:1-1.3"' in str(caught.value)


def test_an_ambiguous_name_is_refused_with_what_to_write_instead() -> None:
    with pytest.raises(MicrophoneError, match=r'could be any of 2.*"port:1-1.2" or "port:1-1.3"'):
        choose(ALL, parse_device("PnP"))
    with pytest.raises(MicrophoneError, match=r'could be any of 3.*"usb:b58e:9e84:REV8:1"'):
        choose(ALL, parse_device("audio"))


def test_a_serial_that_is_not_there_matches_nothing_else() -> None:
    with pytest.raises(MicrophoneError) as caught:
        choose(ALL, parse_device("usb:0d8c:0014:77"))
    assert str(caught.value) == (
        'no microphone is "usb:0d8c:0014:77"; there are '
        '"USB PnP Sound Device: Audio" (usb:0d8c:0014, port:1-1.2), '
        '"USB PnP Sound Device: Audio" (usb:0d8c:0014, port:1-1.3), '
        '"Yeti: USB Audio" (usb:b58e:9e84:REV8:1, port:3-2), "default"'
    )


def test_what_cannot_record_is_no_microphone() -> None:
    with pytest.raises(MicrophoneError, match="plug one in"):
        choose([SPEAKER], parse_device("HDMI"))
    with pytest.raises(MicrophoneError, match="no microphone is the default; there is "):
        choose([LEFT, SPEAKER], parse_device("default"))


def test_one_card_with_two_ways_in_is_one_microphone() -> None:
    second = LEFT._replace(number=9, name="USB PnP Sound Device: Audio #1 (hw:1,1)")
    assert choose([LEFT, second], parse_device("usb:0d8c:0014")) == LEFT
    other = DEFAULT._replace(number=8, host_api="OSS")
    assert choose([DEFAULT, other], parse_device("default")) == DEFAULT


@pytest.mark.parametrize("text", ["usb:", "usb:0d8c", "usb:wxyz:0014", "port:", "port:one", "port:1", "", " (hw:1,0)"])
def test_what_can_name_no_microphone_is_refused(text: str) -> None:
    with pytest.raises(MicrophoneError):
        parse_device(text)


def test_identities_are_what_to_write_whatever_the_numbers_are() -> None:
    assert [identity(device, ALL) for device in ALL[:4]] == [
        "port:1-1.2",
        "port:1-1.3",
        "usb:b58e:9e84:REV8:1",
        "default",
    ]
    twins = [listed(0, "Codec (hw:0,0)"), listed(1, "Codec (hw:1,0)")]
    assert [identity(device, twins) for device in twins] == [None, None]


_HEX = st.text("0123456789abcdef", min_size=4, max_size=4)
_DEVICES = st.lists(
    st.builds(
        listed,
        st.integers(0, 3),
        st.sampled_from(["Mic", "Mic Pro", "USB Audio: -", "usb: -", "default"]),
        usb=st.none() | st.builds(UsbIdentity, st.sampled_from(["0d8c", "1234"]), _HEX, st.none() | st.just("S1")),
        port=st.none() | st.sampled_from(["1-1", "1-1.2", "2-4"]),
    ),
    max_size=5,
)


@given(_DEVICES)
def test_an_identity_that_is_shown_always_means_that_device_and_survives_new_numbers(
    devices: list[ListedDevice],
) -> None:
    numbered = [device._replace(number=n, name=f"{device.name} (hw:{n},0)") for n, device in enumerate(devices)]
    last = len(numbered) - 1
    renumbered = [
        device._replace(number=last - n, name=f"{device.stable_name} (hw:{last - n},0)")
        for n, device in enumerate(numbered)
    ]
    for device, later in zip(numbered, renumbered, strict=True):
        text = identity(device, numbered)
        if text is not None:
            assert choose(renumbered, parse_device(text)) == later
