"""Readers of published sound collections: one module for each layout, all return `AnnotatedRecording`s."""
