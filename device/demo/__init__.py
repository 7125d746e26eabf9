"""A minute at a bedside that Auricle synthesizes, replays, and compares with what it heard."""
