"""Trains a network and writes what the converter takes."""
