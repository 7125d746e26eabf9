"""Which sound is kept as a clip: that around each alarm which a sound raises or reopens."""

from __future__ import annotations

from typing import TYPE_CHECKING

from device.messages import AudioBlock

if TYPE_CHECKING:
    from device.daemon.delivery.channels import Clips
    from device.messages import NoAudio, Transition
    from device.runtime.clocks import Timekeeper


class AlarmClips:
    """Feeds the clip store, if there is one.

    Args:
        store: None if no clips are configured.
        timekeeper: knows how long ago a sound was captured.

    Attributes:
        store: replaced by a reload.
    """

    def __init__(self, store: Clips | None, timekeeper: Timekeeper) -> None:
        self.store = store
        self._timekeeper = timekeeper

    def __repr__(self) -> str:
        return f"AlarmClips({self.store!r})"

    def push(self, item: AudioBlock | NoAudio) -> None:
        """Buffer a block of sound; it must arrive before the transitions that it causes."""
        if self.store is not None and isinstance(item, AudioBlock):
            self.store.push(item)

    def finish(self) -> None:
        """End the stream: clips that still wait for sound get no more."""
        if self.store is not None:
            self.store.finish()

    def keep(self, transition: Transition, *, utc_s: float, newest_s: float) -> None:
        """Keep the sound around the event that raised or reopened an alarm, if this transition did so.

        Args:
            transition: that was decided now.
            utc_s: now.
            newest_s: second of the stream that is captured now.
        """
        event = transition.event
        if self.store is not None and event is not None and transition.change in {"raised", "reopened"}:
            self.store.keep(event, utc_s=utc_s - self._timekeeper.ago_s(event.decided_s, newest_s))
