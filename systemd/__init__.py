"""Unit files, laid down by the installer; holds no code."""
