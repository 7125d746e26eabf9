"""Decoders behind one small interface: libsndfile, and PyAV for what libsndfile does not know."""
