"""Laying Auricle down on a machine, taking it back and taking it away: start reading at `plan`."""
