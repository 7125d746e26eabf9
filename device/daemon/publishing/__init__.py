"""The daemon's current state, and what it is to Home Assistant: from the main loop to the broker."""
