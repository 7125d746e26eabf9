"""`auricle check`: whether this machine can listen with this configuration, and what to do if not."""
