"""What happened: alarms and commands from the journal, clips, and when there was hearing."""
