"""`auricle calibrate`: a room measured before it is trusted. Start reading at `calibrate_command`."""
