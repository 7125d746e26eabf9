"""Converts finished runs, measures what that costs, and writes `converter/REPORT.md`."""
