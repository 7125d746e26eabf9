"""Light, buzzer, relay, button and the fail-safe output on GPIO pins."""
