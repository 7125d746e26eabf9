"""`auricle history`: the alarms that the journals hold. Start reading at `history_command`."""
