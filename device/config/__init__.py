"""The configuration: TOML in, frozen and validated settings out; `settings` declares them, `loading` reads a file."""
