"""Recordings with labels: readers of published collections, the committed lists, decoded clips."""
