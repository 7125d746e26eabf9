"""The local sockets of a daemon: its status and its commands, for clients on this machine."""
