"""Many items through one function, on one core, all cores or a cluster, with the same results; and a cache of them."""
