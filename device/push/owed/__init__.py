"""What push owes to whom: from the journal to the acceptance by a service, durable."""
