"""The settings of what the daemon hears: a sound card, or a stream from a camera."""
