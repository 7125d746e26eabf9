"""Settings from TOML: `settings` has what there is, `loading` reads a file, the others say how."""
