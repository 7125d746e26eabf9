"""A daemon's figures for Prometheus: what they are, and the port that serves them."""
