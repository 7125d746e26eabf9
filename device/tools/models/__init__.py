"""`auricle models`: the bundles at hand, the checks on one, and a new one put in the place of another."""
