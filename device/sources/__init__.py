"""Sources of sound: microphones and recordings."""
