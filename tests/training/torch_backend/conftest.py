"""These tests run where Keras computes with torch, in an environment of their own: `make test-torch`."""

from __future__ import annotations

import os

collect_ignore_glob = [] if os.environ.get("KERAS_BACKEND") == "torch" else ["test_*.py"]
