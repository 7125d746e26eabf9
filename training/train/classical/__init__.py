"""Fits the classical baselines on what a network would be trained on, and leaves a run folder like its."""
