"""Sound and picture of an alarm, where people ask for them."""
