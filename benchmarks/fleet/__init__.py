"""Measures a broker of many devices: see `__main__`."""
