"""From samples to few, trustworthy events; start reading at `listener`."""
