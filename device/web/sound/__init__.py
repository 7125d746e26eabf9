"""Listening in through the page: the way to the daemon's sound, and the stream to who listens."""
