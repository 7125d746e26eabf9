"""Lists the connected microphones, as a new capture process sees them."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

from device.errors import MicrophoneError
from device.sources.capture_process import CaptureProcess, capture_command
from device.sources.capture_record import LISTED
from device.sources.device_match import ListedDevice, UsbIdentity

if TYPE_CHECKING:
    from collections.abc import Sequence

    from device.sources.capture_record import CaptureRecord

_LISTED_WITHIN_S = 15.0


def list_microphones(command: Sequence[str] | None = None) -> tuple[ListedDevice, ...]:
    """All devices that can record now, with the usual rates that they accept.

    Args:
        command: of the capture process; None for our own.

    Raises:
        MicrophoneError: they cannot be listed; the message says what would help.
    """
    deadline_s = time.monotonic() + _LISTED_WITHIN_S
    child = CaptureProcess([*(command or capture_command("list")), "{}"])
    try:
        while (left_s := deadline_s - time.monotonic()) > 0:
            records, end_reason = child.read() if child.poll(timeout_s=left_s) else ([], None)
            if records:
                return _listed(records[0])
            if end_reason is not None:
                raise MicrophoneError(f"microphones cannot be listed: {end_reason}")
    finally:
        child.kill()
    raise MicrophoneError(
        f"a sound card or its server hangs: no list of microphones within {_LISTED_WITHIN_S:g} s; "
        "restart the sound server, or unplug what was plugged in last"
    )


def _listed(record: CaptureRecord) -> tuple[ListedDevice, ...]:
    if record.kind == LISTED:
        return tuple(_device(fields) for fields in json.loads(record.payload))
    raise MicrophoneError(record.payload.decode(errors="replace"))


def _device(fields: list[Any]) -> ListedDevice:
    device = ListedDevice(*fields)
    usb = UsbIdentity(*device.usb) if device.usb else None
    return device._replace(rates_hz=tuple(device.rates_hz), usb=usb)
