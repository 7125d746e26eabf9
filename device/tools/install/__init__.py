"""Installs, upgrades, rolls back and uninstalls Auricle on a machine. Start reading at `plan`."""
