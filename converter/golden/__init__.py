"""The sounds that every bundle must score alike on every machine: windows, voices, and a sequence of both."""
