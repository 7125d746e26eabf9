"""How many instructions of an ARM processor a window costs."""
