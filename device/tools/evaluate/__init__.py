"""`auricle evaluate`: one's own labelled nights, and what was found in them. Start reading at `evaluate_command`."""
