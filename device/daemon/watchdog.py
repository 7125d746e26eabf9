"""Whether audio and scores flow: decides whether the watchdog is fed. Pure; the clock is an argument."""

from __future__ import annotations

STILL_S = 10.0
"""A source delivers an item every 250 ms, if only `NoAudio`; one that is silent for this long hangs."""

UNSCORED_S = 15.0
"""Longest time without a scored window; at the widest hop one is scored every 2 s."""

STARTING_S = 30.0
"""A busy Pi may take this long to its first window."""


class PipelineHealth:
    """Remembers when the last item, score and gap came.

    Args:
        now_s: monotonic.
    """

    def __init__(self, now_s: float) -> None:
        self._item_s = now_s
        self._scored_s = now_s + STARTING_S - UNSCORED_S
        self._window_s: float | None = None  # when the newest window was scored
        self._gap_s = now_s - STILL_S

    def item_received(self, now_s: float) -> None:
        """The source delivered audio, or `NoAudio`."""
        self._item_s = now_s

    def window_scored(self, now_s: float) -> None:
        """A model scored a window."""
        self._scored_s = max(self._scored_s, now_s)
        self._window_s = now_s

    def gap_found(self, now_s: float) -> None:
        """Samples were missing, which explains why no window is scored."""
        self._gap_s = now_s

    def window_age_s(self, now_s: float) -> float | None:
        """Seconds since a model scored a window; None before the first."""
        return None if self._window_s is None else now_s - self._window_s

    def is_healthy(self, now_s: float, *, explained: bool) -> bool:
        """Whether windows are scored, or there is a reported reason why not and recovery is in progress.

        Args:
            now_s: monotonic.
            explained: whether an open fault says why no window is scored (no audio comes, or a model fails), with
                recovery in progress.
        """
        if now_s - self._item_s > STILL_S:
            return False
        return explained or now_s - self._gap_s < STILL_S or now_s - self._scored_s < UNSCORED_S
