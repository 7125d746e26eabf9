"""One row for each kind of fault: its priority, whether it deafens, how it is worded, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from device.messages import FaultKind, Priority


@dataclass(frozen=True, slots=True)
class FaultInfo:
    """One kind of fault.

    Attributes:
        priority: of the technical alarm that it raises; high is reserved for sounds. None if it raises none, because
            it is over by the time it is noticed.
        deafens: whether a cry could be missed while it is open.
        words: what is wrong, as the end of "hears NOTHING: ...".
        cure: what to do about it, one imperative sentence.
        is_found_by_daemon: whether the daemon itself detects it. Otherwise a listener does, and its open faults end
            when that listener is replaced.
    """

    priority: Priority | None
    deafens: bool
    words: str
    cure: str
    is_found_by_daemon: bool = False


_REPLUG = "unplug the microphone and plug it in again; if that does not help, replace it"

FAULTS: Mapping[FaultKind, FaultInfo] = MappingProxyType(
    {
        "silence": FaultInfo(
            priority="medium",
            deafens=True,
            words="digital silence from the microphone",
            cure="check whether the microphone is muted, by its own switch or in alsamixer; set gates_to_zero in "
            "[deafness] if it outputs zeros whenever the room is quiet",
        ),
        "stuck": FaultInfo(priority="medium", deafens=True, words="the microphone is stuck", cure=_REPLUG),
        "dc": FaultInfo(
            priority="medium",
            deafens=True,
            words="the microphone outputs a constant instead of sound",
            cure=_REPLUG,
        ),
        "repeated": FaultInfo(
            priority="medium",
            deafens=True,
            words="the microphone repeats the same buffer",
            cure="unplug the microphone and plug it in again, and restart the sound server, if there is one",
        ),
        "floor": FaultInfo(
            priority="medium",
            deafens=True,
            words="the room's noise is gone, the microphone may be covered or broken",
            cure="check whether something covers the microphone, or whether its gain was turned down",
        ),
        "cancellation": FaultInfo(
            priority="medium",
            deafens=True,
            words="the channels of the mix cancel each other",
            cure="hear one channel: set channel = 1 in [microphone] or [recording], or --channel 1 for a replay",
        ),
        "clipping": FaultInfo(
            priority="low",
            deafens=False,
            words="the microphone is overdriven",
            cure="turn the microphone's gain down in alsamixer, or move it away from the loud source",
        ),
        "gap": FaultInfo(
            priority=None,
            deafens=False,
            words="sound is missing",
            cure="check what else keeps this machine or its USB bus busy",
        ),
        "microphone": FaultInfo(
            priority="medium",
            deafens=True,
            words="no sound comes from the microphone",
            cure="check plug and cable, or a camera's power and network; "
            "auricle devices lists the microphones that are there",
        ),
        "coverage": FaultInfo(
            priority="medium",
            deafens=True,
            words="too little of the sound is analysed",
            cure="check what else keeps this machine busy, and its temperature; auricle check shows both",
        ),
        "classifier": FaultInfo(
            priority="medium",
            deafens=True,
            words="a model fails",
            cure="run auricle models verify to test the model; install Auricle again if it fails",
        ),
        "journal": FaultInfo(
            priority="low",  # alarms are still delivered, but a power cut might lose them
            deafens=False,
            words="alarms are not kept on disk",
            cure="free some space on its disk, make its folder writable, or replace a failing card",
            is_found_by_daemon=True,
        ),
        "broker": FaultInfo(
            priority="medium",  # alarms do not arrive
            deafens=False,
            words="the broker cannot be reached",
            cure="check whether the broker runs, and [mqtt] in the configuration; nothing is lost meanwhile",
            is_found_by_daemon=True,
        ),
        "delivery": FaultInfo(
            priority="medium",  # readers of the console or the log see nothing
            deafens=False,
            words="the console or the log accepts no line",
            cure="check what reads the daemon's output, and the disk of its log; a restart of the daemon reopens both",
            is_found_by_daemon=True,
        ),
        "self_test": FaultInfo(
            priority="medium",
            deafens=False,
            words="the self-test failed",
            cure="check the stage that it names; a press of the self-test button runs it again",
            is_found_by_daemon=True,
        ),
        "certificate": FaultInfo(
            priority="low",  # what is delivered over it still is; once it is not, that is a fault of its own
            deafens=False,
            words="a certificate expires soon, or has expired",
            cure="renew the certificate that it names, then reload the daemon, "
            "or restart auricle web if it is the page's",
            is_found_by_daemon=True,
        ),
        "push": FaultInfo(
            priority="medium",  # alarms do not arrive
            deafens=False,
            words="alarms do not reach a phone",
            cure="auricle push test tries it now; where auricle push does not run, systemctl enable --now "
            "auricle-push@NAME starts it; nothing is lost meanwhile",
            is_found_by_daemon=True,
        ),
    }
)
"""The row of every kind of fault."""

DEAFENING: frozenset[FaultKind] = frozenset(kind for kind, info in FAULTS.items() if info.deafens)
"""Faults during which a cry could be missed."""

FOUND_BY_DAEMON: frozenset[FaultKind] = frozenset(kind for kind, info in FAULTS.items() if info.is_found_by_daemon)
"""Faults that the daemon itself detects; a reload of the models does not end them."""

WHY_LOST: Mapping[str, str] = MappingProxyType(
    {
        "end_of_file": "the recording is over",
        "no_audio": "no sound comes",
        "gap": "sound is missing",
        "rate": "the microphone's rate changed",
        "deaf": "the microphone is deaf",
        "reload": "the configuration is read again",
        "stopped": "Auricle is stopped",
        "interrupted": "Auricle was interrupted",
    }
)
"""Why an event ended without becoming quiet, as people read it: the sound may go on."""
