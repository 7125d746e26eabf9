"""What becomes of what was heard: alarms, and the durable record of them."""
