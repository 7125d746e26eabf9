"""From a source of sound to the listener, at the pace of the machine."""
