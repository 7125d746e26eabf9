"""Which recording trains, chooses or judges a model: by subject, checked for leaks, committed as lists."""
