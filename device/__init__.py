"""What runs on the Pi."""
