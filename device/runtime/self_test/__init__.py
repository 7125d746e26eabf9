"""The self-test: a known sound goes the whole way from samples to broker and back, beside the real one."""
