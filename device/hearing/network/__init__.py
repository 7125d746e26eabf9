"""A network's flatbuffer, read in Python and checked before any runtime sees it."""
