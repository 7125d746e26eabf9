"""What the converter needs of finished runs besides their folders."""
