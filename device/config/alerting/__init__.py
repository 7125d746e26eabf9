"""The settings of what raises alarms beside the models, and of when an alarm is told."""
