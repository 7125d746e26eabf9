"""What the daemon, a replay and the operator's tools share while they run."""
