"""Whether the pipeline moves: what the watchdog is fed by. Pure; the clock is an argument."""

from __future__ import annotations

STILL_S = 10.0
"""A source says something every 250 ms, if only that it hears nothing; one this still hangs."""

UNSCORED_S = 15.0
"""At the widest hop a window is scored every 2 s."""

STARTING_S = 30.0
"""A loaded Pi may take this long to its first window."""


class PipelineHealth:
    """Remembers when something last moved.

    Args:
        now_s: monotonic.
    """

    def __init__(self, now_s: float) -> None:
        self._heard_of_source_s = now_s
        self._scored_s = now_s + STARTING_S - UNSCORED_S
        self._gap_s = now_s - STILL_S

    def item_received(self, now_s: float) -> None:
        """Sound came, or the word that there is none."""
        self._heard_of_source_s = now_s

    def window_scored(self, now_s: float) -> None:
        """A model answered."""
        self._scored_s = max(self._scored_s, now_s)

    def gap_found(self, now_s: float) -> None:
        """Samples were missing: it is known why there is no window."""
        self._gap_s = now_s

    def is_healthy(self, now_s: float, *, explained: bool) -> bool:
        """Whether the pipeline moves: windows are scored, or it was told why not and the cure goes on.

        Args:
            now_s: monotonic.
            explained: a fault is told that says why no window is scored (no sound comes, or a model fails),
                and what cures it is at work.
        """
        if now_s - self._heard_of_source_s > STILL_S:
            return False
        return explained or now_s - self._gap_s < STILL_S or now_s - self._scored_s < UNSCORED_S
