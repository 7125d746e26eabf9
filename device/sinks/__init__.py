"""They deliver what the daemon tells, and nothing else."""
