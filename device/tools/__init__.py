"""What a person looks at, and what keeps an installation sound."""
