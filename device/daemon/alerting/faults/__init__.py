"""What keeps alarms from being kept or delivered, as faults."""
