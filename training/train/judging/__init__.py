"""What validation chooses of a trained network, and the figures and pictures of a run."""
