"""What `device = "..."` means: which of the microphones that are there is the one that was asked for.

A microphone is named by its name, by its USB identity, or by the USB port it is plugged into; never by a
number, which changes at boot. Knows no PortAudio: what it lists is handed in, and who it is stands in sysfs.
The capture child imports this, so it does without dataclasses, which cost a process more than a megabyte.
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
    """Who a USB device says it is.

    Attributes:
        vendor: four lower-case hexadecimal digits.
        product: likewise.
        serial: None where it has none, as most cheap ones.
    """

    vendor: str
    product: str
    serial: str | None = None

    def __str__(self) -> str:
        return ":".join(("usb", *(part for part in self if part is not None)))


class Card(NamedTuple):
    """What sysfs knows of a sound card; both None where it sits on no USB port."""

    usb: UsbIdentity | None = None
    port: str | None = None


class ListedDevice(NamedTuple):
    """A device that can record, as PortAudio lists it, with what sysfs adds.

    Attributes:
        number: PortAudio's; good for opening it now, for nothing else.
        name: as PortAudio says it, with the card's number where it has one.
        host_api: through which PortAudio reaches it, such as "ALSA".
        channels: that it can record; virtual devices say 32 or more.
        default_rate_hz: that it opens at unless told.
        rates_hz: of the usual rates those that it accepts; empty where nobody tried, or it is in use.
        usb: who it says it is; None off the USB.
        port: USB port it is plugged into, such as "1-1.2".
        is_default: what `device = "default"` is at present.
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


class Wanted(NamedTuple):
    """What `device = "..."` asks for.

    Attributes:
        text: as it was given, for messages.
        kind: by what the microphone is recognized.
        name: where that is its name, or a part of it.
        usb: where that is its USB identity; no serial means any.
        port: where that is its USB port.
    """

    text: str
    kind: Literal["default", "name", "usb", "port"]
    name: str = ""
    usb: UsbIdentity | None = None
    port: str = ""


def parse_device(text: str) -> Wanted:
    """What a `device` of the configuration asks for.

    Raises:
        MicrophoneError: it begins as a USB identity or a port and then is none, or says nothing.
    """
    said = text.strip()
    folded = said.casefold()
    if folded == DEFAULT:
        return Wanted(text, "default")
    if folded.startswith("usb:"):
        return Wanted(text, "usb", usb=_parsed_usb(said))
    if folded.startswith("port:"):
        return Wanted(text, "port", port=_parsed_port(said))
    name = stable_name(said)
    if not name:
        raise MicrophoneError(f'device = "{text}" names no microphone: auricle devices lists what to write')
    return Wanted(text, "name", name=name)


def stable_name(name: str) -> str:
    """A device's name without the numbers that change at boot: "USB Audio: - (hw:1,0)" is "USB Audio: -"."""
    return _NUMBERS.sub("", name).strip()


def card_number(name: str) -> int | None:
    """Number of the ALSA card in a name that PortAudio gives; None where it has none, as of virtual devices."""
    found = _NUMBERS.search(name)
    return int(found[1]) if found else None


def card_identity(number: int, sysfs: Path = SYSFS) -> Card:
    """Who an ALSA card is: its USB device and port, from /sys/class/sound/cardN/device and up.

    Args:
        number: of the card, as the kernel counts them at present.
        sysfs: where sysfs is mounted.
    """
    try:
        place = (sysfs / "class" / "sound" / f"card{number}" / "device").resolve(strict=True)
    except (OSError, RuntimeError):  # pulled out just now, or no sysfs here
        return Card()
    for folder in (place, *place.parents)[:_SYSFS_LEVELS]:
        vendor, product = _attribute(folder, "idVendor"), _attribute(folder, "idProduct")
        if vendor and product:
            return Card(UsbIdentity(vendor.lower(), product.lower(), _attribute(folder, "serial")), folder.name)
    return Card()


def choose(devices: Iterable[ListedDevice], wanted: Wanted) -> ListedDevice:
    """The one device that was asked for; an exact name goes before a part of one.

    Raises:
        MicrophoneError: none is, or several are; the sentence lists those that there are.
    """
    there = [device for device in devices if device.channels > 0]
    found = _found(there, wanted)
    if len(found) == 1:
        return found[0]
    if not there:
        raise MicrophoneError(NO_MICROPHONE)
    raise MicrophoneError(_ambiguous(found, wanted, there) if found else _absent(wanted, there))


def identity(device: ListedDevice, among: Sequence[ListedDevice]) -> str | None:
    """What to write as `device = "..."` so that this one is meant, whatever its number; None if nothing can."""
    usb = [str(device.usb)] if device.usb else []
    port = [f"port:{device.port}"] if device.port else []
    ways = (*usb, *port, device.stable_name)
    return next((text for text in ways if _means(text, device, among)), None)


def _parsed_usb(text: str) -> UsbIdentity:
    found = _USB.fullmatch(text)
    if not found:
        raise MicrophoneError(
            f'device = "{text}" is no USB identity: usb:VENDOR:PRODUCT or usb:VENDOR:PRODUCT:SERIAL in hexadecimal, '
            "as auricle devices shows it, would be"
        )
    return UsbIdentity(found[1].lower().zfill(4), found[2].lower().zfill(4), found[3])


def _parsed_port(text: str) -> str:
    found = _PORT.fullmatch(text)
    if not found:
        raise MicrophoneError(f'device = "{text}" is no USB port: port:1-1.2, as auricle devices shows it, would be')
    return found[1]


def _attribute(folder: Path, name: str) -> str | None:
    """A line of sysfs; None where there is none, or it is empty."""
    try:
        return (folder / name).read_text(encoding="utf-8", errors="replace").strip() or None
    except OSError:
        return None


def _means(text: str, device: ListedDevice, among: Sequence[ListedDevice]) -> bool:
    try:
        return _found(among, parse_device(text)) == [device]
    except MicrophoneError:  # its name only looks like an identity
        return False


def _found(devices: Iterable[ListedDevice], wanted: Wanted) -> list[ListedDevice]:
    """All that answer to what is wanted, each once."""
    return _distinct(_matching([device for device in devices if device.channels > 0], wanted))


def _matching(devices: list[ListedDevice], wanted: Wanted) -> list[ListedDevice]:
    if wanted.kind == "default":
        return [device for device in devices if device.is_default]
    if wanted.kind == "port":
        return [device for device in devices if device.port == wanted.port]
    if wanted.kind == "usb":
        return [device for device in devices if _is_usb(device, wanted.usb)]
    sought = wanted.name.casefold()
    exact = [device for device in devices if device.stable_name.casefold() == sought]
    return exact or [device for device in devices if sought in device.stable_name.casefold()]


def _is_usb(device: ListedDevice, wanted: UsbIdentity | None) -> bool:
    if device.usb is None or wanted is None or device.usb[:2] != wanted[:2]:
        return False
    return wanted.serial is None or (device.usb.serial or "").casefold() == wanted.serial.casefold()


def _distinct(devices: list[ListedDevice]) -> list[ListedDevice]:
    """Without those that are a device further up once more: the same card, or the same name through another API."""
    kept: list[ListedDevice] = []
    for device in devices:
        if not any(_is_once_more(device, other) for other in kept):
            kept.append(device)
    return kept


def _is_once_more(device: ListedDevice, other: ListedDevice) -> bool:
    card = card_number(device.name)
    if card is not None and card == card_number(other.name):
        return True
    return device.host_api != other.host_api and device.name == other.name


def _absent(wanted: Wanted, there: list[ListedDevice]) -> str:
    sought = "no microphone is the default" if wanted.kind == "default" else f'no microphone is "{wanted.text}"'
    return f"{sought}; there {_are(len(there))} {_listed(there)}"


def _ambiguous(found: list[ListedDevice], wanted: Wanted, there: list[ListedDevice]) -> str:
    said = f'"{wanted.text}" could be any of {len(found)} microphones'
    if wanted.kind == "usb" and all(device.port for device in found):
        ports = " or ".join(f'"port:{device.port}"' for device in found)
        return f"{said} that say they are the same; only the port tells them apart: write {ports}"
    ways = (identity(device, there) or device.stable_name for device in found)
    return f"{said}: write " + " or ".join(f'"{way}"' for way in ways)


def _listed(devices: list[ListedDevice]) -> str:
    return ", ".join(_described(device) for device in devices)


def _described(device: ListedDevice) -> str:
    if device.usb is None:
        return f'"{device.stable_name}"'
    return f'"{device.stable_name}" ({device.usb}, port:{device.port})'


def _are(count: int) -> str:
    return "is" if count == 1 else "are"
