"""What the daemon hears now, asked twice a second, for any number of readers."""
