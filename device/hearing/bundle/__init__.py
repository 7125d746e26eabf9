"""One model file: the network, and all that belongs to it, read and checked."""
