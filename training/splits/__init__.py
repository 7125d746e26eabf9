"""Which recording trains, validates or tests a model: by subject, checked for leaks, committed as lists."""
