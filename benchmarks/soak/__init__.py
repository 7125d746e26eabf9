"""A night of sound through the daemon: memory, threads, processes and files stay flat."""
