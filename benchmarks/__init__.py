"""What is measured, and never asserted by a clock in a test."""
