"""What the page of a ward shows now, made once for all who look."""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING, Any

from device.ward.ward_table import change_lines
from device.web.ward.beds_view import ward_fragments, ward_values

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import tzinfo

    from device.ward.ward_state import WardView
    from device.web.ward.ward_link import WardMoment

NEWS = 5
"""Sentences about what has changed that are kept."""

FIGURES_EVERY_S = 10.0
"""The table of all beds is long, and nobody reads it at each change."""

_MINUTE_S = 60


class WardBoard:
    """Values and parts of the screen.

    Args:
        zone: of the times that are shown; None for the machine's own.
        own_certificates: says what is to be said of the certificates of this page itself.
    """

    def __init__(self, zone: tzinfo | None, own_certificates: Callable[[float], Sequence[str]]) -> None:
        self._zone = zone
        self._own_certificates = own_certificates
        self._news: deque[str] = deque(maxlen=NEWS)
        self._known: WardView | None = None
        self._made: dict[bool, tuple[WardView, int, dict[str, str]]] = {}
        self._figures, self._figures_s = "", float("-inf")

    def __repr__(self) -> str:
        return f"WardBoard({len(self._news)} news)"

    def take(self, moment: WardMoment) -> None:
        """Note what has changed."""
        if not moment.problem and moment.view is not self._known:
            if self._known is not None:
                self._news.extend(list(change_lines(self._known, moment.view))[-NEWS:])
            self._known = moment.view

    def values(self, moment: WardMoment, *, may_command: bool) -> dict[str, Any]:
        """The values of the templates."""
        return ward_values(
            moment.view,
            zone=self._zone,
            now_utc_s=moment.utc_s,
            may_command=may_command,
            own_certificates=self._own_certificates(moment.utc_s),
            news=tuple(self._news),
        )

    def fragments(self, moment: WardMoment, *, may_command: bool) -> dict[str, str]:
        """The parts of the screen; those of an unchanged view are made once a minute, for the ages of alarms."""
        minute = int(moment.utc_s // _MINUTE_S)
        made = self._made.get(may_command)
        if made is None or made[0] is not moment.view or made[1] != minute:
            parts = ward_fragments(self.values(moment, may_command=may_command))
            made = self._made[may_command] = (moment.view, minute, parts)
        return {**made[2], "figures": self._figures_of(made[2])}

    def _figures_of(self, parts: dict[str, str]) -> str:
        """The table, at most every ten seconds another one."""
        now_s = time.monotonic()
        if now_s - self._figures_s >= FIGURES_EVERY_S:
            self._figures, self._figures_s = parts["figures"], now_s
        return self._figures
