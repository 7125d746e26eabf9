"""A room measured before it is trusted: levels, hum, the played signal, and what the models make of both."""
