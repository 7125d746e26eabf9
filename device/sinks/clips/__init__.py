"""Records sound and picture of alarms, if configured: recorder, store, worker."""
