"""What is added to an event that was decided: when it began and ended, and what another model says it is."""
