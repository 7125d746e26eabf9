"""The page of a ward: what `auricle ward` shows in a terminal, in a browser."""
