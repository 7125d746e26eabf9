"""Settings from TOML: `settings` has what there is, the others how it is read."""
