"""Run Home Assistant with nothing but what its configuration names; by the Python of the tree, in the tree.

What it would load beside that needs dozens of further packages, a front end among them, and none of it is tried here.
"""

from __future__ import annotations

import sys
from importlib import import_module

_BY_ITSELF = ("DEFAULT_INTEGRATIONS", "CRITICAL_INTEGRATIONS", "FRONTEND_INTEGRATIONS")


def main() -> int:
    """Run it; its exit code."""
    bootstrap = import_module("homeassistant.bootstrap")  # is in the tree alone
    for name in _BY_ITSELF:
        getattr(bootstrap, name).clear()
    code: int = import_module("homeassistant.__main__").main()
    return code


if __name__ == "__main__":
    sys.exit(main())
