"""Runs Home Assistant with only the integrations that its configuration names; a script for the tree's own Python.

The integrations that it loads by default need dozens of further packages, such as the front end; no trial uses them.
"""

from __future__ import annotations

import sys
from importlib import import_module

_LOADED_BY_DEFAULT = ("DEFAULT_INTEGRATIONS", "CRITICAL_INTEGRATIONS", "FRONTEND_INTEGRATIONS")


def main() -> int:
    """Run it; returns its exit code."""
    bootstrap = import_module("homeassistant.bootstrap")  # installed only in the tree
    for name in _LOADED_BY_DEFAULT:
        getattr(bootstrap, name).clear()
    code: int = import_module("homeassistant.__main__").main()
    return code


if __name__ == "__main__":
    sys.exit(main())
