"""The short-lived process in which Apprise runs: a request on stdin, one result on stdout, then the end.

It starts for one message and ends itself after a minute, so that neither a leak nor a hang of a service lasts.
URLs come on stdin: they hold tokens, and a command line is everybody's to read.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
from typing import Any

ENDS_AFTER_S = 60

NOT_INSTALLED = "not installed"


def send(request: dict[str, Any]) -> dict[str, Any]:
    """Send a message to each URL; returns the numbers, from 0, of those that accepted and of those that are no URL.

    Args:
        request: `urls`, `numbers` of those to use, `title`, `text` and `type`.
    """
    try:
        import apprise
    except ImportError:
        return {"problem": NOT_INSTALLED}
    accepted, unknown = [], []
    for number in request["numbers"]:
        target = apprise.Apprise()
        if not target.add(request["urls"][number]):
            unknown.append(number)
        elif target.notify(title=request["title"], body=request["text"], notify_type=request["type"]):
            accepted.append(number)
    return {"accepted": accepted, "unknown": unknown}


def main() -> int:
    """Read the request, send it, and write the result; returns exit code 0."""
    signal.alarm(ENDS_AFTER_S)
    request = json.loads(sys.stdin.buffer.read())
    results = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):  # whatever a service prints might hold a URL
        os.dup2(nowhere, stream.fileno())
    result = send(request)
    with contextlib.suppress(BrokenPipeError), results:
        results.write(json.dumps(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
