"""From detected sounds and faults to the transitions of alarms."""
