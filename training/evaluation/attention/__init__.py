"""What an attention network attends to: its map over time and frequency, drawn and measured."""
