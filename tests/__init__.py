"""Tests; a package of its own, as a dependency installs another one of this name."""
