"""Real images and their features, as stages read them."""
