"""Trains a system of the catalogue on a collection: one loop that survives a kill, one run folder."""
