"""The durable record of alarms: what was heard, what was told, what is still owed."""
