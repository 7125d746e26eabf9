"""From an audio source to the listener, at the speed that the machine can keep up with."""
