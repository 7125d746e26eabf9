"""Finds the microphone that `device = "..."` of the configuration means.

A microphone is selected by its name, by its USB identity, or by the USB port it is plugged into; never by a
number, which changes at boot. Knows no PortAudio: its list is an argument, and USB identities are read from sysfs.
The capture child imports this, so it uses no dataclasses, which cost a process more than a megabyte.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from device.errors import MicrophoneError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

SYSFS = Path("/sys")
DEFAULT = "default"
NO_MICROPHONE = (
    "no microphone is there: plug one in and see whether `arecord -l` lists it; "
    "whoever runs Auricle must be in the group audio"
)

_USB = re.compile(r"usb:([0-9a-f]{1,4}):([0-9a-f]{1,4})(?::(.+))?", re.IGNORECASE)
_PORT = re.compile(r"port:([0-9]+-[0-9]+(?:\.[0-9]+)*)", re.IGNORECASE)
# PortAudio appends the card's and the device's number, which change at boot: "USB Audio: - (hw:1,0)".
_NUMBERS = re.compile(r"\s*\(hw:([0-9]+),[0-9]+\)\s*$")
_SYSFS_LEVELS = 8  # from the card up to the device on the bus: two, hubs are no levels


class UsbIdentity(NamedTuple):
    """Identity of a USB device, by its own descriptors.

    Attributes:
        vendor: four lower-case hexadecimal digits.
        product: likewise.
        serial: None if it has none, as most cheap ones.
    """

    vendor: str
    product: str
    serial: str | None = None

    def __str__(self) -> str:
        return ":".join(("usb", *(part for part in self if part is not None)))


class Card(NamedTuple):
    """What sysfs knows of a sound card; both None if it is not on the USB."""

    usb: UsbIdentity | None = None
    port: str | None = None


class ListedDevice(NamedTuple):
    """A device that can record, as PortAudio lists it, with what sysfs adds.

    Attributes:
        number: PortAudio's; only good for opening it now.
        name: PortAudio's, with the card's number if it has one.
        host_api: PortAudio's interface to it, such as "ALSA".
        channels: of its input; virtual devices report 32 or more.
        default_rate_hz: used unless another is configured.
        rates_hz: those of the usual rates that it accepts; empty if they were not tried, or it is in use.
        usb: its identity; None if it is not on the USB.
        port: USB port it is plugged into, such as "1-1.2".
        is_default: whether `device = "default"` selects it now.
    """

    number: int
    name: str
    host_api: str
    channels: int
    default_rate_hz: int
    rates_hz: tuple[int, ...] = ()
    usb: UsbIdentity | None = None
    port: str | None = None
    is_default: bool = False

    @property
    def stable_name(self) -> str:
        """The name without the numbers that change at boot."""
        return stable_name(self.name)


class DeviceSelector(NamedTuple):
    """The meaning of `device = "..."`.

    Attributes:
        text: as written, for messages.
        kind: what selects the microphone.
        name: for kind "name": the name, or a part of it.
        usb: for kind "usb"; without a serial any serial matches.
        port: for kind "port".
    """

    text: str
    kind: Literal["default", "name", "usb", "port"]
    name: str = ""
    usb: UsbIdentity | None = None
    port: str = ""


def parse_device(text: str) -> DeviceSelector:
    """Parse a `device` of the configuration.

    Raises:
        MicrophoneError: it begins as a USB identity or a port but is not a valid one, or it is empty.
    """
    stripped = text.strip()
    folded = stripped.casefold()
    if folded == DEFAULT:
        return DeviceSelector(text, "default")
    if folded.startswith("usb:"):
        return DeviceSelector(text, "usb", usb=_parse_usb(stripped))
    if folded.startswith("port:"):
        return DeviceSelector(text, "port", port=_parse_port(stripped))
    name = stable_name(stripped)
    if not name:
        raise MicrophoneError(f'device = "{text}" names no microphone: auricle devices lists what to write')
    return DeviceSelector(text, "name", name=name)


def stable_name(name: str) -> str:
    """A device's name without the numbers that change at boot: "USB Audio: - (hw:1,0)" is "USB Audio: -"."""
    return _NUMBERS.sub("", name).strip()


def card_number(name: str) -> int | None:
    """Number of the ALSA card in a name of PortAudio's; None if it has none, as virtual devices."""
    found = _NUMBERS.search(name)
    return int(found[1]) if found else None


def card_identity(number: int, sysfs: Path = SYSFS) -> Card:
    """USB identity and port of an ALSA card, from /sys/class/sound/cardN/device and its parents.

    Args:
        number: of the card, as the kernel counts them now.
        sysfs: where sysfs is mounted.
    """
    try:
        card_folder = (sysfs / "class" / "sound" / f"card{number}" / "device").resolve(strict=True)
    except (OSError, RuntimeError):  # unplugged just now, or no sysfs here
        return Card()
    for folder in (card_folder, *card_folder.parents)[:_SYSFS_LEVELS]:
        vendor, product = _attribute(folder, "idVendor"), _attribute(folder, "idProduct")
        if vendor and product:
            return Card(UsbIdentity(vendor.lower(), product.lower(), _attribute(folder, "serial")), folder.name)
    return Card()


def choose(devices: Iterable[ListedDevice], selector: DeviceSelector) -> ListedDevice:
    """The one device that the selector matches; an exact name precedes a part of one.

    Raises:
        MicrophoneError: none or several match; the message lists the devices.
    """
    recording = [device for device in devices if device.channels > 0]
    found = _found(recording, selector)
    if len(found) == 1:
        return found[0]
    if not recording:
        raise MicrophoneError(NO_MICROPHONE)
    raise MicrophoneError(_ambiguous(found, selector, recording) if found else _absent(selector, recording))


def identity(device: ListedDevice, among: Sequence[ListedDevice]) -> str | None:
    """The `device = "..."` that selects exactly this device, whatever its number; None if nothing does."""
    usb = [str(device.usb)] if device.usb else []
    port = [f"port:{device.port}"] if device.port else []
    candidates = (*usb, *port, device.stable_name)
    return next((text for text in candidates if _selects(text, device, among)), None)


def _parse_usb(text: str) -> UsbIdentity:
    found = _USB.fullmatch(text)
    if not found:
        raise MicrophoneError(
            f'device = "{text}" is no USB identity: usb:VENDOR:PRODUCT or usb:VENDOR:PRODUCT:SERIAL in hexadecimal, '
            "as auricle devices shows it, would be"
        )
    return UsbIdentity(found[1].lower().zfill(4), found[2].lower().zfill(4), found[3])


def _parse_port(text: str) -> str:
    found = _PORT.fullmatch(text)
    if not found:
        raise MicrophoneError(f'device = "{text}" is no USB port: port:1-1.2, as auricle devices shows it, would be')
    return found[1]


def _attribute(folder: Path, name: str) -> str | None:
    """An attribute in sysfs; None if it is missing or empty."""
    try:
        return (folder / name).read_text(encoding="utf-8", errors="replace").strip() or None
    except OSError:
        return None


def _selects(text: str, device: ListedDevice, among: Sequence[ListedDevice]) -> bool:
    try:
        return _found(among, parse_device(text)) == [device]
    except MicrophoneError:  # its name only looks like an identity
        return False


def _found(devices: Iterable[ListedDevice], selector: DeviceSelector) -> list[ListedDevice]:
    """All devices that match, each once."""
    return _distinct(_matching([device for device in devices if device.channels > 0], selector))


def _matching(devices: list[ListedDevice], selector: DeviceSelector) -> list[ListedDevice]:
    if selector.kind == "default":
        return [device for device in devices if device.is_default]
    if selector.kind == "port":
        return [device for device in devices if device.port == selector.port]
    if selector.kind == "usb":
        return [device for device in devices if _is_usb(device, selector.usb)]
    sought = selector.name.casefold()
    exact = [device for device in devices if device.stable_name.casefold() == sought]
    return exact or [device for device in devices if sought in device.stable_name.casefold()]


def _is_usb(device: ListedDevice, usb: UsbIdentity | None) -> bool:
    if device.usb is None or usb is None or device.usb[:2] != usb[:2]:
        return False
    return usb.serial is None or (device.usb.serial or "").casefold() == usb.serial.casefold()


def _distinct(devices: list[ListedDevice]) -> list[ListedDevice]:
    """Without duplicates: the same card, or the same name through another API."""
    kept: list[ListedDevice] = []
    for device in devices:
        if not any(_is_duplicate(device, other) for other in kept):
            kept.append(device)
    return kept


def _is_duplicate(device: ListedDevice, other: ListedDevice) -> bool:
    card = card_number(device.name)
    if card is not None and card == card_number(other.name):
        return True
    return device.host_api != other.host_api and device.name == other.name


def _absent(selector: DeviceSelector, devices: list[ListedDevice]) -> str:
    sought = "no microphone is the default" if selector.kind == "default" else f'no microphone is "{selector.text}"'
    return f"{sought}; there {_are(len(devices))} {_listed(devices)}"


def _ambiguous(found: list[ListedDevice], selector: DeviceSelector, devices: list[ListedDevice]) -> str:
    sentence = f'"{selector.text}" could be any of {len(found)} microphones'
    if selector.kind == "usb" and all(device.port for device in found):
        ports = " or ".join(f'"port:{device.port}"' for device in found)
        return f"{sentence} that say they are the same; only the port tells them apart: write {ports}"
    selectors = (identity(device, devices) or device.stable_name for device in found)
    return f"{sentence}: write " + " or ".join(f'"{text}"' for text in selectors)


def _listed(devices: list[ListedDevice]) -> str:
    return ", ".join(_described(device) for device in devices)


def _described(device: ListedDevice) -> str:
    if device.usb is None:
        return f'"{device.stable_name}"'
    return f'"{device.stable_name}" ({device.usb}, port:{device.port})'


def _are(count: int) -> str:
    return "is" if count == 1 else "are"
