"""The daemon: a microphone or recordings into the listener, and what was heard out to people, for months."""
