"""The services that reach phones: ntfy, Pushover, and whatever Apprise knows."""
