"""A recording that is sent to the page: received into a private folder, heard by a process of its own, and deleted."""
