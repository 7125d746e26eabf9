"""The reason of a cry, as a parent guessed it: a small head on the shared backbone, and what it is worth."""
