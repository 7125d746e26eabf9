"""What a request is answered with: pages, JSON, and refusals in one sentence, as whoever asks can read them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse

from device.printable import printable
from device.web.pages.rendering import rendered

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request
    from starlette.responses import Response

    from device.web.access.visitors import Visitor

_TITLES = {
    400: "That cannot be done",
    403: "You may not do that",
    404: "There is nothing here",
    408: "That took too long",
    409: "That cannot be done now",
    413: "That is too much",
    415: "That cannot be read",
    422: "That cannot be heard",
    429: "Wait a little",
    503: "No answer",
    507: "There is no room",
}


class RefusedError(HTTPException):
    """A request that is not carried out.

    Args:
        status: of the answer.
        sentence: why, and what would work.
        headers: of the answer.
    """

    def __init__(self, status: int, sentence: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(status, printable(sentence), dict(headers or {}))


def page(request: Request, template: str, visitor: Visitor | None, *, status: int = 200, **values: Any) -> Response:
    """A whole page for a person."""
    state = request.app.state
    shared = {
        "instance": state.site.name,
        "site": state.site,
        "visitor": visitor,
        "version": state.version,
        "is_open": state.site.is_open(),
        "root": root_of(request),
    }
    return HTMLResponse(rendered(template, **shared, **values), status)


async def answer_refusal(request: Request, error: Exception) -> Response:
    """A refusal as JSON for a program, as a page for a person; who has to log in is shown where."""
    refusal = error if isinstance(error, HTTPException) else HTTPException(500)
    sentence = refusal.detail if isinstance(refusal, RefusedError) else _plain(refusal.status_code)
    if wants_json(request):
        return JSONResponse({"error": sentence}, refusal.status_code, refusal.headers)
    if refusal.status_code == 401:
        return RedirectResponse(f"{root_of(request)}login", 303)
    title = _TITLES.get(refusal.status_code, "That cannot be done")
    answer = page(request, "message.html", None, status=refusal.status_code, title=title, sentence=sentence)
    answer.headers.update(refusal.headers or {})
    return answer


async def answer_failure(request: Request, error: Exception) -> Response:
    """What is wrong with this program itself: the sentence names no detail, the log does."""
    del error
    sentence = "the page failed at this; its log says why"
    if wants_json(request):
        return JSONResponse({"error": sentence}, 500)
    return page(request, "message.html", None, status=500, title="Something failed", sentence=sentence)


def root_of(request: Request) -> str:
    """The way from this address to the first screen: all links are relative, so a proxy may serve them anywhere."""
    return "../" * (request.scope["path"].count("/") - 1) or "./"


def wants_json(request: Request) -> bool:
    """Whether a program asks: below /api/, unless a browser sent a form there."""
    is_api = request.scope["path"].startswith("/api/")
    return is_api and "text/html" not in request.headers.get("accept", "")


def _plain(status: int) -> str:
    return {404: "there is nothing at this address", 405: "this address does not take that method"}.get(
        status, "the request cannot be answered"
    )
