"""The HTTP server: routes, the gate that every request passes, and what it answers."""
