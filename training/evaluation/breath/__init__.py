"""Verdicts on breath sounds, for an event or a record, from the scores of windows."""
