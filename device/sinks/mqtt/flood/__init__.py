"""A flood of messages: it is thinned out as it comes, and then ended at the broker."""
