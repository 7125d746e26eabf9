"""From what was heard to the changes of alarms."""
