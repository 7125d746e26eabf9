"""From a trained network to a verified INT8 bundle."""
