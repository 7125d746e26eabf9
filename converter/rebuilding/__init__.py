"""Trained Keras networks become equal ones at batch 1 that full INT8 can express."""
