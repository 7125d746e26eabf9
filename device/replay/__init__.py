"""Recordings through the very listener that hears the microphone; start reading at `run`."""
