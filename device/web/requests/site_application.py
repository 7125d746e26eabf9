"""An application of ours: routes within the bounds, the headers and the answers to refusals that hold for all."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from device.runtime.daemon_state import installed_version
from device.web.requests.answers import answer_failure, answer_refusal
from device.web.requests.forwarded import ForwardedMiddleware
from device.web.requests.safe_headers import SafeHeadersMiddleware

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from starlette.requests import Request
    from starlette.types import ASGIApp, StatelessLifespan

    from device.config.web_settings import WebSettings


@dataclass(frozen=True, slots=True)
class Site:
    """What each page of an application shows.

    Attributes:
        name: at the top.
        places: address, key and words of each link beside it.
        is_open: whether there is no account yet.
        options: of the command line that chooses the configuration, as in `auricle web password anna OPTIONS`.
        has_room: whether a room can be set up here.
    """

    name: str
    places: Sequence[tuple[str, str, str]]
    is_open: Callable[[], bool]
    options: str = ""
    has_room: bool = True


def site_application(
    site: Site, routes: Sequence[Route], settings: WebSettings, *, lifespan: StatelessLifespan[Starlette]
) -> ASGIApp:
    """The application.

    Args:
        site: what its pages show.
        routes: of its own.
        settings: of the page.
        lifespan: runs while it is served.
    """
    app = Starlette(
        routes=[*routes, Route("/robots.txt", _robots), _static()],
        exception_handlers={HTTPException: answer_refusal, Exception: answer_failure},
        lifespan=lifespan,
    )
    app.state.site = site
    app.state.version = installed_version()
    placed = ForwardedMiddleware(app, proxy=settings.proxy, base_path=settings.base_path)
    return SafeHeadersMiddleware(placed, frame_ancestors=settings.frame_ancestors)  # around answers to failures too


def _static() -> Mount:
    folder = str(resources.files("device.web.pages").joinpath("static"))
    return Mount("/static", StaticFiles(directory=folder))


async def _robots(_request: Request) -> Response:
    return Response("User-agent: *\nDisallow: /\n", media_type="text/plain")
