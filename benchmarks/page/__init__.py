"""What the page's process costs, and what it costs the daemon."""
