"""What a bundle holds, what it costs, and what differs between two."""
