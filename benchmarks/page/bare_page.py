"""The least that Starlette and uvicorn can serve: the base of the page's start and memory. Argument: port."""

from __future__ import annotations

import sys

import uvicorn
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route


def main() -> None:
    """Serve until killed."""
    app = Starlette(routes=[Route("/", lambda _request: PlainTextResponse("here"))])
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), loop="asyncio", http="h11", ws="none", log_config=None)


if __name__ == "__main__":
    main()
