"""Sounds that are computed: voices, a crying infant, and the signal that a room is measured with."""
