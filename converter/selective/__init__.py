"""Networks that lose too much in int8: which layers stay in float, and what was tried in which order."""
