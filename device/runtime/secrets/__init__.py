"""Passwords, tokens and keys from files or systemd credentials, and what is opened with them."""
