"""From annotated stretches of sound to arrays of features: cutting, cleaning, balancing and augmenting."""
