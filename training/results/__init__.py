"""What training runs came to: compared, reported beside what was published, and the experiment on leaking splits."""
