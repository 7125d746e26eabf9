"""Faults at random moments: no alarm that was owed may be lost."""
