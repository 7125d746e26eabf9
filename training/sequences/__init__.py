"""Trains a network that hears a second of sound at each hop and keeps its past: mixtures, embeddings, head, tuning."""
