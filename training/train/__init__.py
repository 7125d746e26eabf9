"""Trains a network and writes the converter's input."""
