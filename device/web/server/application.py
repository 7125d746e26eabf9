"""The web application: its routes behind the gate, within the bounds and headers that hold for all."""

from __future__ import annotations

import asyncio
import contextlib
from importlib import resources
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from device.runtime.daemon_state import installed_version
from device.web.server.answers import answer_failure, answer_refusal
from device.web.server.api_routes import api_routes
from device.web.server.forwarded import ForwardedMiddleware
from device.web.server.page_routes import page_routes
from device.web.server.room_routes import room_routes
from device.web.server.safe_headers import SafeHeadersMiddleware

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Sequence

    from starlette.requests import Request
    from starlette.types import ASGIApp

    from device.config.web_settings import WebSettings
    from device.web.live.moments import Moment
    from device.web.server.service import Service


def application(
    service: Service,
    settings: WebSettings,
    *,
    on_moment: Callable[[Moment], object] = lambda _moment: None,
    others: Sequence[Callable[[], Coroutine[Any, Any, None]]] = (),
) -> ASGIApp:
    """The application of one instance; it follows the daemon while it is served.

    Args:
        service: what stands behind its routes.
        settings: of the page.
        on_moment: is called twice a second, with what the daemon answered.
        others: run beside it, for ever.
    """

    @contextlib.asynccontextmanager
    async def following(_app: Starlette) -> AsyncIterator[None]:
        def record(moment: Moment) -> None:
            service.hearing.add(moment.utc_s, hears=moment.hears)
            on_moment(moment)

        tasks = [asyncio.create_task(service.link.follow(record)), *(asyncio.create_task(run()) for run in others)]
        if service.happenings.journal is not None:
            tasks.append(asyncio.create_task(service.tail.follow()))
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            service.hearing.flush()
            if service.classifying is not None:
                await service.classifying.emptied()

    app = Starlette(
        routes=[
            *page_routes(service),
            *room_routes(service),
            *api_routes(service),
            Route("/robots.txt", _robots),
            _static(),
        ],
        exception_handlers={HTTPException: answer_refusal, Exception: answer_failure},
        lifespan=following,
    )
    app.state.instance = service.facts.instance
    app.state.version = installed_version()
    app.state.is_open = lambda: service.gate.visitors.book.is_open
    placed = ForwardedMiddleware(app, proxy=settings.proxy, base_path=settings.base_path)
    return SafeHeadersMiddleware(placed, frame_ancestors=settings.frame_ancestors)  # around answers to failures too


def _static() -> Mount:
    folder = str(resources.files("device.web.pages").joinpath("static"))
    return Mount("/static", StaticFiles(directory=folder))


async def _robots(_request: Request) -> Response:
    return Response("User-agent: *\nDisallow: /\n", media_type="text/plain")
