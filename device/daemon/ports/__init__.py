"""The ports that a daemon opens: for commands from this machine, and for metrics."""
