"""The bench as one command: every run that `training/RESULTS.md` reports, in order, each in a process of its own."""
