"""Runs a model through the device's listener and counts its alarms."""
