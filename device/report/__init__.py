"""What a developer looks at after a replay."""
