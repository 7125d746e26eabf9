"""The self-test: a known sound takes the whole path from samples to broker and back, beside the live audio."""
