"""Passwords, tokens, keys and certificates from files or systemd credentials, and what is opened with them."""
