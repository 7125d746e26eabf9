"""A bedside minute that Auricle makes itself, replays, and lays beside what it heard."""
