"""Readers of published sound collections: one module for each layout, all give `AnnotatedRecording`s."""
