"""From real recordings to a trained network, on a desktop."""
