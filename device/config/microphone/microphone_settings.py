"""The settings of `[microphone]`: a sound card, or a stream."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from device.config.kinds import Integer, Ordinal, OrKeyword, Text
from device.config.microphone.stream_address import address_mistake, is_stream
from device.config.schema import TableSettings, key

if TYPE_CHECKING:
    from device.config.schema import Conflict

_USB, _PORT, _ALSA = "[Uu][Ss][Bb]:", "[Pp][Oo][Rr][Tt]:", "([Pp][Ll][Uu][Gg])?[Hh][Ww]:"  # JSON Schema has no flags
_USER = Text(r".{1,128}", "a user's name")
_FILE = Text(r".*\S.*", "the path of a file")


class _Device(Text):
    """As `Text`, but an address of a stream is accepted whatever it is, since a refused value is shown.

    It may hold a password. `MicrophoneSettings.conflict` refuses such a one without showing it.
    """

    def from_toml(self, value: Any) -> str:
        """Return the string itself."""
        return value if isinstance(value, str) and is_stream(value) else super().from_toml(value)


_DEVICE = _Device(
    rf"{_USB}[0-9A-Fa-f]{{1,4}}:[0-9A-Fa-f]{{1,4}}(:.+)?|{_PORT}[0-9]+-[0-9]+(\.[0-9]+)*"
    # Anything but a number, ALSA's names with a number, or a name that is only a number: these change at boot.
    rf"|(?!\s*({_USB}|{_PORT}|{_ALSA}|[0-9]+\s*$|\([Hh][Ww]:[0-9]+,[0-9]+\)\s*$)).*\S.*",
    'a device\'s name, "usb:VENDOR:PRODUCT" in hexadecimal, "port:BUS-PORT", "rtsp://HOST/PATH", or "default", '
    "and no number",
)


@dataclass(frozen=True, slots=True)
class MicrophoneSettings(TableSettings):
    """What the daemon hears, and how it is opened.

    Attributes:
        device: parsed by `sources.device_match`, or the address of a stream, without a login.
        channel: counted from 0 here, from 1 in the file; None for the mean of all.
        sample_rate_hz: None for the device's own, or the stream's.
        username: None for no login.
        password_file: None for the systemd credential `microphone-password`, if there is one.
        ca_file: None for the authorities of the system.
    """

    device: str = key(
        "default",
        _DEVICE,
        '"default", a device\'s name or a part of it, "usb:VENDOR:PRODUCT" or "usb:VENDOR:PRODUCT:SERIAL", '
        'or "port:BUS-PORT"; auricle devices lists them. A number is none: it changes at boot. A stream is '
        '"rtsp://HOST/PATH", or "https://HOST/PATH".',
    )
    channel: int | None = key(0, OrKeyword(Ordinal(64), "mix"), "The channel that is heard, or the mix of all.")
    sample_rate_hz: int | None = key(
        None, OrKeyword(Integer(8000, 192000), "device"), "Rate at which it is opened, in Hz; the device's own is best."
    )
    username: str | None = key(None, OrKeyword(_USER, "none"), "Who logs in at a stream.")
    password_file: str | None = key(
        None, OrKeyword(_FILE, "credential"), "File with the password; else the systemd credential microphone-password."
    )
    ca_file: str | None = key(
        None, OrKeyword(_FILE, "system"), "Authorities that may vouch for a stream of rtsps or https."
    )

    @property
    def is_stream(self) -> bool:
        """Whether a stream is heard, and no sound card."""
        return is_stream(self.device)

    def conflict(self) -> Conflict | None:
        """Report an address that cannot be one, and the rate of a sound card beside a stream."""
        mistake = address_mistake(self.device) if self.is_stream else None
        if mistake is not None:
            return (("device",),), f'"device" {mistake}'
        if self.is_stream and self.sample_rate_hz is not None:
            return (("device",), ("sample_rate_hz",)), '"sample_rate_hz" is for a sound card: a stream has its own rate'
        return None
