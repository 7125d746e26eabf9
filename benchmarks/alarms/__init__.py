"""How soon a cry reaches the broker, and what it costs."""
