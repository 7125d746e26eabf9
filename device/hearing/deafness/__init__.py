"""Detects a deaf microphone: modules for the signs, and the detector that combines them."""
