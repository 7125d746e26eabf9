"""`auricle check`: is this machine fit to listen with this configuration, and what to do where it is not."""
