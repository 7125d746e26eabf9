"""`auricle push`: sends alarms to phones, in a process beside the daemon."""
