"""Tries a bundle in a child process with bounds, before this process opens it."""
