"""Recordings through the same listener as the microphone. Start reading at `batch`."""
