"""Thresholds of deafness detection: when a microphone counts as deaf; no user needs to change them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class DeafnessLimits:
    """Thresholds and durations of every sign of deafness.

    Attributes:
        row_s: length of the grid's rows; each is checked as a whole.
        rows_per_step: rows after which the slow signs (floor, clipping) are checked; 1 s.
        found_after_s: silence, stuck and dc are faults once they last this long; with a row at either end
            that stays under the 3 s within which deafness must be noticed.
        repeated_after_s: repeated is a fault once it lasts this long; with the first of the longest buffers, which
            cannot be distinguished from sound, that stays under 3 s too.
        over_after_s: such a fault is over after this long without its sign.
        dc_over_sound_db: a constant offset this far above the rest of the signal counts as dc. A cheap sound card's
            offset of 0.03 over a quiet room at -80 dBFS stays below.
        cancellation_db: the channels of a mix cancel if it is this far below what independent channels would give.
        shortest_buffer_s: a shorter period of repetition is a tone.
        longest_buffer_s: a repeated buffer is at most this long.
        floor_drop_db: a floor this far below the learned one has collapsed, ...
        floor_spread: ... if its levels spread at most this many times as much as white noise's, ...
        floor_after_s: ... for this long.
        floor_suspect_s: a collapse is suspected after this long.
        floor_minutes: minutes of sound of which the quietest is the learned floor.
        full_scale: a sample this large is clipped: the largest of 16 bits, less what dither or a lossy codec
            takes off. Of a sine that just reaches full scale 1 % is this large, far less than 5 %.
        clipped_fraction: clipping is heavy if more than this share of each second's samples is clipped, ...
        clipping_s: ... for this long; it is over after this long without.
    """

    row_s: float = 0.05
    rows_per_step: int = 20
    found_after_s: float = 2.5
    repeated_after_s: float = 1.5
    over_after_s: float = 1.0
    dc_over_sound_db: float = 50.0
    cancellation_db: float = 12.0
    shortest_buffer_s: float = 0.005
    longest_buffer_s: float = 1.0
    floor_drop_db: float = 20.0
    floor_spread: float = 2.0
    floor_after_s: float = 60.0
    floor_suspect_s: float = 5.0
    floor_minutes: int = 60
    full_scale: float = 32767 / 32768 - 1e-4
    clipped_fraction: float = 0.05
    clipping_s: float = 10.0


DEFAULTS = DeafnessLimits()
